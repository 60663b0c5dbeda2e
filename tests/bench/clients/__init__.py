"""The clients that are compared, each in a module of its own.

A module has `open_session`, a context manager around one client object at one address. What it
gives reads one answer: it asks for a model by name and hands every text that is not empty to a
function. All pay for that call alike, and none for an iterator around its own.

Other people's clients are imported by name and untyped: none of them needs to be installed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from importlib.util import find_spec
from typing import Final, TypeAlias, cast, final

import attrs

from tests.bench.loops import Loop

#: Is given every text.
Take: TypeAlias = Callable[[str], object]

#: Asks for a model and reads its answer to the end, or until the function raises.
Read: TypeAlias = Callable[[str, Take], Awaitable[None]]


@final
@attrs.frozen
class Target:
    """Where the server is.

    Attributes:
        base_url: Its address, up to and with ``/v1``.
        ca_file: What to trust.
        control_port: Where it takes commands over plain HTTP; see `server`.
    """

    base_url: str
    ca_file: str
    control_port: int


OpenSession: TypeAlias = Callable[[Target], AbstractAsyncContextManager[Read]]


@final
@attrs.frozen
class Client:
    """A client.

    Attributes:
        label: Its name in tables and plots.
        loop: What runs it.
        module: Its module in this package.
        function: What in it opens a session.
        needs: Modules that must be installed.
    """

    label: str
    loop: Loop
    module: str
    function: str = "open_session"
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> str | None:
        """The first of what it needs that is not installed."""
        return next((name for name in self.needs if find_spec(name) is None), None)

    def load(self) -> OpenSession:
        """Import it."""
        module = import_module(f"{__name__}.{self.module}")
        return cast("OpenSession", getattr(module, self.function))


CLIENTS: Final[Mapping[str, Client]] = {
    "floor": Client("blocking socket, floor decode", "plain", "floor_socket"),
    "floor-asyncio": Client("asyncio streams, floor decode", "asyncio", "floor_asyncio"),
    "floor-trio": Client("trio streams, floor decode", "trio", "floor_trio", needs=("trio",)),
    "tokenwire": Client("tokenwire", "trio", "tokenwire_client", needs=("trio", "h11")),
    "httpx-sse": Client(
        "httpx + httpx-sse, trio", "trio", "httpx_sse_client", needs=("httpx", "httpx_sse", "trio")
    ),
    "openai": Client("AsyncOpenAI, asyncio", "asyncio", "openai_client", needs=("openai",)),
    "openai-aiohttp": Client(
        "AsyncOpenAI, aiohttp",
        "asyncio",
        "openai_client",
        "open_aiohttp_session",
        needs=("openai", "aiohttp"),
    ),
    "openai-trio": Client("AsyncOpenAI, trio", "trio", "openai_client", needs=("openai", "trio")),
    "litellm": Client("litellm", "asyncio", "litellm_client", needs=("litellm",)),
}
