"""What every wire format's streams have in common: what is said in them, pieces, JSON, framing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, final

import attrs
from hypothesis import strategies as st

from tests.strategies import texts
from tokenwire.tokens import Finish

Object: TypeAlias = dict[str, Any]


@final
@attrs.frozen
class Call:
    """A tool call as it must be read.

    Attributes:
        id: None where the server names none, so that one is made up.
        name: The function's.
        arguments: JSON text where the wire format has JSON, else any.
    """

    id: str | None
    name: str
    arguments: str


@final
@attrs.frozen(kw_only=True)
class Said:
    """What one choice says, as it must be read.

    Attributes:
        text: The answer's text.
        reasoning: The reasoning that is shown.
        refusal: The words with which the model declines.
        calls: The tool calls in order.
        finish: Why it ended.
        signatures: What must come back unchanged, in order, each inside a signature; None where
            that is of no interest.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[Call, ...] = ()
    finish: Finish
    signatures: tuple[str, ...] | None = None


#: Input, output and total.
Counts: TypeAlias = tuple[int | None, int | None, int | None]


@final
@attrs.frozen
class AnswerStream:
    """The bytes of a whole answer, and what they say.

    Attributes:
        body: The response body, with status 200.
        choices: What each choice says, by its index.
        usage: The token counts that must come out.
        marker: Where in the body the first terminal marker begins, at the earliest.
    """

    body: bytes
    choices: Mapping[int, Said]
    usage: Counts
    marker: int


# Text


def torn(text: str) -> str:
    """Return `text` as a server has it that counts in UTF-16: as code units, one a character."""
    data = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(int.from_bytes(data[i : i + 2], "little")) for i in range(0, len(data), 2))


def mended(text: str) -> str:
    """Return what is left of text in UTF-16 code units: pairs joined, halves as U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@st.composite
def fragments(draw: st.DrawFn, *, halves: bool = True) -> list[str]:
    """Cut a text into pieces, now and then inside a character of two UTF-16 units.

    Args:
        draw: Hypothesis gives it.
        halves: Now and then one half of a character is all that comes, at the end.
    """
    whole = draw(texts)
    if draw(st.booleans()):
        whole = torn(whole)
        whole += draw(st.sampled_from(["", "", "\ud83d", "\ude00"])) if halves else ""
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=3)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


counts = st.integers(0, 10**6)


@st.composite
def with_some(draw: st.DrawFn, items: Sequence[Object], others: Sequence[Object]) -> list[Object]:
    """Put up to two of `others` between `items`, anywhere but behind the last."""
    mixed = list(items)
    for other in draw(st.lists(st.sampled_from(others), max_size=2)):
        mixed.insert(draw(st.integers(0, max(0, len(mixed) - 1))), other)
    return mixed


@st.composite
def as_json(draw: st.DrawFn, value: Object, *, lines: bool = True) -> str:
    """Write JSON text: compact or over several lines, with escapes or without."""
    indent = draw(st.sampled_from((None, 1))) if lines else None
    plain = json.dumps(value, ensure_ascii=False, indent=indent)
    is_text = plain.encode(errors="replace").decode() == plain  # half a character must be escaped
    return plain if is_text and draw(st.booleans()) else json.dumps(value, indent=indent)


# Event streams

line_ends = st.sampled_from((b"\n", b"\r\n", b"\r"))

_OTHER_LINES = (b": keep-alive", b":", b"id: 7", b"retry: 10", b"x-vendor: y")


@st.composite
def framed(
    draw: st.DrawFn, text: str, *, line_end: bytes | None = None, name: str | None = None
) -> bytes:
    """Write one event of an event stream: the data in one line or several, with other fields."""
    end = line_end or draw(line_ends)
    space = draw(st.sampled_from((b" ", b"")))
    lines = [b"data:" + space + line.encode() for line in text.split("\n")]
    other_lines = _OTHER_LINES if name is not None else (*_OTHER_LINES, b"event: message")
    for other in draw(st.lists(st.sampled_from(other_lines), max_size=1)):
        lines.insert(draw(st.integers(0, len(lines))), other)
    if name is not None:
        lines.insert(0, b"event:" + space + name.encode())
    return b"".join(line + end for line in [*lines, b""])


#: Where the type of an event may stand: in its data, in the name of the event, in both.
Naming: TypeAlias = Literal["data", "event", "both"]


@st.composite
def _named_event(draw: st.DrawFn, event: Object, line_end: bytes | None, naming: Naming) -> bytes:
    data = {**event}
    name = event["type"] if naming != "data" else None
    if naming == "event":
        del data["type"]
    return draw(framed(draw(as_json(data)), line_end=line_end, name=name))


@st.composite
def event_stream(
    draw: st.DrawFn,
    events: Sequence[Object],
    is_complete: Callable[[Sequence[Object]], bool],
    *,
    last: Sequence[str] = (),
    naming: Naming = "data",
) -> tuple[bytes, int]:
    """Frame events as one body.

    Args:
        draw: Hypothesis gives it.
        events: Their data.
        is_complete: Whether the answer is whole by these events.
        last: What may follow, such as ``[DONE]``.
        naming: Where the type of an event stands.

    Returns:
        The body, and where the event begins that completes it.
    """
    line_end = draw(line_ends | st.none())  # None mixes them
    bodies = [draw(_named_event(event, line_end, naming)) for event in events]
    finishing = next(i for i in range(len(events)) if is_complete(events[: i + 1]))
    closing = draw(st.sampled_from((None, *last)))
    if closing is not None:
        bodies.append(draw(framed(closing, line_end=line_end)))
    opening = draw(st.sampled_from((b"", b"\xef\xbb\xbf", b": PROCESSING\n\n", b"\n\n")))
    body = opening + b"".join(bodies)
    if draw(st.booleans()):
        body = body.rstrip(b"\r\n")  # the blank line is missing, with the end of the line or not
        body += draw(st.sampled_from((b"", b"\n", b"\r\n")))
    return body, len(opening) + sum(map(len, bodies[:finishing]))
