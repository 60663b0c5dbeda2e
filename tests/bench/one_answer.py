"""What one client makes of one server, asked in the simplest way that its documentation shows.

`python -m tests.bench.one_answer CLIENT URL` prints it as JSON. Needs that client only.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Final, TypeAlias

#: What every client is told to wait at most.
TIMEOUT_S: Final = 2.0
KEY: Final = "sk-behaviour-0123456789abcdef"

#: Takes a base URL and a function that is given every text, and returns the finish reason.
Ask: TypeAlias = Callable[[str, Callable[[str], None]], str | None]

_MESSAGES: Final = [{"role": "user", "content": "Hi"}]


def _ask_tokenwire(base_url: str, take: Callable[[str], None]) -> str | None:
    import trio

    from tokenwire import Deadlines, Endpoint, Message, ProviderConfig, ProviderSection
    from tokenwire_trio import open_provider

    deadlines = Deadlines(connect=TIMEOUT_S, first_token=TIMEOUT_S, gap=TIMEOUT_S)
    section = ProviderSection(
        kind="openai-chat",
        endpoint=Endpoint(base_url=base_url, credential=KEY, deadlines=deadlines),
        defaults=ProviderConfig(model="some-model"),
    )

    async def main() -> str | None:
        async with open_provider(section) as provider:
            async with provider.complete([Message.user("Hi")]) as stream:
                async for token in stream:
                    take(token.text)
            return stream.partial().finish

    return trio.run(main)


def _read(chunks: Iterable[Any], take: Callable[[str], None]) -> str | None:
    """Read the chunks of a client that returns OpenAI's shapes."""
    finish: str | None = None
    for chunk in chunks:
        for choice in chunk.choices or ():
            take(choice.delta.content or "")
            finish = choice.finish_reason or finish
    return finish


def _ask_openai(base_url: str, take: Callable[[str], None]) -> str | None:
    openai: Any = import_module("openai")
    client = openai.OpenAI(api_key=KEY, base_url=base_url, timeout=TIMEOUT_S, max_retries=0)
    with client.chat.completions.create(
        model="some-model", messages=_MESSAGES, stream=True
    ) as stream:
        return _read(stream, take)


def _ask_litellm(base_url: str, take: Callable[[str], None]) -> str | None:
    litellm: Any = import_module("litellm")
    stream = litellm.completion(
        model="openai/some-model",
        api_base=base_url,
        api_key=KEY,
        messages=_MESSAGES,
        stream=True,
        timeout=TIMEOUT_S,
        max_retries=0,
    )
    return _read(stream, take)


def _ask_httpx_sse(base_url: str, take: Callable[[str], None]) -> str | None:
    httpx: Any = import_module("httpx")
    httpx_sse: Any = import_module("httpx_sse")
    finish: str | None = None
    with httpx.Client(timeout=TIMEOUT_S, headers={"authorization": f"Bearer {KEY}"}) as client:
        body = {"model": "some-model", "stream": True, "messages": _MESSAGES}
        with httpx_sse.connect_sse(
            client, "POST", f"{base_url}/chat/completions", json=body
        ) as source:
            source.response.raise_for_status()
            for event in source.iter_sse():
                if event.data == "[DONE]":
                    break
                [choice] = json.loads(event.data)["choices"]
                take(choice["delta"].get("content") or "")
                finish = choice.get("finish_reason") or finish
    return finish


CLIENTS: Final[dict[str, tuple[Ask, str]]] = {
    "tokenwire": (_ask_tokenwire, "h11"),
    "openai": (_ask_openai, "openai"),
    "httpx-sse": (_ask_httpx_sse, "httpx_sse"),
    "litellm": (_ask_litellm, "litellm"),
}


def report(client: str, base_url: str) -> dict[str, Any]:
    """Ask a server and return what the client makes of it, as plain values."""
    ask, _ = CLIENTS[client]
    texts: list[str] = []
    began = time.monotonic()
    try:
        finish = ask(base_url, texts.append)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the client's answer
        shown = "".join(traceback.TracebackException.from_exception(error).format())
        with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
        outcome = {
            "error": type(error).__name__,
            "message": str(error)[:80],
            "key": KEY in shown or KEY in "".join(with_locals.format()),
        }
    else:
        outcome = {"finish": finish}
    return {"text": "".join(texts), "seconds": time.monotonic() - began, **outcome}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report(*sys.argv[1:])))
