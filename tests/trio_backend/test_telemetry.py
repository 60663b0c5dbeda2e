"""`tokenwire_trio.telemetry`: what spans and metrics say of an answer, and what they don't."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.resources import files
from typing import Any

import attrs
import pytest
import trio
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from trio.testing import MockClock

from tests.trio_backend.cli_process import child_environment
from tests.trio_backend.providers import provider_section
from tests.trio_backend.testing.own_providers import http_sample
from tokenwire.errors import (
    AuthError,
    LocalProtocolError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    RateLimitError,
)
from tokenwire.messages import Image, Message, Reasoning, ToolCall, ToolResult
from tokenwire.provider import Provider
from tokenwire.provider_config import ProviderConfig, Tool
from tokenwire.tokens import End, Finish, RefusalDelta, TextDelta, ToolCallDelta, Usage
from tokenwire_trio import Retrying, open_provider
from tokenwire_trio.telemetry import Traced, record_attempt
from tokenwire_trio.testing import ProviderCheck, provider_contract
from tokenwire_trio.testing.scripted import ScriptedAnswer, ScriptedProvider

_SECTION = provider_section("https://api.example:8443/v1")
_PROMPT = "a secret prompt"
_END = End(
    "stop",
    "end_turn",
    finishes={0: Finish("stop", "end_turn")},
    usage=Usage(input_tokens=7, output_tokens=3, cached_tokens=2, reasoning_tokens=1),
    model="tiny-2",
    response_id="r-1",
)
_ANSWER = ScriptedAnswer(stream=(0.5, "Hel", 0.25, "lo", 0.25, _END))
_REFUSED = NetworkError(phase="tcp", message="refused", sent="nothing", retryable=True)


class Telemetry:
    """An SDK that keeps what it is told in memory."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meter_provider = MeterProvider([self._metrics])

    def traced(self, provider: Provider, **options: Any) -> Traced:
        """Wrap a provider."""
        options.setdefault("section", _SECTION)
        return Traced(
            provider,
            **options,
            tracer_provider=self.tracer_provider,
            meter_provider=self.meter_provider,
        )

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that have ended, in that order."""
        return self._spans.get_finished_spans()

    @property
    def span(self) -> ReadableSpan:
        """The only one."""
        [span] = self.spans
        return span

    def points(self, name: str) -> list[HistogramDataPoint]:
        """Return what a metric amounts to, a point for each set of attributes."""
        data = self._metrics.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
            if isinstance(point, HistogramDataPoint)
        ]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Give an SDK of the test's own."""
    sdk = Telemetry()
    yield sdk
    sdk.meter_provider.shutdown()
    sdk.tracer_provider.shutdown()


async def _ask(provider: Provider, **settings: Any) -> None:
    config = ProviderConfig(**settings)
    async with provider.complete([Message.user(_PROMPT)], config) as stream:
        await stream.collect()


def _told(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


async def test_the_span_says_who_was_asked_and_what_came(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """By the conventions' names, and without a word of the conversation."""
    settings = {
        "max_output_tokens": 50,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 4,
        "n": 2,
        "stop": "a secret stop",
        "response_schema": {"type": "object"},
        "extra": {"top_k": 40, "user": "somebody"},
    }
    await _ask(telemetry.traced(ScriptedProvider(_ANSWER)), **settings)
    span = telemetry.span
    assert (span.name, span.kind) == ("chat tiny-chat", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(_told(span)) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "tiny-chat",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.seed": 4,
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.top_k": 40,
        "gen_ai.output.type": "json",
        "gen_ai.response.model": "tiny-2",
        "gen_ai.response.id": "r-1",
        "gen_ai.response.finish_reasons": ("end_turn",),
        "gen_ai.response.time_to_first_chunk": 0.5,
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 1,
        "server.address": "api.example",
        "server.port": 8443,
    }
    assert "secret" not in span.to_json()


async def test_metrics_count_tokens_and_seconds(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """With the attributes that the span has, too."""
    await _ask(telemetry.traced(ScriptedProvider(_ANSWER)))
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "tiny-chat",
        "server.address": "api.example",
        "server.port": 8443,
    }
    answered = {**common, "gen_ai.response.model": "tiny-2"}
    [duration] = telemetry.points("gen_ai.client.operation.duration")
    assert (duration.sum, duration.count, duration.attributes) == (1.0, 1, answered)
    assert duration.explicit_bounds[:3] == (0.01, 0.02, 0.04)
    [first] = telemetry.points("gen_ai.client.operation.time_to_first_chunk")
    assert (first.sum, first.attributes) == (0.5, answered)
    [following] = telemetry.points("gen_ai.client.operation.time_per_output_chunk")
    assert (following.sum, following.count, following.attributes) == (0.25, 1, common)
    asked, given = telemetry.points("gen_ai.client.token.usage")
    assert (asked.sum, asked.attributes) == (7, {**answered, "gen_ai.token.type": "input"})
    assert (given.sum, given.attributes) == (3, {**answered, "gen_ai.token.type": "output"})


async def test_what_is_not_known_is_not_said(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """Of a provider that nobody describes, and that counts no tokens."""
    provider = ScriptedProvider(ScriptedAnswer.of("Hi"))
    await _ask(telemetry.traced(provider, section=None))
    assert telemetry.span.name == "chat"
    assert dict(_told(telemetry.span)) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "_OTHER",
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.0,
    }
    assert telemetry.points("gen_ai.client.token.usage") == []


async def test_a_provider_may_be_named(telemetry: Telemetry, autojump_clock: MockClock) -> None:
    """Many servers speak another's API."""
    provider = ScriptedProvider(_ANSWER)
    await _ask(telemetry.traced(provider, provider_name="mistral_ai"))
    assert _told(telemetry.span)["gen_ai.provider.name"] == "mistral_ai"


async def test_a_provider_of_ours_describes_itself(telemetry: Telemetry, llama_url: str) -> None:
    """A real answer, with the API, the server and the model that are in its section."""
    section = attrs.evolve(_SECTION, endpoint=attrs.evolve(_SECTION.endpoint, base_url=llama_url))
    async with open_provider(section) as provider:
        await _ask(telemetry.traced(provider, section=None))
    told = _told(telemetry.span)
    assert telemetry.span.name == "chat tiny-chat"
    assert f"http://{told['server.address']}:{told['server.port']}/v1" == llama_url
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    [following] = telemetry.points("gen_ai.client.operation.time_per_output_chunk")
    assert following.count > 1


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (AuthError(message="no"), "auth"),
        (RateLimitError(message="slow down"), "rate_limit"),
        (MalformedResponseError(message="what", reason="json"), "malformed"),
        (OtherError(message="busy", kind="overloaded"), "overloaded"),
        (_REFUSED, "network"),
        (NetworkError(phase="head", message="late", timeout="first_byte"), "timeout"),
        (LocalProtocolError("no pictures"), "LocalProtocolError"),
    ],
)
async def test_a_failure_is_named(
    error: Exception, name: str, telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """On the span and the duration; its text, which may quote the prompt, is not told."""
    provider = ScriptedProvider(ScriptedAnswer.failing(error, after_s=2))
    with pytest.raises(type(error)):
        await _ask(telemetry.traced(provider))
    span = telemetry.span
    assert span.status.status_code is StatusCode.ERROR
    assert (span.status.description, span.events) == (None, ())
    assert _told(span)["error.type"] == name
    [duration] = telemetry.points("gen_ai.client.operation.duration")
    assert (duration.sum, (duration.attributes or {})["error.type"]) == (2.0, name)
    assert telemetry.points("gen_ai.client.operation.time_to_first_chunk") == []


async def test_an_answer_that_breaks_off_is_a_failure(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """What it had brought by then counts, too."""
    provider = ScriptedProvider(ScriptedAnswer(stream=(1.0, "Hel", _REFUSED)))
    with pytest.raises(NetworkError):
        await _ask(telemetry.traced(provider))
    told = _told(telemetry.span)
    assert told["error.type"] == "network"
    assert told["gen_ai.response.time_to_first_chunk"] == 1.0
    assert "gen_ai.response.finish_reasons" not in told


async def test_a_cancelled_answer_is_not_a_success(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """Wherever it was cancelled: on entering, while reading, or in a nursery of the caller's."""
    stalls = ScriptedAnswer(stream=("Hel", 100.0))
    provider = ScriptedProvider(ScriptedAnswer(entering=(100.0,)), stalls, stalls)
    traced = telemetry.traced(provider)
    for _ in range(2):
        with trio.move_on_after(1):
            await _ask(traced)
    with trio.move_on_after(1):
        async with traced.complete([Message.user(_PROMPT)]), trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)
    assert [_told(span)["error.type"] for span in telemetry.spans] == ["cancelled"] * 3


async def test_an_answer_that_is_left_early_is_no_failure(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """Nor is one whose reader fails for reasons of its own."""
    traced = telemetry.traced(ScriptedProvider(_ANSWER, repeat=True))
    async with traced.complete([Message.user(_PROMPT)]) as stream:
        assert await anext(stream) == TextDelta("Hel")
    with pytest.raises(ZeroDivisionError):
        async with traced.complete([Message.user(_PROMPT)]):
            _ = 1 / 0
    for span in telemetry.spans:
        assert span.status.status_code is StatusCode.UNSET
        assert "error.type" not in _told(span)


async def test_a_cancelled_read_does_not_end_the_span(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """The token comes with the next one."""
    traced = telemetry.traced(ScriptedProvider(_ANSWER))
    async with traced.complete([Message.user(_PROMPT)]) as stream:
        with trio.move_on_after(0.1):
            await anext(stream)
        assert (await stream.collect()).text == "Hello"
    assert "error.type" not in _told(telemetry.span)


async def test_attempts_are_events_of_one_span(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """Those that fail on entering, and those that fail before their first token."""
    provider = ScriptedProvider(
        ScriptedAnswer.failing(_REFUSED),
        ScriptedAnswer(stream=(attrs.evolve(_REFUSED, phase="body"),)),
        _ANSWER,
    )
    retrying = Retrying(provider, on_attempt=record_attempt)
    await _ask(telemetry.traced(retrying))
    first, second = telemetry.span.events
    assert {first.name, second.name} == {"tokenwire.attempt"}
    facts = dict(first.attributes or {})
    assert facts.pop("tokenwire.attempt.delay") is not None
    assert facts == {
        "tokenwire.attempt.number": 1,
        "tokenwire.attempt.provider": "",
        "error.type": "network",
    }
    assert (second.attributes or {})["tokenwire.attempt.number"] == 2


async def test_attempts_are_spans_of_their_own_inside_of_retrying(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """And children of the span around all of them, where there is one."""
    provider = ScriptedProvider(ScriptedAnswer.failing(_REFUSED), _ANSWER)
    retrying = Retrying(telemetry.traced(provider), on_attempt=record_attempt)
    await _ask(telemetry.traced(retrying))
    failed, answered, whole = telemetry.spans
    assert _told(failed)["error.type"] == "network"
    assert "error.type" not in _told(answered)
    assert whole.context is not None
    for attempt in (failed, answered):
        assert attempt.parent is not None
        assert attempt.parent.span_id == whole.context.span_id


async def test_the_attempt_that_was_the_last_says_why(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """No pause follows it."""
    provider = ScriptedProvider(ScriptedAnswer.failing(AuthError(message="no")))
    with pytest.raises(AuthError):
        await _ask(telemetry.traced(Retrying(provider, on_attempt=record_attempt)))
    [event] = telemetry.span.events
    assert (event.attributes or {})["tokenwire.attempt.gave_up"] == "not_retryable"
    assert "tokenwire.attempt.delay" not in (event.attributes or {})


async def test_the_span_is_the_child_of_the_callers_and_not_current_in_its_block(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """What the caller does with the tokens is no part of the answer."""
    traced = telemetry.traced(ScriptedProvider(_ANSWER))
    tracer = telemetry.tracer_provider.get_tracer("caller")
    with tracer.start_as_current_span("caller") as caller:
        async with traced.complete([Message.user(_PROMPT)]) as stream:
            async for _ in stream:
                assert trace.get_current_span() is caller
        assert trace.get_current_span() is caller
    answer, outer = telemetry.spans
    assert outer.context is not None
    assert answer.parent is not None
    assert answer.parent.span_id == outer.context.span_id


async def test_answers_side_by_side_do_not_mix(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """Each has its own parent, also where they are read in turns by one task."""
    traced = telemetry.traced(ScriptedProvider(_ANSWER, repeat=True))
    async with (
        traced.complete([Message.user("one")]) as one,
        traced.complete([Message.user("two")]) as two,
    ):
        for stream in (one, two, one, two):
            await anext(stream)
            assert trace.get_current_span() is trace.INVALID_SPAN
    assert [span.parent for span in telemetry.spans] == [None, None]


async def test_content_is_told_where_it_is_asked_for(
    telemetry: Telemetry, autojump_clock: MockClock
) -> None:
    """In the shapes of the conventions' schemas, as JSON text."""
    messages = [
        Message.system("Be terse"),
        Message.user(
            "What?",
            Image(data=b"\x89PNG", media_type="image/png"),
            Image(url="https://host.example/a.png"),
        ),
        Message.assistant(
            Reasoning("Hm", "sig"),
            ToolCall(id="c1", name="look", arguments='{"a": 1}'),
            ToolCall(id="c2", name="look", arguments='{"a":'),
        ),
        Message.tool(ToolResult(call_id="c1", text="7")),
    ]
    answer = ScriptedAnswer(
        stream=(
            ToolCallDelta(0, "c3", "look"),
            TextDelta("Two", choice=1),
            RefusalDelta("No", choice=2),
            End("tool_calls", finishes={0: Finish("tool_calls"), 1: Finish("stop")}),
        )
    )
    config = ProviderConfig(
        tools=(Tool(name="look", description="Looks."), Tool(name="b")), stop="x"
    )
    traced = telemetry.traced(ScriptedProvider(answer), content=True)
    async with traced.complete(messages, config) as stream:
        await stream.collect()
    told = _told(telemetry.span)
    assert told["gen_ai.request.stop_sequences"] == ("x",)
    assert json.loads(told["gen_ai.tool.definitions"]) == [
        {"type": "function", "name": "look", "description": "Looks."},
        {"type": "function", "name": "b"},
    ]
    system, user, assistant, tool = json.loads(told["gen_ai.input.messages"])
    assert system == {"role": "system", "parts": [{"type": "text", "content": "Be terse"}]}
    assert user["parts"][1:] == [
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw=="},
        {
            "type": "uri",
            "modality": "image",
            "mime_type": None,
            "uri": "https://host.example/a.png",
        },
    ]
    assert assistant["parts"] == [
        {"type": "reasoning", "content": "Hm"},
        {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"a": 1}},
        {"type": "tool_call", "id": "c2", "name": "look", "arguments": '{"a":'},
    ]
    assert tool["parts"] == [{"type": "tool_call_response", "id": "c1", "response": "7"}]
    assert json.loads(told["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c3", "name": "look", "arguments": {}}],
            "finish_reason": "tool_call",
        },
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Two"}],
            "finish_reason": "stop",
        },
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "No"}],
            "finish_reason": "error",
        },
    ]


_CONVENTIONS = (
    "_incubating.attributes.gen_ai_attributes",
    "_incubating.metrics.gen_ai_metrics",
    "attributes.error_attributes",
    "attributes.server_attributes",
)


def test_the_conventions_know_every_name() -> None:
    """As the package of the conventions has them."""
    modules = [import_module(f"opentelemetry.semconv.{name}") for name in _CONVENTIONS]
    known = {value for one in modules for value in vars(one).values() if isinstance(value, str)}
    folder = files("tokenwire_trio.telemetry")
    ours = ("attributes", "content", "operation", "traced")
    code = "".join(folder.joinpath(f"{name}.py").read_text("utf-8") for name in ours)
    used = set(re.findall(r'"((?:gen_ai|server|error)\.[a-z_.]+)"', code))
    extras = ("top_k", "frequency_penalty", "presence_penalty")
    used |= {f"gen_ai.request.{name}" for name in extras}
    assert len(used) > 20
    assert used <= known
    names = {value.value for value in modules[0].GenAiProviderNameValues}
    assert {"openai", "anthropic", "azure.ai.openai", "gcp.gemini"} <= names


@pytest.mark.parametrize("check", provider_contract(http_sample(Traced)), ids=str)
async def test_a_traced_provider_keeps_to_the_contract(
    check: ProviderCheck, autojump_clock: MockClock
) -> None:
    """As every provider does."""
    await check()


_WITHOUT_OPENTELEMETRY = """
import sys
sys.modules["opentelemetry"] = None
try:
    import tokenwire_trio.telemetry
except ImportError as error:
    print(error)
"""


def _printed_by(script: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout


def test_without_opentelemetry_the_extra_is_named() -> None:
    """Which is needed only here: nothing else imports it."""
    assert 'pip install "tokenwire[otel]"' in _printed_by(_WITHOUT_OPENTELEMETRY)
    assert "opentelemetry" not in _printed_by(
        "import tokenwire_trio.provider, sys; print(*sys.modules)"
    )
