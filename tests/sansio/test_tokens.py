"""The vocabulary of an answer."""

import gc

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
    assert not any("opaque" in pair for token in tokens for pair in token.__rich_repr__())


def test_a_token_that_may_be_signed_shows_everything_else() -> None:
    """What is hidden is the signature alone."""
    assert repr(ReasoningDelta("b", 2)) == "ReasoningDelta(text='b', choice=2)"


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_do_not_change(token: Token) -> None:
    """A token is a fact: whoever gets it later sees what came."""
    with pytest.raises(AttributeError, match="immutable"):
        setattr(token, token.__struct_fields__[0], "other")


@pytest.mark.parametrize("token", TOKENS[:-1])
def test_the_garbage_collector_has_nothing_to_do_with_deltas(token: Token) -> None:
    """A list of a million of them makes no collection slower."""
    assert not gc.is_tracked(token)


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
