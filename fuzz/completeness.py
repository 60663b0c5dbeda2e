"""When an answer is whole, said once more: from the bytes alone, and by no code of the library.

Slow and simple, like `fuzz.reference_sse`, so that each line can be held against what the APIs
document. A chat completion ends with a finish reason for every choice or with ``[DONE]``, a message
of Anthropic's with a stop reason or ``message_stop``, a chat of Ollama's with ``done``, an answer
of Gemini's with a finish reason for every candidate, a response with ``response.completed`` or
``response.incomplete``. One JSON document in place of a stream is whole by its last bracket, if it
is an answer at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

from fuzz.exchanges import Response
from fuzz.reference_sse import reference_events

JSON: TypeAlias = dict[str, Any]

#: The events of a stream: their names, and what stands behind ``data:``.
Events: TypeAlias = list[tuple[str, bytes]]

_DONE: Final = b"[DONE]"
_TERMINAL_EVENTS: Final = ("response.completed", "response.incomplete")


def may_be_whole(response: Response) -> bool:
    """Whether the body of a successful response shows the end of an answer of its wire format."""
    body = response.body.removeprefix(b"\xef\xbb\xbf").lstrip()
    try:
        if response.wire == "ollama":
            return _has_done_line(body, response)
        if body[:1] in (b"{", b"["):
            return response.ending == "clean" and _IS_ANSWER[response.wire](_json(body))
        return _STREAM_ENDS[response.wire](_events(body, response))
    except RecursionError:
        return True  # no statement about JSON that Python cannot read


# What a body holds


def _events(body: bytes, response: Response) -> Events:
    # A last event without its blank line counts at a clean end.
    closing = b"\n\n" if response.ending == "clean" else b""
    return [(event.event, event.data) for event in reference_events(body + closing)]


def _lines(body: bytes, response: Response) -> Sequence[bytes]:
    lines = body.split(b"\n")
    return lines if response.ending == "clean" else lines[:-1]


def _json(data: bytes) -> object:
    """Return a JSON value, None for what is none."""
    try:
        # Neither UTF-8 nor control characters are checked where no one reads them.
        return json.loads(data.decode("utf-8", "replace"), parse_int=float, strict=False)
    except ValueError:
        return None


def _object(value: object) -> JSON:
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # JSON's keys are strings


def _objects(value: object) -> list[JSON]:
    values: list[object] = value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]  # JSON's items are anything
    return [_object(item) for item in values]


# Chat completions, and Azure's


def _ends_chat(events: Events) -> bool:
    # Zhipu's events end with a single line feed, so that each line of the data is one.
    texts = [text for _, data in events for text in (data, *data.split(b"\n"))]
    done = any(text.strip() == _DONE for text in texts)
    return done or _all_finish("choices", "finish_reason", [_object(_json(t)) for t in texts])


def _all_finish(choices: str, reason: str, chunks: Iterable[JSON]) -> bool:
    """Whether every choice that these chunks begin has its reason in one of them."""
    finished: dict[float, bool] = {}
    for chunk in chunks:
        for choice in _objects(chunk.get(choices)):
            index = _index(choice.get("index"))
            finished[index] = finished.get(index, False) or _is_word(choice.get(reason))
    return bool(finished) and all(finished.values())


def _index(value: object) -> float:
    return value if isinstance(value, float) and value >= 0 and value % 1 == 0 else 0.0


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_completion(document: object) -> bool:
    return bool(_objects(_object(document).get("choices")))


# Anthropic's messages


def _ends_message(events: Events) -> bool:
    return any(_is_end_of_message(_object(_json(data))) for _, data in events)


def _is_end_of_message(event: JSON) -> bool:
    stops = _is_word(_object(event.get("delta")).get("stop_reason"))
    return event.get("type") == "message_stop" or (stops and event.get("type") == "message_delta")


def _is_message(document: object) -> bool:
    return isinstance(_object(document).get("content"), list)


# Ollama's lines


def _has_done_line(body: bytes, response: Response) -> bool:
    return any(_object(_json(line)).get("done") is True for line in _lines(body, response))


# Gemini's chunks


def _ends_candidates(events: Events) -> bool:
    chunks: list[JSON] = []
    for _, data in events:
        if data.strip() == _DONE:
            break  # what follows comes too late
        chunks.append(_object(_json(data)))
    return _all_finish("candidates", "finishReason", chunks)


def _is_generated(document: object) -> bool:
    chunks = _objects(document) or [_object(document)]
    return _all_finish("candidates", "finishReason", chunks)


# Responses


def _ends_response(events: Events) -> bool:
    objects = [(name, _object(_json(data))) for name, data in events]
    return any((event.get("type") or name) in _TERMINAL_EVENTS for name, event in objects)


def _is_response(document: object) -> bool:
    response = _object(document)
    return "output" in response and response.get("status") not in ("queued", "in_progress")


_STREAM_ENDS: Final[dict[str, Callable[[Events], bool]]] = {
    "openai-chat": _ends_chat,
    "azure-chat": _ends_chat,
    "anthropic": _ends_message,
    "gemini": _ends_candidates,
    "openai-responses": _ends_response,
}
_IS_ANSWER: Final[dict[str, Callable[[object], bool]]] = {
    "openai-chat": _is_completion,
    "azure-chat": _is_completion,
    "anthropic": _is_message,
    "gemini": _is_generated,
    "openai-responses": _is_response,
}
