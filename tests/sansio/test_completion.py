"""Answers put together from their tokens."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import few_examples
from tokenwire.completion import Choice, Completion, CompletionBuilder
from tokenwire.messages import Message, Reasoning, Text, ToolCall
from tokenwire.tokens import (
    End,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Token,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)

END = End("stop", "stop", finishes={0: Finish("stop", "stop")}, usage=Usage(output_tokens=2))


def put_together(*tokens: Token) -> Completion:
    """Build a completion from tokens that come one by one."""
    builder = CompletionBuilder()
    for token in tokens:
        assert builder.extend([token]) == 1
    at_once = CompletionBuilder()
    assert at_once.extend(tokens) == len(tokens)
    assert at_once.completion() == builder.completion()
    return builder.completion()


def test_nothing_makes_an_empty_completion() -> None:
    """Before the first token everything is empty, and nothing fails."""
    completion = put_together()
    assert completion == Completion()
    assert not completion.complete
    assert (completion.text, completion.reasoning, completion.refusal) == ("", "", "")
    assert completion.tool_calls == ()
    assert (completion.finish, completion.usage) == (None, None)
    assert completion.first == Choice(index=0)


def test_text_is_joined() -> None:
    """Deltas become one part."""
    completion = put_together(TextDelta("Hel"), TextDelta("lo"), TextDelta(""), TextDelta("!"))
    assert completion.text == "Hello!"
    assert completion.first.parts == (Text("Hello!"),)


def test_empty_text_makes_no_part() -> None:
    """A delta that only carries log probabilities is no text."""
    assert put_together(TextDelta("")).first.parts == ()


def test_thousands_of_deltas_are_joined_in_order() -> None:
    """However many pieces there are, none is lost where they are joined in between."""
    pieces = [f"{number} " for number in range(2_000)]
    assert put_together(*map(TextDelta, pieces)).text == "".join(pieces)


def test_parts_stay_in_the_order_in_which_they_began() -> None:
    """Reasoning, text and calls alternate as the model alternated."""
    completion = put_together(
        ReasoningDelta("hm"),
        TextDelta("Let me "),
        ToolCallDelta(0, "call_1", "search", '{"q":'),
        TextDelta("see"),
        ToolCallDelta(0, arguments="1}"),
        ReasoningDelta("so"),
    )
    assert completion.first.parts == (
        Reasoning("hm"),
        Text("Let me "),
        ToolCall(id="call_1", name="search", arguments='{"q":1}'),
        Text("see"),
        Reasoning("so"),
    )
    assert completion.text == "Let me see"
    assert completion.reasoning == "hmso"


def test_text_before_reasoning_does_not_swallow_it() -> None:
    """A read that brings both kinds keeps them apart."""
    completion = put_together(TextDelta("a"), TextDelta("b"), ReasoningDelta("c"), TextDelta("d"))
    assert completion.first.parts == (Text("ab"), Reasoning("c"), Text("d"))


def test_a_signature_closes_its_reasoning() -> None:
    """What follows is a block of its own, because it is signed on its own."""
    completion = put_together(
        ReasoningDelta("a"),
        ReasoningDelta("b", signature="one"),
        ReasoningDelta("c"),
        ReasoningDelta("", signature="two"),
    )
    assert completion.first.parts == (Reasoning("ab", "one"), Reasoning("c", "two"))


def test_tool_calls_are_joined_by_index() -> None:
    """Fragments of several calls may interleave."""
    completion = put_together(
        ToolCallDelta(0, "call_a", "f", "{"),
        ToolCallDelta(1, "call_b", "g", "["),
        ToolCallDelta(0, arguments="}"),
        ToolCallDelta(1, arguments="]"),
    )
    assert completion.tool_calls == (
        ToolCall(id="call_a", name="f", arguments="{}"),
        ToolCall(id="call_b", name="g", arguments="[]"),
    )


def test_a_call_keeps_what_it_learnt_first() -> None:
    """Id, name and signature may come on any fragment, and later ones change nothing."""
    completion = put_together(
        ToolCallDelta(0, arguments="{}"),
        ToolCallDelta(0, "call_a", "f", signature="s"),
        ToolCallDelta(0, "call_b", "g", signature="t"),
    )
    assert completion.tool_calls == (
        ToolCall(id="call_a", name="f", arguments="{}", signature="s"),
    )


def test_a_call_without_id_is_named_by_its_index() -> None:
    """Its result needs something to refer to."""
    completion = put_together(ToolCallDelta(0), ToolCallDelta(1, name="f"))
    assert completion.tool_calls == (
        ToolCall(id="call_0", name=""),
        ToolCall(id="call_1", name="f"),
    )


def test_a_refusal_is_no_text() -> None:
    """It stands apart, joined."""
    completion = put_together(RefusalDelta("I can"), RefusalDelta("not."))
    assert (completion.refusal, completion.text) == ("I cannot.", "")


def test_log_probabilities_are_joined() -> None:
    """All of them in order, also those that came without text."""
    one, two = TokenLogprob("a", -0.1), TokenLogprob("b", -0.2)
    completion = put_together(TextDelta("a", 0, (one,)), TextDelta("", 0, (two,)), TextDelta("c"))
    assert completion.first.logprobs == (one, two)
    assert completion.text == "ac"


def test_log_probabilities_behind_text_are_kept() -> None:
    """A delta that continues a text may bring the first ones."""
    one = TokenLogprob("b", -0.1)
    completion = put_together(TextDelta("a"), TextDelta("b", 0, (one,)))
    assert (completion.text, completion.first.logprobs) == ("ab", (one,))


def test_choices_are_kept_apart() -> None:
    """Alternatives come interleaved, and are sorted by their numbers."""
    completion = put_together(
        TextDelta("b", 1),
        TextDelta("a", 0),
        TextDelta("B", 1),
        End("stop", finishes={0: Finish("stop", "stop"), 1: Finish("length", "max")}),
    )
    assert completion.choices == (
        Choice(index=0, parts=(Text("a"),), finish=Finish("stop", "stop")),
        Choice(index=1, parts=(Text("bB"),), finish=Finish("length", "max")),
    )
    assert completion.text == "a"


def test_the_properties_speak_of_choice_0() -> None:
    """Even where only another one said something."""
    completion = put_together(TextDelta("b", 1))
    assert completion.text == ""
    assert completion.first == Choice(index=0)


def test_an_end_makes_it_complete() -> None:
    """With it come the finish reason and the usage."""
    completion = put_together(TextDelta("Hi"), END)
    assert completion.complete
    assert completion.end == END
    assert completion.finish == "stop"
    assert completion.usage == Usage(output_tokens=2)
    assert completion.first.finish == Finish("stop", "stop")


def test_a_choice_that_only_finished_is_a_choice() -> None:
    """An answer may be empty and yet whole."""
    assert put_together(END).choices == (Choice(index=0, finish=Finish("stop", "stop")),)


def test_an_answer_that_broke_off_has_no_finish() -> None:
    """What had come is all there, and says that it is not the end."""
    completion = put_together(TextDelta("Hi"))
    assert not completion.complete
    assert completion.first.finish is None


def test_an_answer_becomes_a_message() -> None:
    """The conversation goes on with what the model said, reasoning and calls included."""
    completion = put_together(ReasoningDelta("hm"), TextDelta("Hi"), ToolCallDelta(0, "1", "f"))
    assert completion.message == Message.assistant(
        Reasoning("hm"), "Hi", ToolCall(id="1", name="f")
    )


def test_a_refusal_becomes_a_message() -> None:
    """Where nothing else was said, the refusal is what was said."""
    assert put_together(RefusalDelta("No.")).message == Message.assistant("No.")
    assert put_together(TextDelta("Hm"), RefusalDelta("No.")).message == Message.assistant("Hm")


def test_an_empty_answer_is_no_message() -> None:
    """There is nothing that could go on."""
    with pytest.raises(ValueError, match="the answer is empty"):
        _ = put_together(END).message


def test_later_tokens_do_not_change_an_earlier_completion() -> None:
    """What `partial` returned stays as it was."""
    builder = CompletionBuilder()
    builder.extend([TextDelta("a")])
    before = builder.completion()
    builder.extend([TextDelta("b")])
    assert (before.text, builder.completion().text) == ("a", "ab")


BLOCK = 1024  # what a part costs besides its text
LOGPROB = TokenLogprob("a", -0.1, (("a", -0.1), ("b", -2.0)))

COSTS: list[tuple[list[Token], int]] = [
    ([TextDelta("abc")], BLOCK + 3),
    ([TextDelta("abc"), TextDelta("d")], BLOCK + 4),
    ([TextDelta("é")], BLOCK + 4),
    ([TextDelta("a"), TextDelta("é")], BLOCK + 5),
    ([TextDelta("", 0, (LOGPROB,))], 3 * 256),
    ([TextDelta("a", 0, (LOGPROB, TokenLogprob("b", 0)))], BLOCK + 1 + 4 * 256),
    ([ReasoningDelta("abc", signature="de")], BLOCK + 5),
    ([RefusalDelta("abc")], 3),
    ([ToolCallDelta(0, "ab", "c", "defg", signature="h")], BLOCK + 8),
    ([ToolCallDelta(0, arguments="a"), ToolCallDelta(0, arguments="b")], BLOCK + 2),
    ([TextDelta("a"), ReasoningDelta("b"), TextDelta("c")], 3 * BLOCK + 3),
    ([TextDelta("a", 0), TextDelta("b", 1)], 2 * BLOCK + 2),
    ([TextDelta("a"), END], BLOCK + 1),
]


@pytest.mark.parametrize(("tokens", "cost"), COSTS)
def test_what_is_kept_stays_within_the_bound(tokens: list[Token], cost: int) -> None:
    """All tokens are taken where the bound is exactly their cost."""
    assert CompletionBuilder(cost).extend(tokens) == len(tokens)


@pytest.mark.parametrize(("tokens", "cost"), [(t, c) for t, c in COSTS if t[-1] is not END])
def test_the_token_that_passes_the_bound_is_not_taken(tokens: list[Token], cost: int) -> None:
    """One byte less, and the last token is one too many."""
    assert CompletionBuilder(cost - 1).extend(tokens) == len(tokens) - 1


def test_the_bound_counts_over_calls() -> None:
    """It does not matter in how many reads the tokens come."""
    builder = CompletionBuilder(BLOCK + 3)
    assert builder.extend([TextDelta("a")]) == 1
    assert builder.extend([TextDelta("b"), TextDelta("c")]) == 2
    assert builder.extend([TextDelta("d"), TextDelta("e")]) == 0


def test_the_bound_is_found_in_the_middle_of_a_read() -> None:
    """Those before it are taken."""
    builder = CompletionBuilder(BLOCK + 3)
    assert builder.extend([TextDelta("a")]) == 1
    assert builder.extend([TextDelta("b"), TextDelta("c"), TextDelta("d")]) == 2


def test_without_a_bound_everything_is_taken() -> None:
    """A program that puts tokens together itself has its own."""
    builder = CompletionBuilder()
    assert builder.extend([TextDelta("x" * 1_000_000)] * 10) == 10


def test_the_repr_of_a_completion_shows_no_content() -> None:
    """An answer quotes its prompt."""
    completion = put_together(TextDelta("the secret recipe"), END)
    assert not re.search("secret recipe", repr(completion))


def test_types_are_hashable_where_they_can_be() -> None:
    """Completions are values."""
    completion: Any = put_together(TextDelta("a"), END)
    assert hash(completion) == hash(put_together(TextDelta("a"), END))


@pytest.mark.parametrize("text", ["ab", "äb", "ä", "😀", "\ud83d"])
def test_text_costs_the_same_alone_and_among_others(text: str) -> None:
    """Where an answer is cut off does not depend on how many tokens a read brings."""
    tokens = [TextDelta(text)] * 50
    for bound in range(1024, 1064):
        together, alone = CompletionBuilder(bound), CompletionBuilder(bound)
        first = together.extend(tokens[:1])
        taken = first + together.extend(tokens[1:]) if first else 0
        assert taken == sum(alone.extend([token]) for token in tokens)
        assert together.completion() == alone.completion()


_TOKENS: tuple[Token, ...] = (
    TextDelta("a"),
    TextDelta(""),
    TextDelta("b", 1),
    TextDelta("c", logprobs=(TokenLogprob("c", -1.0),)),
    ReasoningDelta("d"),
    ReasoningDelta("e", 1),
    ReasoningDelta("f", signature="s"),
    RefusalDelta("g"),
    ToolCallDelta(0, "i", "n", "h"),
)


def _times(token: Token, count: int) -> list[Token]:
    return [token] * count


_reads = st.lists(
    st.builds(_times, st.sampled_from(_TOKENS), st.integers(1, 3))
    | st.lists(st.sampled_from(_TOKENS), max_size=3),
    max_size=8,
)


@few_examples
@given(_reads, st.integers(0, 5000) | st.none())
def test_reads_make_what_their_tokens_make(reads: list[list[Token]], bound: int | None) -> None:
    """However many tokens a read brings, and where the bound lies: the answer is the same."""
    together, alone = CompletionBuilder(bound), CompletionBuilder(bound)
    for read in reads:
        taken = together.extend(read)
        one_by_one = 0
        for token in read:
            if not alone.extend([token]):
                break
            one_by_one += 1
        assert taken == one_by_one
        assert together.completion() == alone.completion()
        if taken < len(read):
            return
