"""The vocabulary of an answer."""

import pytest

from tokenwire.tokens import (
    End,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Token,
    ToolCallDelta,
    Usage,
)

TOKENS: list[Token] = [
    TextDelta("a", 2),
    ReasoningDelta("b", 2),
    RefusalDelta("c", 2),
    ToolCallDelta(0, "call_1", "f", "{}", choice=2),
    End("stop"),
]


@pytest.mark.parametrize(("token", "text"), list(zip(TOKENS, ["a", "b", "c", "", ""], strict=True)))
def test_every_token_has_a_text(token: Token, text: str) -> None:
    """The simplest program prints the text of every token; a tool call and the end have none."""
    assert token.text == text


@pytest.mark.parametrize(("token", "choice"), list(zip(TOKENS, [2, 2, 2, 2, 0], strict=True)))
def test_every_token_has_a_choice(token: Token, choice: int) -> None:
    """Each says which alternative it belongs to; the end, which belongs to all, says 0."""
    assert token.choice == choice


def test_a_signature_is_not_shown() -> None:
    """Opaque data that proves reasoning belongs back to the provider, not into a log."""
    tokens = [ReasoningDelta("", signature="opaque"), ToolCallDelta(0, signature="opaque")]
    assert "opaque" not in repr(tokens)


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_are_hashable(token: Token) -> None:
    """Tokens are values: equal ones are one in a set."""
    assert len({token, token}) == 1


def test_an_end_with_finishes_is_hashable() -> None:
    """The mapping in an end takes no part in its hash, but does in its equality."""
    one, other = End("stop", finishes={0: Finish("stop")}), End("stop", finishes={})
    assert hash(one) == hash(other)
    assert one != other


def test_an_end_knows_little_by_default() -> None:
    """What a provider does not say is None, not zero and not empty text."""
    end = End("stop")
    assert (end.raw_finish, end.usage, end.model, end.response_id) == (None, None, None, None)
    assert dict(end.finishes) == {}
    assert Usage() == Usage(None, None, None, None, None, None)
