"""`Exchange` through every order of calls, legal or not, against a model of its documentation.

The model is the same for every wire format; what differs is the words in which a server says that
the answer goes on, is complete, or has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, final

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fuzz.exchanges import KEY, Event
from fuzz.invariants import check_events
from tests.split_points import EXHAUSTIVE
from tokenwire.endpoint import Endpoint
from tokenwire.errors import LocalProtocolError, MalformedResponseError, NetworkError, ProviderError
from tokenwire.exchange import TRANSITIONS, Exchange, State
from tokenwire.messages import Message, ToolResult
from tokenwire.provider_config import ProviderConfig
from tokenwire.secret import Secret
from tokenwire.tokens import End, TextDelta
from tokenwire.wire import WIRE_KINDS, wire_by_kind


@final
@attrs.frozen(kw_only=True)
class Words:
    """What a server says in a wire format.

    Attributes:
        text: Adds "hi" to the answer.
        finish: Completes the answer, whose end still waits; None where nothing does so.
        done: Ends the answer; None where the end of the body does so alone.
        error: Fails.
    """

    text: bytes
    finish: bytes | None
    done: bytes | None
    error: bytes


_CHAT: Final = Words(
    text=b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n',
    finish=b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    done=b"data: [DONE]\n\n",
    error=b'data: {"error":{"message":"m","code":"invalid_api_key"}}\n\n',
)
WORDS: Final = {
    "openai-chat": _CHAT,
    "azure-chat": _CHAT,
    "openai-responses": Words(
        text=b'data: {"type":"response.output_text.delta","delta":"hi"}\n\n',
        finish=None,
        done=b'data: {"type":"response.completed","response":{}}\n\n',
        error=b'data: {"type":"error","message":"m","code":"invalid_api_key"}\n\n',
    ),
    "anthropic": Words(
        text=b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}\n\n',
        finish=b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n',
        done=b'data: {"type":"message_stop"}\n\n',
        error=b'data: {"type":"error","error":{"type":"overloaded_error"}}\n\n',
    ),
    "ollama": Words(
        text=b'{"message":{"content":"hi"},"done":false}\n',
        finish=None,
        done=b'{"done":true,"done_reason":"stop"}\n',
        error=b'{"error":"m"}\n',
    ),
    "gemini": Words(
        text=b'data: {"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}\n\n',
        finish=b'data: {"candidates":[{"finishReason":"STOP"}]}\n\n',
        done=None,
        error=b'data: {"error":{"code":503,"message":"m"}}\n\n',
    ),
}
_CONFIG: Final = ProviderConfig(model="m", max_output_tokens=9)
_FINAL: Final = (State.DONE, State.FAILED)
_BEGUN: Final = (State.SENT, State.STREAMING, *_FINAL)


class ExchangeMachine(RuleBasedStateMachine):
    """Calls everything at any time; `state` is what the documentation says must come of it."""

    wire: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.words = WORDS[self.wire]
        endpoint = Endpoint(base_url="https://host.example/v1", credential=Secret(KEY))
        self.exchange = Exchange(wire_by_kind(self.wire), endpoint)
        self.state = State.IDLE
        self.events: list[Event] = []
        self.succeeded = False  # the head was that of an answer, not of a failure
        self.complete = False  # a finish reason has come

    def _call(self, legal_in: Sequence[State], call: Callable[[], list[Event]]) -> list[Event]:
        """Make a call; out of order it must raise, and change nothing."""
        if self.state in legal_in:
            events = call()
            self.events += events
            return events
        with pytest.raises(LocalProtocolError, match=self.state.name) as raised:
            call()
        assert KEY not in str(raised.value)
        return []

    @rule()
    def send(self) -> None:
        """A request can be made once."""

        def call() -> list[Event]:
            assert self.exchange.send([Message.user("hi")], _CONFIG).method == "POST"
            return []

        self._call([State.IDLE], call)
        self.state = State.SENT if self.state is State.IDLE else self.state

    @precondition(lambda self: self.state is State.IDLE)
    @rule()
    def send_what_cannot_be_sent(self) -> None:
        """A request that can't be made leaves the exchange as it was."""
        misplaced = Message("user", (ToolResult(call_id="a", text="b"),))
        for messages in ([], [misplaced]):
            with pytest.raises(LocalProtocolError):
                self.exchange.send(messages, _CONFIG)

    @rule(status=st.sampled_from((100, 103, 199)))
    def receive_informational_head(self, status: int) -> None:
        """An informational head changes nothing."""
        events = self._call([State.SENT], lambda: self.exchange.receive_head(status, []))
        assert events == []

    @rule(status=st.sampled_from((200, 299, 302, 404, 500)))
    def receive_head(self, status: int) -> None:
        """The head begins the body, of an answer or of a failure."""
        events = self._call([State.SENT], lambda: self.exchange.receive_head(status, []))
        assert events == []
        if self.state is State.SENT:
            self.state = State.STREAMING
            self.succeeded = 200 <= status < 300

    @rule()
    def receive_compressed_head(self) -> None:
        """A body that nobody here can read is a failure at once."""
        headers = [("Content-Encoding", "gzip")]
        events = self._call([State.SENT], lambda: self.exchange.receive_head(200, headers))
        if self.state is State.SENT:
            [error] = events
            assert isinstance(error, MalformedResponseError)
            assert error.reason == "content_encoding"
            self.state = State.FAILED

    def _receive(self, data: bytes) -> list[Event]:
        legal = [State.STREAMING, *_FINAL]
        events = self._call(legal, lambda: self.exchange.receive_data(data))
        if self.state in _FINAL or not self.succeeded:
            assert events == []  # too late, or the body of a failure, which is read to its end
            return []
        return events if self.state is State.STREAMING else []

    @rule()
    def receive_nothing(self) -> None:
        """An empty read means nothing."""
        assert self._receive(b"") == []

    @rule()
    def receive_text(self) -> None:
        """Text comes out as it is."""
        assert self._receive(self.words.text) in ([], [TextDelta("hi")])

    @precondition(lambda self: self.words.finish is not None)
    @rule()
    def receive_finish(self) -> None:
        """A finish reason completes the answer, whose end still waits for the usage."""
        assert self.words.finish is not None
        assert self._receive(self.words.finish) == []
        if self.state is State.STREAMING:
            self.complete = self.complete or self.succeeded

    @precondition(lambda self: self.words.done is not None)
    @rule()
    def receive_done(self) -> None:
        """The mark of the end ends the answer."""
        assert self.words.done is not None
        for event in self._receive(self.words.done):
            assert isinstance(event, End)
            self.state = State.DONE

    @rule()
    def receive_error(self) -> None:
        """An error ends it, too."""
        for event in self._receive(self.words.error):
            assert isinstance(event, ProviderError)
            self.state = State.FAILED

    @rule(clean=st.booleans())
    def receive_eof(self, clean: bool) -> None:
        """The end of the body ends the exchange in any state but IDLE."""
        events = self._call(_BEGUN, lambda: self.exchange.receive_eof(clean))
        self._end(events)
        if events and not clean and self.succeeded and not self.complete:
            assert isinstance(events[-1], NetworkError)

    @rule()
    def receive_failure(self) -> None:
        """So does a failure of the transport."""
        failure = NetworkError(phase="body", message="reset", timeout="gap")
        events = self._call(_BEGUN, lambda: self.exchange.receive_failure(failure))
        self._end(events)
        if (
            events
            and not self.complete
            and (self.succeeded or self.exchange.response.status is None)
        ):
            assert isinstance(events[-1], NetworkError)
            assert events[-1].timeout == "gap"

    def _end(self, events: list[Event]) -> None:
        if self.state in (State.SENT, State.STREAMING):
            [last] = events
            assert isinstance(last, End) == self.complete
            self.state = State.DONE if self.complete else State.FAILED
        else:
            assert events == []

    @invariant()
    def the_state_is_the_documented_one(self) -> None:
        """Also what is derived from it, and from all that has come out."""
        assert self.exchange.state is self.state
        assert self.exchange.complete == (
            self.state is State.DONE or (self.complete and self.state is State.STREAMING)
        )
        check_events(self.events)
        ends = [event for event in self.events if isinstance(event, End | ProviderError)]
        assert len(ends) == (self.state in _FINAL)
        assert ends == self.events[len(self.events) - len(ends) :]
        text = "".join(event.text for event in self.events if isinstance(event, TextDelta))
        assert self.exchange.partial().text == text


_SETTINGS: Final = settings(
    max_examples=1_000 if EXHAUSTIVE else 20, stateful_step_count=15, deadline=None
)


@pytest.mark.parametrize("wire", WIRE_KINDS)
def test_an_exchange_is_as_documented_in_any_order_of_calls(wire: str) -> None:
    """States, events and refusals are those of the model."""
    run_state_machine_as_test(_machine_of(wire), settings=_SETTINGS)


def _machine_of(kind: str) -> type[ExchangeMachine]:
    class Machine(ExchangeMachine):
        wire = kind

    return Machine


def test_the_published_transitions_are_closed() -> None:
    """Every target is a state, the last two are for good, and no state is out of reach."""
    targets = {target for steps in TRANSITIONS.values() for target in steps.values()}
    assert targets | {"IDLE"} == set(TRANSITIONS) == {state.name for state in State}
    for state in _FINAL:
        assert set(TRANSITIONS[state.name].values()) == {state.name}
