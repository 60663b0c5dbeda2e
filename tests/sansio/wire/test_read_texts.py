"""Events that are text and nothing else are read at once, and as they would be one by one.

Each test has events of plain text around one that is odd in some way. The short way reads what came
in one piece; a line feed that comes on its own makes the decoder of event streams take the long
way. That of lines has but one way, so there the long way is an answer that was given no other.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, final

import msgspec
import pytest

from tests.sansio.exchanges import comparable
from tests.sansio.test_cost_per_token import TOKENS
from tokenwire.completion import Completion
from tokenwire.endpoint import Endpoint, Limits
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.tokens import Usage
from tokenwire.wire import wire_by_kind
from tokenwire.wire.anthropic import events as anthropic
from tokenwire.wire.base import Wire
from tokenwire.wire.gemini import chunks as gemini
from tokenwire.wire.ndjson_answer import NDJSONAnswer
from tokenwire.wire.ollama import lines as ollama
from tokenwire.wire.ollama.answer import ChatLineReader
from tokenwire.wire.openai_chat import chunks as openai_chat
from tokenwire.wire.openai_responses import events as openai_responses

#: What any member of an event is set to.
_DEEP: Final[list[Any]] = json.loads("[" * 40 + "]" * 40)
_VALUES: Final[tuple[Any, ...]] = (
    None, "", "x", "error", "\ud83d", 0, 1, -1, 0.0, True, False, [], [1], {}, {"a": 1}, _DEEP,
)  # fmt: skip

#: Members that a plain event of some format may have besides those that `TOKENS` show.
_MEMBERS: Final = {
    "openai-chat": ("error", "error_code", "x_groq"),
    "openai-responses": ("error", "summary_index"),
    "anthropic": ("error", "content_block", "message", "usage"),
    "gemini": ("error", "promptFeedback"),
    "ollama": ("error", "response", "logprobs", "done_reason", "eval_count"),
}

#: The same for the object in which the text stands.
_MEMBERS_BESIDE_TEXT: Final = {
    "openai-chat": (
        "reasoning_content", "reasoning", "refusal", "tool_calls", "reasoning_details",
        "function_call",
    ),
    "openai-responses": (),
    "anthropic": ("thinking", "signature", "partial_json", "stop_reason", "stop_details"),
    "gemini": ("thought", "thoughtSignature", "functionCall"),
    "ollama": ("thinking", "reasoning_content", "tool_calls"),
}  # fmt: skip


def _parts(kind: str) -> tuple[bytes, dict[str, Any], bytes]:
    """Take the sample of an event apart: its JSON, and what stands around that."""
    event = TOKENS[kind].replace(b"\r", b"")
    begin, end = event.index(b"{"), event.rindex(b"}") + 1
    return event[:begin], json.loads(event[begin:end]), event[end:]


def _objects(value: Any) -> Iterator[dict[str, Any] | list[Any]]:
    """Walk through all objects and arrays of a JSON value."""
    if isinstance(value, dict | list):
        yield value
        children: list[Any] = list(value.values() if isinstance(value, dict) else value)  # pyright: ignore[reportUnknownArgumentType]  # JSON
        for child in children:
            yield from _objects(child)


def _odd_values(kind: str) -> Iterator[dict[str, Any]]:
    """Make every change to one member or item of an event."""
    _, plain, _ = _parts(kind)
    for value in _objects(plain):
        if isinstance(value, dict) and " word" in value.values():
            value.update(dict.fromkeys(_MEMBERS_BESIDE_TEXT[kind]))
    plain.update(dict.fromkeys(_MEMBERS[kind]))
    for place, value in enumerate(_objects(plain)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            for changed in _VALUES:
                odd = copy.deepcopy(plain)
                target: Any = list(_objects(odd))[place]
                target[key] = changed
                yield odd
        if isinstance(value, list):
            odd = copy.deepcopy(plain)
            doubled: Any = list(_objects(odd))[place]
            doubled *= 2
            yield odd


def _answer(
    wire: Wire, pieces: Sequence[bytes], limits: Limits | None = None
) -> tuple[list[object], Completion]:
    endpoint = Endpoint(base_url="https://host.example/v1", limits=limits or Limits())
    exchange = Exchange(wire, endpoint)
    exchange.send([Message.user("Hi")], ProviderConfig(model="m", max_output_tokens=9))
    exchange.receive_head(200, [])
    events = [event for piece in pieces for event in exchange.receive_data(piece)]
    events += exchange.receive_eof(clean=True)
    return comparable(events), exchange.partial()


@final
class _LongWayOllama:
    """The wire format ``ollama`` without its short way."""

    def __getattr__(self, name: str) -> Any:
        return getattr(wire_by_kind("ollama"), name)

    def answer(self, limits: Limits, _: object) -> NDJSONAnswer:
        return NDJSONAnswer(ChatLineReader(limits), limits)


def _long_way(kind: str) -> Wire:
    wire: Any = _LongWayOllama() if kind == "ollama" else wire_by_kind(kind)
    checked: Wire = wire
    return checked


def _one_by_one(event: bytes) -> tuple[bytes, bytes]:
    return event[:-1], event[-1:]


def _check(kind: str, events: Sequence[bytes], limits: Limits | None = None) -> None:
    """Check that events are read alike one by one, many at once, and by the long way."""
    first, *others = events
    separate = [piece for event in events for piece in _one_by_one(event)]
    long_way = _answer(_long_way(kind), separate, limits)
    assert _answer(wire_by_kind(kind), events, limits) == long_way
    assert _answer(wire_by_kind(kind), [first, b"".join(others)], limits) == long_way


@pytest.mark.parametrize("kind", TOKENS)
def test_an_odd_event_among_plain_ones_means_the_same(kind: str) -> None:
    """Whatever any member of it is: the short way takes only what the long way takes so too."""
    head, _, tail = _parts(kind)
    plain = TOKENS[kind]
    for value in _odd_values(kind):
        odd = head + json.dumps(value).encode() + tail
        _check(kind, [plain, plain, odd, plain, plain])


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b" word", b"\xff"),
        (b"some-model", b"\xff"),
        (b" word", rb"\ud83d"),
        (b'" word"', b"NaN"),
        (b"}", b"}}"),
        (b"{", b" {"),
        (b"{", b""),
        (b" word", b""),
    ],
)
def test_a_damaged_event_among_plain_ones_means_the_same(kind: str, old: bytes, new: bytes) -> None:
    """No damage passes by the short way."""
    plain = TOKENS[kind]
    _check(kind, [plain, plain, plain.replace(old, new, 1), plain, plain])


@pytest.mark.parametrize("kind", [kind for kind in TOKENS if kind != "ollama"])
@pytest.mark.parametrize(
    "between",
    [
        b"data: [DONE]\n\n", b": ping\n\n", b"event: error\ndata: {}\n\n", b"\n", b"data: \n\n",
        b"event: ping\ndata: {}\n\n", b"id: 7\n\n", b"data: 1\ndata: 2\n\n", b"event: x\n\n",
    ],
)  # fmt: skip
def test_what_comes_between_plain_events_means_the_same(kind: str, between: bytes) -> None:
    """Also where it ends the answer."""
    plain = TOKENS[kind].replace(b"\r", b"")
    _check(kind, [plain, plain, between, plain, plain])


@pytest.mark.parametrize("kind", [kind for kind in TOKENS if kind != "ollama"])
def test_events_of_text_that_are_named_errors_mean_the_same(kind: str) -> None:
    """A name counts for the long way, so it does for the short one."""
    _, value, _ = _parts(kind)
    named = b"event: error\ndata: " + json.dumps(value).encode() + b"\n\n"
    _check(kind, [TOKENS[kind], named, named])


@pytest.mark.parametrize("kind", TOKENS)
def test_half_characters_among_plain_events_are_joined(kind: str) -> None:
    """Half an emoji waits for its other half, which no plain event overtakes."""
    plain = TOKENS[kind]
    halves = [plain.replace(b" word", half) for half in (rb"\ud83d", rb"\ude00")]
    events, partial = _answer(wire_by_kind(kind), [plain, b"".join([plain, *halves, plain])])
    assert partial.text == " word word\N{GRINNING FACE} word"
    assert (events, partial) == _answer(_long_way(kind), [plain, plain, *halves, plain])


@pytest.mark.parametrize("place", ["output_index", "content_index"])
def test_text_of_the_responses_api_that_goes_on_elsewhere_is_not_repeated(place: str) -> None:
    """The whole text that comes at its end is known to have been shown there."""
    kind = "openai-responses"
    head, value, tail = _parts(kind)
    elsewhere = {**value, place: 1, "item_id": "msg_2"}
    whole = {**elsewhere, "type": "response.output_text.done", "text": " word"}
    done = head.replace(b".delta", b".done") + json.dumps(whole).encode() + tail
    _check(kind, [TOKENS[kind], TOKENS[kind], head + json.dumps(elsewhere).encode() + tail, done])


def test_counts_of_gemini_beside_text_are_kept() -> None:
    """Those of the last text count where none come after it."""
    head, value, tail = _parts("gemini")
    counts = [{**value, "usageMetadata": {"candidatesTokenCount": count}} for count in (1, 2, 3)]
    finish = {"candidates": [{"finishReason": "STOP"}]}
    events = [head + json.dumps(chunk).encode() + tail for chunk in (*counts, finish)]
    _, partial = _answer(wire_by_kind("gemini"), events)
    assert partial.usage == Usage(output_tokens=3)
    _check("gemini", events)


@pytest.mark.parametrize("kind", TOKENS)
def test_a_large_read_is_read_one_by_one(kind: str) -> None:
    """What all events of a read could hold at once stays within the limit on values of one."""
    limits = Limits(json_values=2 * len(TOKENS[kind]))
    _check(kind, [TOKENS[kind]] * 9, limits)
    _check(kind, [TOKENS[kind]] * 9, Limits(json_values=4))


@pytest.mark.parametrize("kind", TOKENS)
def test_a_text_beside_too_many_values_is_refused(kind: str) -> None:
    """Also where nobody would have looked at them."""
    plain, limits = TOKENS[kind], Limits(json_values=2 * len(TOKENS[kind]))
    head, value, tail = _parts(kind)
    crowded = json.dumps({**value, "crowd": [0] * limits.json_values}).encode()
    _check(kind, [plain, plain, head + crowded + tail, plain], limits)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (openai_chat.TextOnlyChunk, openai_chat.Chunk),
        (openai_chat.TextOnlyChoice, openai_chat.Choice),
        (openai_chat.TextOnlyDelta, openai_chat.Delta),
        (openai_responses.TextOnlyEvent, openai_responses.TextEvent),
        (anthropic.TextOnlyEvent, anthropic.Event),
        (anthropic.TextOnlyDelta, anthropic.Delta),
        (gemini.TextOnlyChunk, gemini.Chunk),
        (gemini.TextOnlyCandidate, gemini.Candidate),
        (gemini.TextOnlyContent, gemini.Content),
        (gemini.TextOnlyPart, gemini.Part),
        (ollama.TextOnlyLine, ollama.Line),
        (ollama.TextOnlyMessage, ollama.Message),
    ],
)
def test_the_short_way_looks_at_all_that_the_long_way_looks_at(
    short: type[msgspec.Struct], long: type[msgspec.Struct]
) -> None:
    """A member that it did not know would be passed over, whatever it says."""
    assert set(short.__struct_fields__) == set(long.__struct_fields__)
