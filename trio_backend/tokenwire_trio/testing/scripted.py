"""A provider without a network: it answers each call as the next part of a script says.

    provider = ScriptedProvider(
        ScriptedAnswer.failing(NetworkError(message="refused", phase="tcp", sent="nothing")),
        ScriptedAnswer.of("Hel", 0.5, "lo"),
    )

The first call fails, the second one brings two pieces of text with half a second in between. Under
trio's `MockClock` with ``autojump_threshold=0`` no test waits for that half second.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from math import inf
from types import TracebackType
from typing import Final, TypeAlias, final

import attrs
import trio

from tokenwire.completion import Completion, CompletionBuilder
from tokenwire.messages import Message, as_conversation
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import ResponseInfo
from tokenwire.tokens import End, TextDelta, Token
from tokenwire_trio.collected_stream import CollectedStream
from tokenwire_trio.conflict import ConflictDetector

#: What a stream does next: a token comes, an exception is raised, or so many seconds pass
#: (`SILENCE` for a peer that says nothing any more).
Step: TypeAlias = Token | Exception | float

SILENCE: Final = inf

_NOTHING_SET: Final = ProviderConfig()
_SUCCESS: Final = ResponseInfo(status=200)


def _steps(steps: Sequence[Step | str]) -> tuple[Step, ...]:
    for step in steps:
        if isinstance(step, list | tuple):  # what callers without types may write
            raise TypeError('each step is an argument of its own: ScriptedAnswer.of("Hel", "lo")')
    return tuple(TextDelta(step) if isinstance(step, str) else step for step in steps)


@final
@attrs.frozen(kw_only=True)
class ScriptedAnswer:
    """What one call gets.

    Attributes:
        entering: What happens before there is a stream: seconds pass, an exception is raised. An
            exception that is no error of the peer, such as a `LocalProtocolError`, has its place
            here as well.
        stream: What the stream brings, in order. Texts are short for `TextDelta`. After the last
            step it ends as if complete, `End` or not.
        response: What the stream says of the response.
    """

    entering: tuple[Exception | float, ...] = ()
    stream: tuple[Step, ...] = attrs.field(default=(), converter=_steps)
    response: ResponseInfo = _SUCCESS

    @classmethod
    def of(cls, *steps: Step | str) -> ScriptedAnswer:
        """Make an answer of these steps and an `End`."""
        return cls(stream=(*_steps(steps), End("stop", "stop")))

    @classmethod
    def failing(cls, error: Exception, *, after_s: float = 0.0) -> ScriptedAnswer:
        """Make a call fail on entering, after some time."""
        return cls(entering=(after_s, error))


@final
@attrs.define(eq=False)
class ScriptedCall:
    """A call that was made, for tests to look at.

    Attributes:
        messages: What it was asked.
        config: With which settings.
        entered_at: When its block was entered, on trio's clock.
        left_at: When it was left, or entering it failed; None while it is open.
    """

    messages: tuple[Message, ...] = attrs.field(repr=False)
    config: ProviderConfig = attrs.field(repr=False)
    entered_at: float
    left_at: float | None = None


@final
class ScriptedProvider:
    """Answers the first call with the first answer, and so on; a fake for tests.

    Attributes:
        calls: The calls whose blocks were entered, in that order.

    Args:
        answers: One for each call.
        repeat: Begin anew after the last one.

    Raises:
        TypeError: If an answer is something else, such as a text.
    """

    def __init__(self, *answers: ScriptedAnswer, repeat: bool = False) -> None:
        for answer in answers:
            if not isinstance(answer, ScriptedAnswer):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
                raise TypeError(
                    'each answer must be a ScriptedAnswer, such as ScriptedAnswer.of("Hello"), not'
                    f" {type(answer).__name__}"
                )
        self._answers = answers
        self._repeat = repeat
        self.calls: list[ScriptedCall] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {len(self._answers)} answers>"

    @property
    def open_calls(self) -> int:
        """How many blocks are open."""
        return sum(call.left_at is None for call in self.calls)

    def complete(
        self, messages: Sequence[Message], config: ProviderConfig = _NOTHING_SET
    ) -> AbstractAsyncContextManager[ScriptedStream]:
        """Ask for the next answer; see `tokenwire.provider.Provider`.

        Raises:
            AssertionError: On entering, if the script has no more.
        """
        return _ScriptedCompletion(self, as_conversation(messages), config)

    def take_answer(self, call: ScriptedCall) -> ScriptedAnswer:
        """Note a call and return its answer; `complete` is for callers."""
        number = len(self.calls)
        if not self._answers or (number >= len(self._answers) and not self._repeat):
            raise AssertionError(f"the script has no answer for call {number + 1}")
        self.calls.append(call)
        return self._answers[number % len(self._answers)]


@final
class _ScriptedCompletion:
    """The block of one answer."""

    def __init__(
        self, provider: ScriptedProvider, messages: tuple[Message, ...], config: ProviderConfig
    ) -> None:
        self._provider = provider
        self._messages = messages
        self._config = config
        self._call: ScriptedCall | None = None
        self._stream: ScriptedStream | None = None

    async def __aenter__(self) -> ScriptedStream:
        self._call = ScriptedCall(self._messages, self._config, trio.current_time())
        answer = self._provider.take_answer(self._call)
        try:
            await trio.lowlevel.checkpoint()
            for step in answer.entering:
                if isinstance(step, Exception):
                    raise step
                await trio.sleep(step)
        except BaseException:
            self._call.left_at = trio.current_time()
            raise
        self._stream = ScriptedStream(answer)
        return self._stream

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._call is not None
        assert self._stream is not None
        self._call.left_at = trio.current_time()
        await self._stream.aclose()


@final
class ScriptedStream(CollectedStream):
    """One answer that follows its script; see `tokenwire.provider.TokenStream`."""

    def __init__(self, answer: ScriptedAnswer) -> None:
        self._answer = answer
        self._next = 0  # index of the next step
        self._pause_ends_at: float | None = None  # of the step that is a pause, once it began
        self._builder = CompletionBuilder()
        self._closed = trio.Event()
        self._one_reader = ConflictDetector("another task is reading this stream")

    async def __anext__(self) -> Token:
        """Return the next token of the script.

        Raises:
            Exception: What the script says; later calls raise it again.
            StopAsyncIteration: After the last step.
            trio.ClosedResourceError: The stream is closed, or was closed meanwhile.
            trio.BusyResourceError: Another task is waiting for a token.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        with self._one_reader:
            await self._pass_pauses()
        step = self._step()
        if step is None:
            raise StopAsyncIteration
        if isinstance(step, Exception):
            raise step
        assert not isinstance(step, float | int)
        self._next += 1
        self._builder.extend([step])
        return step

    def _step(self) -> Step | None:
        steps = self._answer.stream
        return steps[self._next] if self._next < len(steps) else None

    async def _pass_pauses(self) -> None:
        """Wait for as long as the next steps say; a cancelled wait goes on with the next call."""
        while isinstance(pause := self._step(), float | int):
            if self._pause_ends_at is None:
                self._pause_ends_at = trio.current_time() + pause
            with trio.move_on_at(self._pause_ends_at):
                await self._closed.wait()
            self._check_open()
            self._pause_ends_at = None
            self._next += 1
        self._check_open()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise trio.ClosedResourceError("the stream is closed: it ends with its `async with`")

    async def aclose(self) -> None:
        """Close the stream; a call that waits for a token then raises."""
        self._closed.set()
        await trio.lowlevel.checkpoint()

    @property
    def response(self) -> ResponseInfo:
        """What the script says of the response."""
        return self._answer.response

    def partial(self) -> Completion:
        """Return what has been read so far."""
        return self._builder.completion()
