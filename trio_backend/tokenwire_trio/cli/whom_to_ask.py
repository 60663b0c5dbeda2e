"""Whom a command asks: the provider that its options name, or a model on this machine."""

import os
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import attrs
import click

from tokenwire.config import ConfigError
from tokenwire_trio.cli.outlet import Outlet
from tokenwire_trio.cli.provider_options import ProviderOptions
from tokenwire_trio.cli.provider_section import SAY_WHOM, Target, load_target_to_ask
from tokenwire_trio.cli.refusal import Refusal
from tokenwire_trio.local import LocalModelUnavailable, find_local_model, local_model


def whom_to_ask(
    options: ProviderOptions, stderr: Outlet, *, local: bool
) -> AbstractAsyncContextManager[Target]:
    """Return the block in which somebody is there to be asked.

    What the options say is checked at once; a model on this machine runs as long as the block.

    Args:
        options: Those of the provider.
        stderr: Is told that a model starts.
        local: Ask a model on this machine.

    Raises:
        click.UsageError: If that is one provider, and the options name another.
        ConfigError: If an option is missing or has a bad value.
        Refusal: If a file has; or, on entering, if there is no such model.
    """
    if local:
        if options.name_a_provider:
            raise click.UsageError("--local is a provider of its own: leave out the other one")
        return _local_target(options, stderr)
    if not options.name_an_address:
        raise ConfigError(f"{SAY_WHOM}; or --local for a small model on this machine")
    return nullcontext(load_target_to_ask(options, os.environ))


@asynccontextmanager
async def _local_target(options: ProviderOptions, stderr: Outlet) -> AsyncGenerator[Target, None]:
    try:
        model = find_local_model()
        if stderr.terminal:
            stderr.notice("Starting the model on this machine…")
        async with local_model(gguf=model) as base_url:
            # We know that this server counts tokens when it is asked to.
            quirk = {"include_usage": True, **options.quirk}
            local_options = attrs.evolve(options, base_url=base_url, quirk=quirk)
            yield load_target_to_ask(local_options, os.environ)
    except LocalModelUnavailable as error:
        raise Refusal(str(error)) from None
