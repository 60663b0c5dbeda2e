"""How far a call has come: what an error says about where it happened and what was sent."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeAlias, final

import trio

from tokenwire.errors import Phase, Sent
from tokenwire_trio.tcp import Address
from tokenwire_trio.tls_stream import TLSStream

#: What a phase may bring: the addresses of a name, a connection, TLS over one.
Result: TypeAlias = Sequence[Address] | trio.SocketStream | TLSStream


class Observer(Protocol):
    """Watches calls from the outside, to tell where their time goes.

    It must not raise: that would pass for a failure of the network.
    """

    def begins(self, phase: Phase, progress: Progress) -> None:
        """Take note that a phase is about to begin."""
        ...

    def finds(self, result: Result) -> None:
        """Take note of what a phase brought."""
        ...


@final
class Progress:
    """Changes as the call goes on.

    Args:
        peer: Whom messages name: host and port, or what stands before them.
        phase: What is being done.
        sent: How much of the request has been written.
        observer: Who watches, if anybody does.

    Attributes:
        setting: Name of the setting that says where the peer is.
    """

    __slots__ = ("_observer", "_phase", "peer", "sent", "setting")

    def __init__(
        self,
        peer: str,
        phase: Phase = "pool",
        sent: Sent = "nothing",
        *,
        observer: Observer | None = None,
    ) -> None:
        self.peer: str = peer
        self.sent: Sent = sent
        self.setting: str = "base_url"
        self._phase: Phase = phase
        self._observer = observer

    @property
    def phase(self) -> Phase:
        """What is being done; the observer is told of each change."""
        return self._phase

    @phase.setter
    def phase(self, phase: Phase) -> None:
        if self._observer is not None and phase != self._phase:
            self._observer.begins(phase, self)
        self._phase = phase

    def found(self, result: Result) -> None:
        """Show the observer what the phase brought."""
        if self._observer is not None:
            self._observer.finds(result)

    @contextmanager
    def towards(self, peer: str, setting: str) -> Generator[None, None, None]:
        """Name another peer until the block is done; where it fails, that peer is to be named."""
        before = self.peer, self.setting
        self.peer, self.setting = peer, setting
        yield
        self.peer, self.setting = before
