"""Calls that are recorded on the way, and played back: the recording must say the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

import attrs
import trio

from tests.trio_backend.socket_servers import HELLO
from tokenwire.errors import ProviderError
from tokenwire.messages import Message
from tokenwire.provider import Provider
from tokenwire.response import ResponseInfo, Timings
from tokenwire.secret import REDACTED
from tokenwire.tokens import Token
from tokenwire_trio import HTTPProvider, Recording, Replaying


@final
@attrs.define
class Told:
    """All that a caller is told.

    Attributes:
        response: As the answer began, None if it did not.
        tokens: Of the answer.
        error: What it failed with.
        times: When each of these came, in seconds since the call began.
    """

    response: ResponseInfo | None = None
    tokens: list[Token] = attrs.field(factory=list[Token])
    error: ProviderError | None = None
    times: list[float] = attrs.field(factory=list[float])

    @property
    def facts(self) -> tuple[object, ...]:
        """What is the same each time the same happens."""
        response = self.response and attrs.evolve(self.response, timings=Timings())
        return response, self.tokens, self.error and _lasting_facts(self.error)

    @property
    def text(self) -> str:
        """The text, if the answer is whole.

        Raises:
            ProviderError: It failed.
        """
        if self.error is not None:
            raise self.error
        return "".join(token.text for token in self.tokens)


def _lasting_facts(error: ProviderError) -> dict[str, Any]:
    facts = error.facts()
    # An excerpt is cut to its length before its secrets are taken out, and in a recording after.
    if REDACTED in str(facts.get("excerpt")):
        del facts["excerpt"]
    return facts


async def told(provider: Provider, messages: Sequence[Message] = HELLO) -> Told:
    """Make a call and read its answer as far as it goes."""
    told = Told()
    began = trio.current_time()
    try:
        async with provider.complete(messages) as stream:
            told.response = stream.response
            told.times.append(trio.current_time() - began)
            async for token in stream:
                told.tokens.append(token)
                told.times.append(trio.current_time() - began)
    except ProviderError as error:
        told.error = error
        told.times.append(trio.current_time() - began)
    return told


async def text_played_back(provider: HTTPProvider, messages: Sequence[Message] = HELLO) -> str:
    """Make a call, and return its answer's text, which a recording of it repeats without secrets.

    Raises:
        ProviderError: It failed; so does the recording, in the same way.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "recording.jsonl"
        recorded = await told(Recording(provider, path), messages)
        written = path.read_text("utf-8")
        assert provider.section.endpoint.scrubber().scrub(written) == written
        replayed = await told(Replaying(path, timing="virtual"), messages)
    assert replayed.facts == recorded.facts
    return recorded.text
