"""The part of `tokenwire ask` that needs the network, and so trio."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, Protocol, final

import attrs
import trio

from tokenwire.completion import Completion
from tokenwire.errors import ProviderError
from tokenwire.messages import Message
from tokenwire.provider import Provider, TokenStream
from tokenwire.provider_config import ProviderConfig
from tokenwire.tokens import End, Token
from tokenwire_trio import Recording, open_provider
from tokenwire_trio.cli.advice import with_advice
from tokenwire_trio.cli.exit_codes import ExitCode, of_error
from tokenwire_trio.cli.outlet import Outlet
from tokenwire_trio.cli.provider_section import Target
from tokenwire_trio.cli.timings_line import timings_line

_NOTHING_SET: Final = ProviderConfig()


class Presentation(Protocol):
    """How an answer is shown."""

    def show(self, token: Token) -> None:
        """Show a token at once."""
        ...

    def fail(self, error: ProviderError) -> None:
        """Show that the answer failed."""
        ...

    def close(self) -> None:
        """Leave the output in order, however the answer ended."""
        ...


@final
@attrs.frozen(kw_only=True)
class Shown:
    """What became of an answer that was shown.

    Attributes:
        code: How the command ends for it; INTERRUPTED where it was stopped.
        answer: As far as it came.
        timings: How long it took, in one line; empty where it failed or never began.
    """

    code: ExitCode
    answer: Completion = attrs.field(factory=Completion)
    timings: str = ""


async def ask(
    whom: AbstractAsyncContextManager[Target],
    messages: Sequence[Message],
    presentation: Presentation,
    stderr: Outlet,
    *,
    timings: bool,
    record: Path | None = None,
) -> ExitCode:
    """Show one answer while it comes, and record it if there is a file for it; see `show_answer`.

    Raises:
        Refusal: If there is nobody to ask.
        ValueError: If the endpoint is set up in a way that cannot work.
        OSError: If the file cannot be written.
    """
    async with whom as target:
        async with open_provider(target.section) as provider:
            shown = await show_answer(
                provider if record is None else Recording(provider, record),
                messages,
                presentation,
                stderr,
                key_variable=target.key_variable,
            )
        if timings and shown.timings:
            stderr.notice(shown.timings)
    return shown.code


async def show_answer(
    provider: Provider,
    messages: Sequence[Message],
    presentation: Presentation,
    stderr: Outlet,
    *,
    config: ProviderConfig = _NOTHING_SET,
    key_variable: str | None,
    stop: trio.CancelScope | None = None,
) -> Shown:
    """Show an answer while it comes, and its error if it fails.

    Args:
        provider: Whom to ask.
        messages: What to ask.
        presentation: How to show the answer.
        stderr: Where to show the rest.
        config: Settings of this answer alone.
        key_variable: Where the key came from, for an error that is about it.
        stop: Ends the answer early when it is cancelled.

    Returns:
        What became of it.

    Raises:
        LocalProtocolError: If the wire format cannot carry the messages.
    """
    stream: TokenStream | None = None
    deltas = 0
    scope = trio.CancelScope() if stop is None else stop
    try:
        with scope:
            async with provider.complete(messages, config) as stream:
                async for token in stream:
                    # The last token is the end, which is none of the model's.
                    deltas += type(token) is not End
                    presentation.show(token)
    except ProviderError as error:
        presentation.fail(error)
        stderr.notice(f"Error: {with_advice(error, key_variable)}")
        answer = Completion() if stream is None else stream.partial()
        return Shown(code=of_error(error), answer=answer)
    finally:
        presentation.close()
    if stream is None:  # stopped before anything came
        return Shown(code=ExitCode.INTERRUPTED)
    answer = stream.partial()
    return Shown(
        code=ExitCode.COMPLETE if answer.complete else ExitCode.INTERRUPTED,
        answer=answer,
        timings=timings_line(stream.response.timings, answer.usage, deltas),
    )
