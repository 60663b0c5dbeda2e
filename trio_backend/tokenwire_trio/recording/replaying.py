"""A provider that answers as a recording says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, Literal, TypeAlias, final, get_args

import trio

from tokenwire.endpoint import Deadlines
from tokenwire.errors import LocalProtocolError
from tokenwire.exchange import Events, Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import ResponseInfo
from tokenwire.secret import Secret
from tokenwire.wire import Wire, wire_by_kind
from tokenwire_trio.credentials import Credentials
from tokenwire_trio.deadlines import CallClock
from tokenwire_trio.provider import AnswerBlock
from tokenwire_trio.recording.file_format import RecordedExchange, json_value, read
from tokenwire_trio.recording.replay import Replay
from tokenwire_trio.stream import HTTPTokenStream

#: ``original`` lets every byte come when it came, ``virtual`` at once.
Timing: TypeAlias = Literal["original", "virtual"]

#: ``order`` answers the n-th call with the n-th exchange, ``request`` with the one that was asked
#: the same.
Match: TypeAlias = Literal["order", "request"]

_NOTHING_SET: Final = ProviderConfig()


@final
class Replaying:
    """Answers each call with an exchange of a recording, through the core that reads real answers.

    So tokens, errors, status and rate limits are those of then. Each exchange is played once.

    Args:
        path: A file that `Recording` wrote. It is read at once, and whole.
        timing: ``"original"`` lets every byte come as long after the beginning of the call as it
            did; `trio.testing.MockClock` with ``autojump_threshold=0`` skips the waiting.
            ``"virtual"`` waits for nothing. `ResponseInfo.timings` are those of the recording in
            both cases.
        match: ``"order"`` answers the n-th call that is entered with the n-th exchange that began,
            whatever it asks. ``"request"`` answers it with the first one left whose request has the
            same body; the recording must have been made with prompts.
        defaults: The settings that calls leave unset, for ``match="request"``: those of the
            provider that was recorded.
        wires: Wire formats of others that the recording may be in.

    Raises:
        OSError: If the file cannot be read.
        RecordingError: If it is no recording, or is damaged; names the line.
        ValueError: If there is no such option, or the recording cannot be searched by requests.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timing: Timing = "original",
        match: Match = "order",
        defaults: ProviderConfig = _NOTHING_SET,
        wires: Iterable[Wire] = (),
    ) -> None:
        _check_option("timing", timing, get_args(Timing))
        _check_option("match", match, get_args(Match))
        with Path(path).open("rb") as file:
            exchanges = read(file)
        # What was refused and made again within one call is no answer of a call.
        self._left = [one for one in exchanges if not (one.end and one.end.outcome == "renewed")]
        self._recorded = len(self._left)
        self._timing: Timing = timing
        self._match: Match = match
        self._defaults = defaults
        self._wires = tuple(wires)
        if match == "request" and any(one.request.body is None for one in self._left):
            raise ValueError(
                'match="request" needs a recording that was made with prompts: use match="order"'
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._recorded} exchanges>"

    def complete(
        self, messages: Sequence[Message], config: ProviderConfig = _NOTHING_SET
    ) -> AbstractAsyncContextManager[HTTPTokenStream]:
        """Ask for the answer that was recorded; see `tokenwire.provider.Provider`.

        Raises:
            LocalProtocolError: On entering, if there is none (any more).
            RecordingError: On entering or reading, if lines are missing within it.
            ProviderError: As it came when it was recorded. An exchange that its caller left, or
                whose writer was interrupted, ends in a `NetworkError` that says so.
        """

        def prepare(credential: Secret | None, clock: CallClock) -> ReplayedCall:
            recorded = self._take(messages, config.merged_over(self._defaults))
            return ReplayedCall(Replay(recorded, self._wires), self._timing)

        return AnswerBlock(prepare, Credentials(None, "replaying"), Deadlines())

    def _take(self, messages: Sequence[Message], config: ProviderConfig) -> RecordedExchange:
        for number, recorded in enumerate(self._left):
            if self._match == "order" or self._asks_for(recorded, messages, config):
                return self._left.pop(number)
        if not self._left:
            raise LocalProtocolError(
                f"the recording has no exchange left: all {self._recorded} were played"
            )
        raise LocalProtocolError(
            f"no exchange of the recording that is left was asked this ({len(self._left)} of"
            f" {self._recorded} are left): record again what the program asks now, set defaults to"
            ' those of the recorded provider, or use match="order"'
        )

    def _asks_for(
        self, recorded: RecordedExchange, messages: Sequence[Message], config: ProviderConfig
    ) -> bool:
        wire = wire_by_kind(recorded.request.wire, self._wires)
        encoded = wire.encode(messages, config, recorded.request.quirks)
        return bool(json_value(encoded.body.decode()) == recorded.request.body)


def _check_option(name: str, value: str, values: Iterable[str]) -> None:
    if value not in values:
        raise ValueError(f"{name} must be one of {', '.join(values)}")


@final
class ReplayedCall:
    """A call that is played back; see `tokenwire_trio.stream.OngoingCall`.

    Args:
        replay: What happens.
        timing: Whether it takes time.
    """

    def __init__(self, replay: Replay, timing: Timing) -> None:
        self._replay = replay
        self._timing: Timing = timing
        self._began = trio.current_time()
        self._closed = trio.Event()

    @property
    def exchange(self) -> Exchange:
        """What reads the answer."""
        return self._replay.exchange

    @property
    def response(self) -> ResponseInfo:
        """The response as far as its head has come, with the timings of the recording."""
        return self._replay.response

    @property
    def finished(self) -> bool:
        """Whether the last event has come."""
        return self._replay.over

    async def start(self) -> Events:
        """Play until the answer has begun, or the whole of a refusal has come."""
        events: Events = []
        while not (events or self._replay.begun):
            events = await self._step()
        return events

    async def receive(self) -> Events:
        """Play until something comes of it.

        Raises:
            trio.ClosedResourceError: If the call is closed, or was closed meanwhile.
        """
        while True:
            if events := await self._step():
                return events

    async def _step(self) -> Events:
        if self._timing == "original":
            with trio.move_on_at(self._began + self._replay.next_at):
                await self._closed.wait()
        else:
            await trio.lowlevel.checkpoint()
        if self._closed.is_set():
            raise trio.ClosedResourceError
        return self._replay.step()

    async def settle(self) -> None:
        """Do nothing: there is no connection to give up."""

    async def finish(self) -> None:
        """Do nothing more than `aclose`."""
        await self.aclose()

    async def aclose(self) -> None:
        """End the call; one that waits for what comes next then raises."""
        self._closed.set()
        await trio.lowlevel.cancel_shielded_checkpoint()
