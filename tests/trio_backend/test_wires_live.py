"""Every wire format against servers that others wrote: aimock speaks all, llama.cpp three of them.

aimock (https://github.com/CopilotKit/aimock) answers in the form of each API what it is told to;
llama.cpp has a model.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.third_party import running_aimock
from tokenwire.completion import Completion
from tokenwire.config import ProviderSection
from tokenwire.endpoint import Endpoint
from tokenwire.errors import (
    AuthError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire.messages import Message, Reasoning, ToolResult
from tokenwire.provider import Provider
from tokenwire.provider_config import ForcedTool, ProviderConfig, Tool
from tokenwire.secret import Secret
from tokenwire.wire import WIRE_KINDS
from tokenwire_trio import HTTPProvider, Recording, Replaying, open_provider

#: What the server answers to which words of the last message; the first match counts.
ANSWERS: Final[list[dict[str, Any]]] = [
    {
        "match": {"userMessage": "weather", "hasToolResult": True},
        "response": {"content": "Sunny in Oslo, rain in Rome."},
    },
    {
        "match": {"userMessage": "weather"},
        "response": {
            "toolCalls": [
                {"id": "call_o", "name": "weather", "arguments": {"city": "Oslo"}},
                {"id": "call_r", "name": "weather", "arguments": {"city": "Röm"}},
            ]
        },
    },
    {
        "match": {"userMessage": "ponder"},
        "response": {"reasoning": "Two and two.", "reasoningSignature": "c2ln", "content": "Four."},
    },
    {
        "match": {"userMessage": "letters"},
        "chunkSize": 3,
        "response": {"content": 'Ærlig talt 👩🏽‍🚀, a\u2028b \u202eאב\u202c "q"\\n'},
    },
    {
        "match": {"userMessage": "breaks off"},
        "chunkSize": 5,
        "truncateAfterChunks": 6,
        "latency": 10,  # without, the cut is faster than the head
        "response": {"content": "This answer never comes to an end, whatever one may do about it."},
    },
    *(
        {
            "match": {"userMessage": f"fails with {status}"},
            "response": {"error": {"message": "Sorry.", "type": "some_error"}, "status": status},
        }
        for status in (400, 401, 429, 500, 529)
    ),
    {
        "match": {},
        "response": {
            "content": "Good morning.",
            "usage": {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21},
        },
    },
]

#: Where each API begins, and the quirks that a test needs.
PLACES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "openai-chat": ("/v1", {"include_usage": True, "reasoning_field": "reasoning_content"}),
    "openai-responses": ("/v1", {}),
    "azure-chat": ("/openai", {"api_version": "2024-10-21", "reasoning_field": "reasoning"}),
    "anthropic": ("/v1", {}),
    "ollama": ("/api", {}),
    "gemini": ("/v1beta", {}),
}
WEATHER: Final = Tool(
    name="weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}}
)

each_wire = pytest.mark.parametrize("kind", WIRE_KINDS)


@pytest.fixture(scope="session")
def aimock_url(tmp_path_factory: pytest.TempPathFactory, servers_home: Path) -> Iterator[str]:
    """Give the address of a server that speaks every API."""
    answers = tmp_path_factory.mktemp("aimock") / "answers.json"
    answers.write_text(json.dumps({"fixtures": ANSWERS}), encoding="utf-8")
    with running_aimock(servers_home, answers) as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def opened(kind: str, address: str, **endpoint: Any) -> AsyncGenerator[HTTPProvider, None]:
    """Open a provider of this kind."""
    path, quirks = PLACES[kind]
    settings: dict[str, Any] = {"credential": Secret("key-0123456789"), "quirks": quirks}
    section = ProviderSection(
        kind=kind,
        endpoint=Endpoint(base_url=address + path, **(settings | endpoint)),
        defaults=ProviderConfig(model="some-model", max_output_tokens=500),
    )
    async with open_provider(section) as provider:
        yield provider


async def ask(provider: HTTPProvider, *messages: Message, **settings: Any) -> Completion:
    """Return the whole answer."""
    async with provider.complete(messages, ProviderConfig(**settings)) as stream:
        return await stream.collect()


async def error_of(kind: str, address: str, prompt: str) -> ProviderError:
    """Return the error of a call that fails."""
    async with opened(kind, address) as provider:
        with pytest.raises(ProviderError) as caught:
            await ask(provider, Message.user(prompt))
    return caught.value


@each_wire
async def test_an_answer_comes_whole(kind: str, aimock_url: str) -> None:
    """With its reason to finish."""
    async with opened(kind, aimock_url) as provider:
        answer = await ask(provider, Message.system("Be brief."), Message.user("Hi"))
    assert answer.text == "Good morning."
    assert answer.complete
    assert answer.end is not None
    assert answer.end.finish == "stop"


@pytest.mark.parametrize("kind", ["openai-chat", "openai-responses", "anthropic", "gemini"])
async def test_an_answer_is_counted(kind: str, aimock_url: str) -> None:
    """By the APIs whose counts this server knows."""
    async with opened(kind, aimock_url) as provider:
        usage = (await ask(provider, Message.user("Hi"))).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (12, 9)


@each_wire
async def test_letters_of_all_kinds_come_as_they_are(kind: str, aimock_url: str) -> None:
    """Cut in three characters a piece, and so in the middle of a picture."""
    async with opened(kind, aimock_url) as provider:
        answer = await ask(provider, Message.user("letters"))
    assert answer.text == 'Ærlig talt 👩🏽‍🚀, a\u2028b \u202eאב\u202c "q"\\n'


@each_wire
async def test_tools_are_called_until_the_answer(kind: str, aimock_url: str) -> None:
    """The calls go back as they came, with their results, in this API's way."""
    question = Message.user("What is the weather?")
    async with opened(kind, aimock_url) as provider:
        calling = await ask(provider, question, tools=[WEATHER])
        assert calling.end is not None
        assert calling.end.finish == "tool_calls"
        calls = calling.tool_calls
        assert [(call.name, json.loads(call.arguments)) for call in calls] == [
            ("weather", {"city": "Oslo"}),
            ("weather", {"city": "Röm"}),
        ]
        results = Message.tool(*(ToolResult(call_id=call.id, text="sun") for call in calls))
        answer = await ask(provider, question, calling.message, results, tools=[WEATHER])
    assert answer.text == "Sunny in Oslo, rain in Rome."


@each_wire
async def test_reasoning_goes_back_as_it_came(kind: str, aimock_url: str) -> None:
    """The conversation goes on with it."""
    question = Message.user("ponder")
    async with opened(kind, aimock_url) as provider:
        thought = await ask(provider, question)
        assert (thought.reasoning, thought.text) == ("Two and two.", "Four.")
        answer = await ask(provider, question, thought.message, Message.user("Hi"))
    assert any(isinstance(part, Reasoning) for part in thought.message.parts)
    assert answer.text == "Good morning."


@each_wire
async def test_an_answer_that_breaks_off_is_no_success(kind: str, aimock_url: str) -> None:
    """The connection is cut."""
    error = await error_of(kind, aimock_url, "This breaks off.")
    assert isinstance(error, NetworkError)
    assert error.in_stream
    assert error.phase == "body"


@each_wire
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, OtherError),
        (401, AuthError),
        (429, RateLimitError),
        (500, OtherError),
        (529, OtherError),
    ],
)
async def test_failures_have_their_kind(
    kind: str, status: int, expected: type[ProviderError], aimock_url: str
) -> None:
    """With the server's message."""
    error = await error_of(kind, aimock_url, f"This fails with {status}.")
    assert type(error) is expected
    assert (error.status, error.message, error.provider) == (status, "Sorry.", kind)
    assert error.retryable == (status >= 429)


@each_wire
async def test_what_was_recorded_is_played_back(kind: str, aimock_url: str, tmp_path: Path) -> None:
    """Answers, calls of tools, a cut and a refusal, token by token; without the key."""
    path = tmp_path / "recording.jsonl"
    prompts = ["Hi", "ponder", "letters", "weather", "This breaks off.", "This fails with 429."]
    async with opened(kind, aimock_url) as provider:
        recording = Recording(provider, path)
        recorded = [await _events(recording, prompt) for prompt in prompts]
    replaying = Replaying(path, timing="virtual")
    assert [await _events(replaying, prompt) for prompt in prompts] == recorded
    assert all(recorded)
    assert b"key-0123" not in path.read_bytes()


async def _events(provider: Provider, prompt: str) -> list[object]:
    """Return the tokens of an answer, and the facts of its error if there is one."""
    events: list[object] = []
    try:
        async with provider.complete([Message.user(prompt)]) as stream:
            async for token in stream:
                events.append(token)  # noqa: PERF401  # what came before an error counts
    except ProviderError as error:
        events.append(error.facts())
    return events


@pytest.mark.parametrize("kind", ["azure-chat", "gemini"])
async def test_a_token_is_asked_for_each_call(kind: str, aimock_url: str) -> None:
    """Tokens of clouds last an hour, so they come from a callable."""
    given: list[str] = []

    async def token() -> Secret:
        given.append(f"token-{len(given):010}")
        return Secret(given[-1])

    async with opened(kind, aimock_url, credential=token, auth="bearer") as provider:
        for _ in range(2):
            assert (await ask(provider, Message.user("Hi"))).text == "Good morning."
    assert given == ["token-0000000000", "token-0000000001"]


# llama.cpp


@pytest.mark.parametrize("kind", ["openai-chat", "openai-responses", "anthropic"])
async def test_a_model_answers_in_several_formats(kind: str, llama_url: str) -> None:
    """The same model says the same at temperature 0."""
    quirks = {"version": "2023-06-01"} if kind == "anthropic" else {}
    said: dict[str, Completion] = {}
    for each, given in (("openai-chat", {}), (kind, quirks)):
        address = llama_url.removesuffix("/v1")
        async with opened(each, address, quirks=given) as provider:
            said[each] = await ask(
                provider, Message.user("Hello"), temperature=0, max_output_tokens=8
            )
    assert said[kind].text == said["openai-chat"].text != ""


@pytest.mark.parametrize("kind", ["openai-chat", "anthropic"])
async def test_a_model_is_made_to_call_a_tool(kind: str, llama_url: str) -> None:
    """And gets its own call back with the result."""
    question = Message.user("What is the weather?")
    settings = {"tools": [WEATHER], "tool_choice": ForcedTool("weather")}
    async with opened(kind, llama_url.removesuffix("/v1"), quirks={}) as provider:
        calling = await ask(provider, question, **settings)
        [call, *_] = calling.tool_calls
        results = Message.tool(
            *(ToolResult(call_id=each.id, text="sun") for each in calling.tool_calls)
        )
        answer = await ask(provider, question, calling.message, results, max_output_tokens=8)
    assert call.name == "weather"
    assert answer.complete
