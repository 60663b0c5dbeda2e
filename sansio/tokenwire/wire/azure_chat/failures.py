"""What Azure adds to a failure: which of its content filters the prompt set off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from tokenwire import lenient_json as lenient
from tokenwire.errors import ProviderError
from tokenwire.failures import error_json, other_error
from tokenwire.wire.openai_chat.failures import failed_response

_POLICY_VIOLATION: Final = "ResponsibleAIPolicyViolation"


def azure_failure(status: int, body: bytes) -> ProviderError:
    """Read the response of a failed request. See `Wire.failure`."""
    error = failed_response(status, body)
    details = lenient.as_object(lenient.as_object(error_json(body)).get("error"))
    inner = lenient.as_object(details.get("innererror"))
    if inner.get("code") == _POLICY_VIOLATION:
        error = other_error("content_filter", error.message, status, error.code)
    filters = ", ".join(_filters(details, inner))
    if filters:
        error = attrs.evolve(error, message=f"{error.message} (filtered: {filters})")
    return error


def _filters(details: Mapping[str, Any], inner: Mapping[str, Any]) -> Iterator[str]:
    """Find the filters that were set off, in the older form and in that of ``/v1``."""
    newer = map(lenient.as_object, lenient.as_array(details.get("content_filters")))
    all_results = [
        inner.get("content_filter_result"),
        *(each.get("content_filter_results") for each in newer),
    ]
    for results in map(lenient.as_object, all_results):
        for name, result in results.items():
            if lenient.as_object(result).get("filtered") is True:
                yield lenient.repaired(name)
