"""litellm's `acompletion`, told that the server speaks OpenAI's API."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, Final

from tests.bench.clients import Read, Take, Target

# It would ask a server of its own for the prices of models.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

_litellm: Final[Any] = import_module("litellm")


@asynccontextmanager
async def open_session(target: Target) -> AsyncGenerator[Read, None]:
    """Open a session; litellm keeps connections of its own, for all sessions."""
    os.environ["SSL_CERT_FILE"] = target.ca_file

    async def read(model: str, take: Take) -> None:
        stream = await _litellm.acompletion(
            model=f"openai/{model}",
            api_base=target.base_url,
            api_key="sk-bench",
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
            max_retries=0,
        )
        async for chunk in stream:
            text = chunk.choices[0].delta.content
            if text:
                take(text)

    yield read
