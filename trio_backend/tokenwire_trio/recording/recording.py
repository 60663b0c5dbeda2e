"""A provider whose exchanges are written to a file, so that a report of a bug is a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Final, final

from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio.provider import HTTPProvider
from tokenwire_trio.recording.tape import Tape
from tokenwire_trio.stream import HTTPTokenStream

_NOTHING_SET: Final = ProviderConfig()


@final
class Recording:
    """Wraps a provider, and writes each of its exchanges to a file while it happens.

    `Replaying` plays the file back, ``tokenwire decode`` prints it. docs/how-to/recording.md
    describes the format.

    What is written holds no credential: neither where it was sent, nor where the server sends it
    back. It does hold the conversation, so the file is made for its owner's eyes only.

    Lines are added to what the file holds. Each is written at once, by any number of calls and
    programs side by side, so that a crash loses little. Writing takes no turn of other tasks, like
    logging to a file.

    Args:
        provider: Whoever answers, over HTTP or sockets. Who opened it closes it. `Retrying`,
            `Fallback` and `Limited` go around the recording, so that it has each of their attempts.
        path: The file.
        prompts: Whether to keep the body of requests. Answers are always kept: they are what a
            recording is for.

    Raises:
        TypeError: If the provider is none that bytes go through.
    """

    __slots__ = ("_path", "_prompts", "_provider")

    def __init__(
        self, provider: HTTPProvider, path: str | os.PathLike[str], *, prompts: bool = True
    ) -> None:
        if not isinstance(provider, HTTPProvider):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
            raise TypeError(
                f"Recording wraps an HTTPProvider, not {type(provider).__name__}: put what wraps"
                " it in turn around the Recording"
            )
        self._provider = provider
        self._path = Path(path)
        self._prompts = prompts

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._provider!r}>"

    def complete(
        self, messages: Sequence[Message], config: ProviderConfig = _NOTHING_SET
    ) -> AbstractAsyncContextManager[HTTPTokenStream]:
        """Ask for an answer, and record it; see `HTTPProvider.complete`.

        Returns:
            A context manager in which the provider's own stream lives.

        Raises:
            OSError: On entering if the file cannot be written; on leaving, if not all of it could
                be. The answer itself is not touched by that.
        """
        tape = Tape(self._path, prompts=self._prompts)
        return _RecordedBlock(self._provider.complete(messages, config, tap=tape.record), tape)


@final
class _RecordedBlock:
    """The block of one answer."""

    __slots__ = ("_block", "_tape")

    def __init__(self, block: AbstractAsyncContextManager[HTTPTokenStream], tape: Tape) -> None:
        self._block = block
        self._tape = tape

    async def __aenter__(self) -> HTTPTokenStream:
        try:
            return await self._block.__aenter__()
        except BaseException as error:
            self._tape.close(error)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        try:
            # The wrapped block sees to its own end under cancellation.
            left = await self._block.__aexit__(kind, error, traceback)  # noqa: ASYNC102
        except BaseException:
            self._tape.close(error)
            raise
        failure = self._tape.close(error)
        if failure is not None and error is None:
            raise failure
        return left
