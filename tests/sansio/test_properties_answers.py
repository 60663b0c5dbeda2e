"""Properties of answers of every wire format, from bytes to tokens through a whole `Exchange`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from fuzz.exchanges import SMALL_LIMITS, Ending, Outcome, Response, outcome_of
from fuzz.invariants import check_memory, check_outcome, check_same_events
from tests.answer_streams import ANSWER_STREAMS, AnswerStream, Said
from tests.answer_streams.failures import FAILURES, OTHER_BODIES
from tests.strategies import chunkings, few_examples_each, mutated
from tokenwire.completion import Choice
from tokenwire.errors import MalformedResponseError
from tokenwire.tokens import End, ReasoningDelta, ToolCallDelta, Usage
from tokenwire.wire import WIRE_KINDS

_BROKEN: tuple[Ending, ...] = ("cut", "failure")

every_wire = pytest.mark.parametrize("wire", WIRE_KINDS)


def _answers(wire: str) -> SearchStrategy[Response]:
    """Give whole answers as responses."""
    return ANSWER_STREAMS[wire].map(lambda stream: Response(stream.body, wire=wire))


def _damaged(wire: str) -> SearchStrategy[Response]:
    bodies = ANSWER_STREAMS[wire].map(lambda stream: stream.body)
    return mutated(bodies).map(lambda body: Response(body, wire=wire))


def test_there_are_answers_and_failures_for_every_wire_format() -> None:
    """A new wire format needs strategies, too."""
    kinds = set(WIRE_KINDS)
    assert ANSWER_STREAMS.keys() == FAILURES.keys() == OTHER_BODIES.keys() == kinds


# What is sent is what is read


@every_wire
@few_examples_each
@given(data=st.data())
def test_what_is_sent_is_what_is_read(wire: str, data: DataObject) -> None:
    """Every spelling, framing and cut of an answer gives its text, calls, ends and usage."""
    stream: AnswerStream = data.draw(ANSWER_STREAMS[wire])
    outcome = outcome_of(Response(stream.body, wire=wire), data.draw(chunkings(stream.body)))
    end = outcome.events[-1]
    assert isinstance(end, End)
    assert end.finishes == {index: said.finish for index, said in stream.choices.items()}
    assert _counts(end.usage) == stream.usage
    read = {choice.index: choice for choice in outcome.partial.choices}
    assert read.keys() <= stream.choices.keys()
    for index, said in stream.choices.items():
        _check_choice(read.get(index) or Choice(index=index), said)
        if said.signatures is not None:
            _check_signatures(_signatures(outcome, index), said.signatures)


def _counts(usage: Usage | None) -> tuple[int | None, int | None, int | None]:
    if usage is None:
        return None, None, None
    return usage.input_tokens, usage.output_tokens, usage.total_tokens


def _check_choice(read: Choice, said: Said) -> None:
    assert read.text == said.text
    assert read.reasoning == said.reasoning
    assert read.refusal == said.refusal
    assert len(read.tool_calls) == len(said.calls)
    for call, sent in zip(read.tool_calls, said.calls, strict=True):
        assert call.id == sent.id if sent.id is not None else call.id
        assert call.name == sent.name
        assert _same_value(call.arguments) == _same_value(sent.arguments)
    made_up = {
        call.id for call, sent in zip(read.tool_calls, said.calls, strict=True) if sent.id is None
    }
    assert len(made_up) == [sent.id for sent in said.calls].count(None)


def _same_value(arguments: str) -> Any:
    """Return what arguments mean, where they are JSON: some wire formats write it anew."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _signatures(outcome: Outcome, choice: int) -> list[str]:
    signed = [e for e in outcome.events if isinstance(e, ReasoningDelta | ToolCallDelta)]
    return [e.signature for e in signed if e.signature is not None and e.choice == choice]


def _check_signatures(read: list[str], sent: tuple[str, ...]) -> None:
    assert len(read) == len(sent)
    assert all(signature in packed for signature, packed in zip(sent, read, strict=True))


# What is broken off, and what fails


@every_wire
@few_examples_each
@given(data=st.data())
def test_half_an_answer_is_never_a_success(wire: str, data: DataObject) -> None:
    """A body that ends before its terminal marker is malformed, or a network error if cut."""
    stream: AnswerStream = data.draw(ANSWER_STREAMS[wire])
    body = stream.body[: data.draw(st.integers(0, stream.marker))]
    ended = outcome_of(Response(body, wire=wire))
    assert isinstance(ended.error, MalformedResponseError)
    check_outcome(ended, Response(body, wire=wire))
    cut = outcome_of(Response(body, ending="cut", wire=wire))
    assert cut.error is not None
    assert cut.error.label == "network"
    assert cut.error.tokens_emitted == len(cut.events) - 1


@every_wire
@few_examples_each
@given(data=st.data())
def test_a_whole_answer_outlives_its_connection(wire: str, data: DataObject) -> None:
    """Behind the terminal marker, the tokens and their end don't depend on how the body ends."""
    stream: AnswerStream = data.draw(ANSWER_STREAMS[wire])
    body = stream.body + b"\n\n"
    clean = outcome_of(Response(body, wire=wire))
    ending: Ending = data.draw(st.sampled_from(_BROKEN))
    broken = outcome_of(Response(body, ending=ending, wire=wire))
    check_same_events(broken.events, clean.events)


@every_wire
@few_examples_each
@given(data=st.data())
def test_a_failure_in_mid_answer_is_the_kind_it_is(wire: str, data: DataObject) -> None:
    """Behind any number of events, an error in any shape ends the answer with its kind."""
    stream: AnswerStream = data.draw(ANSWER_STREAMS[wire])
    message, label = data.draw(st.sampled_from(FAILURES[wire]))
    # Between two blocks: a BOM, comments and events come before, everything else behind.
    before, behind = stream.body[: stream.marker], stream.body[stream.marker :]
    response = Response(before + message + behind, wire=wire)
    outcome = outcome_of(response, data.draw(chunkings(response.body)))
    assert outcome.error is not None
    assert outcome.error.label == label
    cut = outcome_of(Response(before, ending="cut", wire=wire))
    assert outcome.events[:-1] == cut.events[:-1]
    check_outcome(outcome, response)


@every_wire
@few_examples_each
@given(data=st.data())
def test_a_body_that_is_no_stream_is_the_failure_it_is(wire: str, data: DataObject) -> None:
    """Errors as documents, web pages, text and nothing at all, however they come."""
    body, label = data.draw(st.sampled_from(OTHER_BODIES[wire]))
    response = Response(body, wire=wire)
    outcome = outcome_of(response, data.draw(chunkings(body)))
    assert outcome.error is not None
    assert outcome.error.label == label
    check_outcome(outcome, response)


# Damage, and limits


@every_wire
@few_examples_each
@given(data=st.data())
def test_damage_breaks_no_invariant(wire: str, data: DataObject) -> None:
    """Whatever is left of an answer, events are well formed and the same for any cuts."""
    response: Response = data.draw(_damaged(wire))
    whole = outcome_of(response)
    check_outcome(whole, response)
    split = outcome_of(response, data.draw(chunkings(response.body)))
    check_same_events(split.events, whole.events)
    assert split.partial == whole.partial


@every_wire
@few_examples_each
@given(data=st.data())
def test_limits_do_not_depend_on_the_cuts(wire: str, data: DataObject) -> None:
    """With limits that this input does reach, all of that holds too, and memory is bounded."""
    response: Response = data.draw(_damaged(wire) | _answers(wire))
    whole = outcome_of(response, limits=SMALL_LIMITS)
    check_outcome(whole, response)
    split = outcome_of(response, data.draw(chunkings(response.body)), SMALL_LIMITS)
    check_same_events(split.events, whole.events)
    assert split.partial == whole.partial
    check_memory(split.exchange, SMALL_LIMITS)
