"""httpx with httpx-sse under trio, and the standard library's JSON: what people write by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, Final

from tests.bench.clients import Read, Take, Target
from tests.bench.clients.floor_socket import floor_context

_httpx: Final[Any] = import_module("httpx")
_httpx_sse: Final[Any] = import_module("httpx_sse")


@asynccontextmanager
async def open_session(target: Target) -> AsyncGenerator[Read, None]:
    """Open a session, which connects when it is first used."""
    url = f"{target.base_url}/chat/completions"
    limits = _httpx.Limits(max_connections=None)
    context = floor_context(target.ca_file)
    async with _httpx.AsyncClient(verify=context, timeout=None, limits=limits) as client:

        async def read(model: str, take: Take) -> None:
            messages = [{"role": "user", "content": "Hi"}]
            body = {"model": model, "stream": True, "messages": messages}
            async with _httpx_sse.aconnect_sse(client, "POST", url, json=body) as source:
                async for event in source.aiter_sse():
                    if event.data == "[DONE]":
                        break
                    text = json.loads(event.data)["choices"][0]["delta"].get("content")
                    if text:
                        take(text)

        yield read
