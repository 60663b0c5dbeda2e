"""What an HTTP status alone says about a failure: the part that all providers share.

Wire formats refine it with the codes and types of their API; where those say nothing, this decides.
"""

from __future__ import annotations

import re
from typing import Final

from tokenwire import lenient_json as lenient
from tokenwire.errors import AuthError, OtherError, OtherKind, ProviderError, RateLimitError

_KINDS: Final[dict[int, OtherKind]] = {
    404: "not_found",
    408: "timeout",
    409: "conflict",
    410: "not_found",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",  # not registered, but several providers and proxies use it
}
_RETRYABLE: Final = frozenset({"timeout", "conflict", "overloaded", "server"})

#: JSON of error bodies nests a few levels, some of it quoted from another server.
_MAX_ERROR_DEPTH: Final = 64

# Both take linear time, also where nothing that is opened is ever closed.
_TITLE: Final = re.compile(r"<title>([^<]*+)<", re.IGNORECASE)
_MARKUP: Final = re.compile(
    r"<script.*?(?:</script>|\Z)|<style.*?(?:</style>|\Z)|<[^<>]*+>", re.IGNORECASE | re.DOTALL
)


def other_error(kind: OtherKind, message: str, status: int | None, code: str | None) -> OtherError:
    """Build an `OtherError` that is retryable where its kind may pass."""
    return OtherError(
        kind=kind, message=message, status=status, code=code, retryable=kind in _RETRYABLE
    )


def quota_error(message: str, status: int | None, code: str | None) -> RateLimitError:
    """Build the error for a used-up quota, which no short wait brings back."""
    return RateLimitError(scope="quota", message=message, status=status, code=code, retryable=False)


def failure_by_status(status: int | None, message: str, code: str | None) -> ProviderError:
    """Map a status to one of the five kinds.

    402 counts as a used-up quota: it always speaks of credit. None, for failures inside a stream
    that say nothing else, counts as the server's fault.
    """
    match status:
        case 401 | 403:
            return AuthError(message=message, status=status, code=code)
        case 402:
            return quota_error(message, status, code)
        case 429:
            return RateLimitError(message=message, status=status, code=code, retryable=True)
        case _:
            return other_error(_kind_by_status(status), message, status, code)


def _kind_by_status(status: int | None) -> OtherKind:
    match status:
        case int() if status in _KINDS:
            return _KINDS[status]
        case int() if status < 400:
            return "redirect"
        case int() if status < 500:
            return "rejected"
        case _:
            return "server"


def error_json(body: bytes) -> object | None:
    """Read an error body as JSON.

    Returns:
        An empty object for any value that says nothing. None if it is no JSON (see `prose`), or
        nests absurdly deep.
    """
    try:
        return lenient.decode(body, _MAX_ERROR_DEPTH) or {}
    except (lenient.NotJSONError, lenient.TooDeepError):
        return None


def prose(body: bytes) -> str | None:
    """Say in a line what a page of a proxy, or any other text, says; None if it says nothing."""
    text = body.decode("utf-8", "replace")
    title = _TITLE.search(text)
    plain = title[1] if title else _MARKUP.sub(" ", text)
    return " ".join(plain.split()) or None
