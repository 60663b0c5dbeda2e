"""The five kinds of failure and the facts that they carry."""

import copy
import pickle
import traceback
from typing import Any

import attrs
import pytest

from tokenwire.errors import (
    AuthError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)

FACTS: dict[str, Any] = {
    "message": "what happened",
    "provider": "acme",
    "status": 418,
    "code": "teapot",
    "request_id": "req_1",
    "retry_after": 1.5,
    "in_stream": True,
    "tokens_emitted": 3,
    "sent": "partly",
    "retryable": True,
}

ERRORS: list[tuple[ProviderError, dict[str, object]]] = [
    (
        NetworkError(**FACTS, phase="tls", timeout="connect"),
        {"error": "network", "phase": "tls", "timeout": "connect"},
    ),
    (AuthError(**FACTS), {"error": "auth"}),
    (RateLimitError(**FACTS, scope="quota"), {"error": "rate_limit", "scope": "quota"}),
    (
        MalformedResponseError(**FACTS, reason="json", excerpt="{"),
        {"error": "malformed", "reason": "json", "excerpt": "{"},
    ),
    (OtherError(**FACTS, kind="server"), {"error": "other", "kind": "server"}),
]

every_kind = pytest.mark.parametrize(
    ("error", "own_facts"), ERRORS, ids=[type(error).__name__ for error, _ in ERRORS]
)


@every_kind
def test_facts_are_all_that_an_error_knows(
    error: ProviderError, own_facts: dict[str, object]
) -> None:
    """A log gets every attribute by its name, and the name of the kind."""
    assert error.facts() == FACTS | own_facts


@every_kind
def test_facts_begin_with_the_kind(error: ProviderError, own_facts: dict[str, object]) -> None:
    """Whoever reads a line of a log sees first what kind of failure it was."""
    assert next(iter(error.facts().items())) == ("error", own_facts["error"])


@every_kind
def test_a_pickled_error_keeps_its_facts(
    error: ProviderError, own_facts: dict[str, object]
) -> None:
    """Errors cross process borders whole, as those of worker pools do."""
    loaded = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert type(loaded) is type(error)
    assert loaded.facts() == error.facts() == FACTS | own_facts


@every_kind
def test_a_copied_error_keeps_its_facts(error: ProviderError, own_facts: dict[str, object]) -> None:
    """`copy` and `deepcopy` give errors of the same kind with the same facts."""
    for duplicate in (copy.copy(error), copy.deepcopy(error)):
        assert type(duplicate) is type(error)
        assert duplicate.facts() == FACTS | own_facts


@every_kind
def test_an_error_is_raised_and_caught_as_itself(
    error: ProviderError, own_facts: dict[str, object]
) -> None:
    """Raising one sets its traceback and takes notes, although its facts are frozen."""
    with pytest.raises(ProviderError) as caught:
        raise error
    assert caught.value is error
    error.add_note("attempt 1")
    assert "attempt 1" in "".join(traceback.format_exception(error))
    assert error.facts() == FACTS | own_facts


@every_kind
def test_the_facts_of_an_error_are_frozen(
    error: ProviderError, own_facts: dict[str, object]
) -> None:
    """Nobody who passes an error on changes what it says."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        error.status = 200  # type: ignore[misc]  # what is tested
    assert error.facts() == FACTS | own_facts


def test_an_error_knows_little_by_default() -> None:
    """What nobody told is unknown, and nothing is retryable unless somebody says so."""
    assert OtherError(message="x").facts() == {
        "error": "other",
        "message": "x",
        "provider": "",
        "status": None,
        "code": None,
        "request_id": None,
        "retry_after": None,
        "in_stream": False,
        "tokens_emitted": 0,
        "sent": "all",
        "retryable": False,
        "kind": "unknown",
    }


def test_the_kinds_have_defaults_of_their_own() -> None:
    """No deadline ran out, requests are what ran out, and there is nothing to quote."""
    assert NetworkError(message="x", phase="dns").timeout is None
    assert RateLimitError(message="x").scope == "requests"
    assert MalformedResponseError(message="x", reason="json").excerpt == ""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AuthError(message="no"), "no"),
        (AuthError(message="no", provider="acme"), "acme: no"),
        (AuthError(message="no", status=401), "HTTP 401: no"),
        (AuthError(message="no", code="bad_key"), "bad_key: no"),
        (AuthError(message="no", provider="acme", status=401), "acme HTTP 401: no"),
        (
            AuthError(message="no", provider="acme", status=401, code="bad_key"),
            "acme HTTP 401 bad_key: no",
        ),
        (AuthError(message="no", provider="acme", status=401, code="401"), "acme HTTP 401: no"),
        (AuthError(message="no", provider="acme", status=300), "acme HTTP 300: no"),
        (AuthError(message="no", provider="acme", status=299), "acme: no"),
        (AuthError(message="no", provider="acme", status=200), "acme: no"),
    ],
)
def test_the_text_of_an_error_is_one_readable_line(error: ProviderError, text: str) -> None:
    """It says who failed, how, and what happened; no status twice, and none of a success."""
    assert str(error) == text


def test_errors_are_compared_by_identity() -> None:
    """Two failures are two failures, and errors are hashable as exceptions have to be."""
    assert AuthError(message="no") != AuthError(message="no")
    assert len({AuthError(message="no"), AuthError(message="no")}) == 2


def test_the_message_is_among_the_arguments() -> None:
    """Tools that only know `Exception.args` find the message there."""
    assert "no" in AuthError(message="no").args
