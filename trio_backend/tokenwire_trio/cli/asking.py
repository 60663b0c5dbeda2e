"""The part of `tokenwire ask` that needs the network, and so trio."""

import os
from collections.abc import Sequence
from typing import Protocol

import attrs

from tokenwire.errors import ProviderError
from tokenwire.messages import Message
from tokenwire.tokens import Token
from tokenwire_trio import open_provider
from tokenwire_trio.cli.advice import with_advice
from tokenwire_trio.cli.exit_codes import ExitCode, of_error
from tokenwire_trio.cli.outlet import Outlet
from tokenwire_trio.cli.provider_options import ProviderOptions
from tokenwire_trio.cli.provider_section import Target, load_target
from tokenwire_trio.cli.refusal import Refusal
from tokenwire_trio.cli.timings_line import timings_line
from tokenwire_trio.local import LocalModelUnavailable, find_local_model, local_model


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


async def ask_provider(
    target: Target,
    messages: Sequence[Message],
    presentation: Presentation,
    stderr: Outlet,
    *,
    timings: bool,
) -> ExitCode:
    """Show an answer while it comes.

    Returns:
        What became of it.

    Raises:
        LocalProtocolError: If the wire format cannot carry the messages.
        ValueError: If the endpoint is set up in a way that cannot work.
    """
    deltas = 0
    async with open_provider(target.section) as provider:
        try:
            async with provider.complete(messages) as stream:
                async for token in stream:
                    deltas += 1
                    presentation.show(token)
        except ProviderError as error:
            presentation.fail(error)
            stderr.line(f"Error: {with_advice(error, target.key_variable)}")
            return of_error(error)
        finally:
            presentation.close()
    if timings:
        # The last token is the end, which is none of the model's.
        stderr.line(timings_line(stream.response.timings, stream.partial().usage, deltas - 1))
    return ExitCode.COMPLETE


async def ask_local_model(
    options: ProviderOptions,
    messages: Sequence[Message],
    presentation: Presentation,
    stderr: Outlet,
    *,
    timings: bool,
) -> ExitCode:
    """Do what `ask_provider` does with a model on this machine, which runs just as long.

    Raises:
        Refusal: If there is no such model; the message says how to install it.
    """
    try:
        model = find_local_model()
        if stderr.terminal:
            stderr.line("Starting the model on this machine…")
        async with local_model(gguf=model) as base_url:
            # We know that this server counts tokens when it is asked to.
            quirk = {"include_usage": True, **options.quirk}
            local_options = attrs.evolve(options, base_url=base_url, quirk=quirk)
            target = load_target(local_options, os.environ)
            return await ask_provider(target, messages, presentation, stderr, timings=timings)
    except LocalModelUnavailable as error:
        raise Refusal(str(error)) from None
