"""What this API says when it fails inside a stream, besides what the whole family says.

Failures come as an ``error`` event, flat or with the error inside of it, as the ``error`` of a
failed response, and from compatible servers as a bare ``{"error": …}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tokenwire import lenient_json as lenient
from tokenwire.errors import OtherKind, ProviderError
from tokenwire.failures import other_error
from tokenwire.wire.openai_chat.failures import Failure, classify, read_failure

#: Codes of failed responses that only this API has.
_CODES: Final[dict[str, OtherKind]] = {
    "invalid_prompt": "rejected",
    "data_residency_mismatch": "rejected",
    "previous_response_not_found": "not_found",
    "bio_policy": "content_filter",
    "misalignment_policy_violation": "content_filter",
    "image_content_policy_violation": "content_filter",
    "vector_store_timeout": "timeout",
}


def event_failure(value: Mapping[str, Any]) -> ProviderError:
    """Read an ``error`` event of any shape.

    Args:
        value: Its data, or a failed response.
    """
    error = value.get("error")
    status = value.get("status_code") or value.get("status")
    if isinstance(error, dict):
        members = {"status_code": status, **lenient.as_object(value.get("error"))}
    else:
        flat = {
            name: member for name, member in value.items() if (name, member) != ("type", "error")
        }
        members = {**flat, "message": flat.get("message") or error, "status_code": status}
    failure = read_failure({"error": members})
    assert failure is not None  # an object that says anything is one
    return _classify(failure)


def _classify(failure: Failure) -> ProviderError:
    code = failure.code or ""
    kind: OtherKind | None = _CODES.get(code)
    if kind is None and "image" in code.split("_"):
        kind = "rejected"  # a dozen codes for pictures that cannot be used
    if kind is None or failure.message is None:
        return classify(failure, None)
    return other_error(kind, failure.message, failure.status, code)
