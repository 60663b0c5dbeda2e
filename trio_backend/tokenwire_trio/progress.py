"""How far a call has come: what an error says about where it happened and what was sent."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeAlias, final

import attrs
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


def _announce(progress: Progress, _: object, phase: Phase) -> Phase:
    if progress.observer is not None and phase != progress.phase:
        progress.observer.begins(phase, progress)
    return phase


@final
@attrs.define
class Progress:
    """Changes as the call goes on.

    Attributes:
        peer: Whom messages name: host and port, or what stands before them.
        phase: What is being done; the observer is told of each change.
        sent: How much of the request has been written.
        setting: Name of the setting that says where the peer is.
        observer: Who watches, if anybody does.
    """

    peer: str
    phase: Phase = attrs.field(default="pool", on_setattr=_announce)
    sent: Sent = "nothing"
    setting: str = attrs.field(default="base_url", kw_only=True)
    observer: Observer | None = attrs.field(default=None, kw_only=True, repr=False)

    def found(self, result: Result) -> None:
        """Show the observer what the phase brought."""
        if self.observer is not None:
            self.observer.finds(result)

    @contextmanager
    def towards(self, peer: str, setting: str) -> Generator[None, None, None]:
        """Name another peer until the block is done; where it fails, that peer is to be named."""
        before = self.peer, self.setting
        self.peer, self.setting = peer, setting
        yield
        self.peer, self.setting = before
