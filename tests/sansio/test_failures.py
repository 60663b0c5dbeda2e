"""What a status alone says, and what a page of a proxy says."""

import pytest

from tokenwire.errors import AuthError, OtherError, ProviderError, RateLimitError
from tokenwire.failures import error_json, failure_by_status, other_error, prose, quota_error

TABLE: list[tuple[int | None, type[ProviderError], dict[str, object]]] = [
    (300, OtherError, {"kind": "redirect", "retryable": False}),
    (307, OtherError, {"kind": "redirect", "retryable": False}),
    (399, OtherError, {"kind": "redirect", "retryable": False}),
    (400, OtherError, {"kind": "rejected", "retryable": False}),
    (401, AuthError, {"retryable": False}),
    (402, RateLimitError, {"scope": "quota", "retryable": False}),
    (403, AuthError, {"retryable": False}),
    (404, OtherError, {"kind": "not_found", "retryable": False}),
    (405, OtherError, {"kind": "rejected", "retryable": False}),
    (408, OtherError, {"kind": "timeout", "retryable": True}),
    (409, OtherError, {"kind": "conflict", "retryable": True}),
    (410, OtherError, {"kind": "not_found", "retryable": False}),
    (413, OtherError, {"kind": "rejected", "retryable": False}),
    (422, OtherError, {"kind": "rejected", "retryable": False}),
    (429, RateLimitError, {"scope": "requests", "retryable": True}),
    (499, OtherError, {"kind": "rejected", "retryable": False}),
    (500, OtherError, {"kind": "server", "retryable": True}),
    (501, OtherError, {"kind": "server", "retryable": True}),
    (502, OtherError, {"kind": "server", "retryable": True}),
    (503, OtherError, {"kind": "overloaded", "retryable": True}),
    (504, OtherError, {"kind": "timeout", "retryable": True}),
    (529, OtherError, {"kind": "overloaded", "retryable": True}),
    (599, OtherError, {"kind": "server", "retryable": True}),
    (None, OtherError, {"kind": "server", "retryable": True}),
]


@pytest.mark.parametrize(("status", "kind", "facts"), TABLE)
def test_every_status_has_its_kind(
    status: int | None, kind: type[ProviderError], facts: dict[str, object]
) -> None:
    """Message and code are kept, and the kind says whether it may pass."""
    error = failure_by_status(status, "what happened", "some_code")
    assert type(error) is kind
    told = {"message": "what happened", "code": "some_code", "status": status}
    assert error.facts() == error.facts() | told | facts


@pytest.mark.parametrize(
    ("kind", "retryable"),
    [
        ("overloaded", True),
        ("server", True),
        ("timeout", True),
        ("conflict", True),
        ("rejected", False),
        ("context_length", False),
        ("content_filter", False),
        ("not_found", False),
        ("redirect", False),
        ("unknown", False),
    ],
)
def test_what_may_pass_is_retryable(kind: str, retryable: bool) -> None:
    """Another request or configuration is needed for everything else."""
    error = other_error(kind, "what happened", 418, "some_code")  # type: ignore[arg-type]  # a table of words
    assert (error.kind, error.retryable) == (kind, retryable)
    assert (error.message, error.status, error.code) == ("what happened", 418, "some_code")


def test_a_used_up_quota_is_not_retryable() -> None:
    """No short wait brings it back."""
    error = quota_error("no credit", 429, "insufficient_quota")
    assert (error.scope, error.retryable) == ("quota", False)
    assert (error.message, error.status, error.code) == ("no credit", 429, "insufficient_quota")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", None),
        (b" \n ", None),
        (b"Bad Gateway\n", "Bad Gateway"),
        (b"upstream  connect\nerror", "upstream connect error"),
        (b"<html><head><title>502\n Bad Gateway</title></head><body>no</body>", "502 Bad Gateway"),
        (b"<TITLE>Blocked</TITLE>", "Blocked"),
        (b"<p>Not <b>today</b></p>", "Not today"),
        (b"<style>p { color: red }</style><SCRIPT>\nrun()\n</SCRIPT>Blocked", "Blocked"),
        (b"<title></title>Blocked", None),
        (b"<br><hr>", None),
        (b"caf\xe9", "caf\ufffd"),
    ],
)
def test_a_page_is_told_in_a_line(body: bytes, text: str | None) -> None:
    """The title of a page is what it is about; without one its text is."""
    assert prose(body) == text


@pytest.mark.parametrize("body", [b"<html>", b"", b"{", b"[" * 1000 + b"]" * 1000])
def test_an_error_body_may_be_no_json(body: bytes) -> None:
    """A proxy's page, nothing, half of it, or nesting that no server means."""
    assert error_json(body) is None
    assert error_json(b'{"error":"No."}') == {"error": "No."}
