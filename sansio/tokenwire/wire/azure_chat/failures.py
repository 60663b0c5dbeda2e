"""What Azure adds to a failure: which of its content filters the prompt set off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from tokenwire import lenient_json as lenient
from tokenwire.errors import ProviderError
from tokenwire.failures import other_error
from tokenwire.wire.openai_chat.failures import failed_response

_POLICY_VIOLATION: Final = "ResponsibleAIPolicyViolation"

#: JSON of error bodies nests five levels here.
_MAX_DEPTH: Final = 64


def azure_failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """Read the response of a failed request. See `Wire.failure`."""
    error = failed_response(status, headers, body)
    inner = _inner_error(body)
    if inner.get("code") == _POLICY_VIOLATION:
        error = other_error("content_filter", error.message, status, error.code)
    filters = ", ".join(_filters(inner))
    if filters:
        error = attrs.evolve(error, message=f"{error.message} (filtered: {filters})")
    return error


def _inner_error(body: bytes) -> dict[str, Any]:
    try:
        value = lenient.decode(body, _MAX_DEPTH)
    except (lenient.NotJSONError, lenient.TooDeepError):
        return {}
    error = lenient.as_object(lenient.as_object(value).get("error"))
    return lenient.as_object(error.get("innererror"))


def _filters(inner: Mapping[str, Any]) -> list[str]:
    results = lenient.as_object(inner.get("content_filter_result"))
    return [
        lenient.repaired(name)
        for name, result in results.items()
        if lenient.as_object(result).get("filtered") is True
    ]
