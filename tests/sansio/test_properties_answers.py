"""Properties of answers, from bytes to tokens through a whole `Exchange`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fuzz.exchanges import SMALL_LIMITS, Ending, Response, outcome_of
from fuzz.invariants import check_memory, check_outcome, check_same_events
from tests.strategies import (
    FINISHES,
    ChatStream,
    chat_streams,
    chunkings,
    failures,
    few_examples,
    mended,
    mutated,
    other_bodies,
)
from tokenwire.completion import Choice
from tokenwire.errors import MalformedResponseError
from tokenwire.tokens import End, Finish, Usage

streams_in_pieces = chat_streams().flatmap(
    lambda stream: st.tuples(st.just(stream), chunkings(stream.body))
)
_BROKEN: tuple[Ending, ...] = ("cut", "failure")
damaged_bodies = mutated(chat_streams().map(lambda stream: stream.body))


@few_examples
@given(streams_in_pieces)
def test_what_is_sent_is_what_is_read(case: tuple[ChatStream, list[bytes]]) -> None:
    """Every spelling, framing and cut of an answer gives its text, calls, ends and usage."""
    stream, pieces = case
    outcome = outcome_of(Response(stream.body), pieces)
    end = outcome.events[-1]
    assert isinstance(end, End)
    expected = {
        index: Finish(FINISHES[choice.finish], choice.finish)
        for index, choice in enumerate(stream.choices)
    }
    assert end.finishes == expected
    assert _counts(end.usage) == stream.usage
    for read, sent in zip(outcome.partial.choices, stream.choices, strict=True):
        assert read.text == sent.joined("text")
        assert read.reasoning == sent.joined("reasoning")
        assert read.refusal == sent.joined("refusal")
        assert _calls(read) == [
            (call.id, call.name, mended("".join(call.arguments))) for call in sent.calls
        ]


def _counts(usage: Usage | None) -> tuple[int | None, int | None, int | None]:
    if usage is None:
        return None, None, None
    return usage.input_tokens, usage.output_tokens, usage.total_tokens


def _calls(choice: Choice) -> list[tuple[str, str, str]]:
    return [(call.id, call.name, call.arguments) for call in choice.tool_calls]


@few_examples
@given(chat_streams(), st.data())
def test_half_an_answer_is_never_a_success(stream: ChatStream, data: st.DataObject) -> None:
    """A body that ends before its terminal marker is malformed, or a network error if cut."""
    body = stream.body[: data.draw(st.integers(0, stream.marker))]
    ended = outcome_of(Response(body))
    assert isinstance(ended.error, MalformedResponseError)
    check_outcome(ended, Response(body))
    cut = outcome_of(Response(body, ending="cut"))
    assert cut.error is not None
    assert cut.error.label == "network"
    assert cut.error.tokens_emitted == len(cut.events) - 1


@few_examples
@given(chat_streams(), st.data())
def test_a_whole_answer_outlives_its_connection(stream: ChatStream, data: st.DataObject) -> None:
    """Behind the terminal marker, the tokens and their end don't depend on how the body ends."""
    clean = outcome_of(Response(stream.body + b"\n\n"))
    ending: Ending = data.draw(st.sampled_from(_BROKEN))
    broken = outcome_of(Response(stream.body + b"\n\n", ending=ending))
    check_same_events(broken.events, clean.events)


@few_examples
@given(chat_streams(), failures, st.data())
def test_a_failure_in_mid_answer_is_the_kind_it_is(
    stream: ChatStream, failure: tuple[bytes, str], data: st.DataObject
) -> None:
    """Behind any number of chunks, an error in any shape ends the answer with its kind."""
    message, label = failure
    # Between two blocks: a BOM, comments and chunks come before, everything else behind.
    before = outcome_of(Response(stream.body[: stream.marker], ending="cut"))
    response = Response(stream.body[: stream.marker] + message + stream.body[stream.marker :])
    outcome = outcome_of(response, data.draw(chunkings(response.body)))
    assert outcome.error is not None
    assert outcome.error.label == label
    assert outcome.events[:-1] == before.events[:-1]
    check_outcome(outcome, response)


@few_examples
@given(other_bodies, st.data())
def test_a_body_that_is_no_stream_is_the_failure_it_is(
    case: tuple[bytes, str], data: st.DataObject
) -> None:
    """Errors as documents, web pages, text and nothing at all, however they come."""
    body, label = case
    response = Response(body)
    outcome = outcome_of(response, data.draw(chunkings(body)))
    assert outcome.error is not None
    assert outcome.error.label == label
    check_outcome(outcome, response)


@few_examples
@given(damaged_bodies, st.data())
def test_damage_breaks_no_invariant(body: bytes, data: st.DataObject) -> None:
    """Whatever is left of an answer, events are well formed and the same for any cuts."""
    response = Response(body)
    whole = outcome_of(response)
    check_outcome(whole, response)
    split = outcome_of(response, data.draw(chunkings(body)))
    check_same_events(split.events, whole.events)
    assert split.partial == whole.partial


@few_examples
@given(damaged_bodies | chat_streams().map(lambda stream: stream.body), st.data())
def test_limits_do_not_depend_on_the_cuts(body: bytes, data: st.DataObject) -> None:
    """With limits that this input does reach, all of that holds too, and memory is bounded."""
    response = Response(body)
    whole = outcome_of(response, limits=SMALL_LIMITS)
    check_outcome(whole, response)
    split = outcome_of(response, data.draw(chunkings(body)), SMALL_LIMITS)
    check_same_events(split.events, whole.events)
    assert split.partial == whole.partial
    check_memory(split.exchange, SMALL_LIMITS)
