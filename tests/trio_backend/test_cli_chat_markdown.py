"""How `tokenwire chat` formats an answer while it comes: what is on the screen in the end."""

import io
import re
from collections.abc import Iterator
from itertools import count

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from trio.testing import MockClock

from tokenwire.errors import NetworkError
from tokenwire.tokens import End, ReasoningDelta, RefusalDelta, TextDelta, Token, ToolCallDelta
from tokenwire_trio.cli.chat_blocks import Block, GrowingMarkdown
from tokenwire_trio.cli.chat_markdown import MarkdownAnswer

_DOCUMENT = """\
# A title
Some *text* with **bold**, `code` and a [link](https://host.example/a).
A second line.

## List
- one
- two, long enough to be wrapped in a window of forty columns
  - nested
- three

1. first
2. second

| a | b |
|---|--:|
| x | 1 |

> quoted

```python
def f() -> int:

    return 1
```

***
Bye ![a cat](https://host.example/cat.png), <b>bold</b>
"""

_SHOWN = """

A title

Some text with bold, code and a link
(https://host.example/a).
A second line.

List

 • one
 • two, long enough to be wrapped in a
   window of forty columns
    • nested
 • three

 1 first
 2 second

 a  b
 ────
 x  1

▌ quoted

 def f() -> int:

     return 1

----------------------------------------

Bye [picture: a cat]
(https://host.example/cat.png),
<b>bold</b>
"""

_ERASES = re.compile("\r\x1b\\[2K((?:\x1b\\[1A\x1b\\[2K)*)")
_STYLES = re.compile("\x1b\\[[0-9;]*m")


def _console(width: int = 40, height: int = 12) -> Console:
    return Console(
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        _environ={},
    )


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _screen(written: str) -> str:
    """Return what a terminal shows in the end, without its colours."""
    lines = [""]
    position = 0
    for erasing in _ERASES.finditer(written):
        lines = _grown(lines, written[position : erasing.start()])
        up = erasing[1].count("A")
        lines = [*lines[: len(lines) - 1 - up], ""]
        position = erasing.end()
    text = "\n".join(_grown(lines, written[position:]))
    return "\n".join(line.rstrip() for line in _STYLES.sub("", text).split("\n"))


def _grown(lines: list[str], text: str) -> list[str]:
    *before, last = lines
    first, *more = text.split("\n")
    return [*before, last + first, *more]


async def _show(answer: MarkdownAnswer, *tokens: Token, every_s: float = 0.2) -> None:
    """Let tokens come one after the other, and be drawn meanwhile."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer.keep_drawing)
        for token in tokens:
            answer.show(token)
            await trio.sleep(every_s)
        nursery.cancel_scope.cancel()
    answer.close()


def _pieces(text: str, length: int) -> Iterator[TextDelta]:
    return (TextDelta(text[start : start + length]) for start in range(0, len(text), length))


@pytest.mark.parametrize("length", [3, 50, 10_000])
async def test_what_is_shown_does_not_depend_on_the_pieces(
    length: int, autojump_clock: MockClock
) -> None:
    """Drawn after each, or once at the end, the document is the same."""
    console = _console()
    await _show(MarkdownAnswer(console, trio.current_time), *_pieces(_DOCUMENT, length))
    assert _screen(_written(console)) == _SHOWN[1:]


async def test_an_answer_is_drawn_while_it_comes(autojump_clock: MockClock) -> None:
    """Its first word can be read before the second one has come."""
    console = _console()
    answer = MarkdownAnswer(console, trio.current_time)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer.keep_drawing)
        answer.show(TextDelta("Hello"))
        await trio.sleep(0.2)
        assert _screen(_written(console)) == "\nHello\n"
        answer.show(TextDelta(" there"))
        await trio.sleep(0.2)
        assert _screen(_written(console)) == "\nHello there\n"
        nursery.cancel_scope.cancel()


async def test_reasoning_is_one_line_that_says_how_much(autojump_clock: MockClock) -> None:
    """It counts while the model thinks, and words that come in two pieces once."""
    console = _console()
    tokens: list[Token] = [ReasoningDelta("One tw"), ReasoningDelta("o three"), TextDelta("Yes.")]
    await _show(MarkdownAnswer(console, trio.current_time), *tokens, every_s=2)
    written = _written(console)
    assert "thinking: 2 s, 2 words" in written
    assert "two" not in written
    assert _screen(written) == "thought for 4 s, 3 words (/reasoning\nshows it)\n\nYes.\n"


async def test_a_long_wait_is_told_until_it_is_over(autojump_clock: MockClock) -> None:
    """Of a short one nothing is said."""
    console = _console()
    await _show(MarkdownAnswer(console, trio.current_time), TextDelta(""), every_s=0.9)
    assert _written(console) == ""
    await _show(MarkdownAnswer(console, trio.current_time), TextDelta(""), every_s=2.5)
    assert "waiting: 2 s" in _written(console)
    assert _screen(_written(console)) == ""


def test_whatever_else_is_in_an_answer_is_told() -> None:
    """Refusals, tool calls and the reason of an early end, but not other choices."""
    console = _console()
    answer = MarkdownAnswer(console)
    for token in (
        RefusalDelta("I can't"),
        RefusalDelta(" do that."),
        ToolCallDelta(0, "id-1", "look_up", '{"name"'),
        ToolCallDelta(0, arguments=": 1}"),
        TextDelta("another", choice=1),
        End("length", "max_tokens"),
    ):
        answer.show(token)
    answer.close()
    assert _screen(_written(console)).splitlines() == [
        "",
        "refusal: I can't do that.",
        'tool call: look_up {"name": 1}',
        "finish reason: length (max_tokens)",
    ]


def test_a_failure_leaves_what_has_come() -> None:
    """The error is told below it, and closing once more changes nothing."""
    console = _console()
    answer = MarkdownAnswer(console)
    answer.show(ReasoningDelta("Hm"))
    answer.fail(NetworkError(phase="body", message="cut"))
    written = _written(console)
    answer.close()
    assert _written(console) == written
    assert _screen(written).startswith("thought for 0 s, 1 word (")


async def test_the_part_that_is_drawn_anew_fits_the_window(autojump_clock: MockClock) -> None:
    """Lines that left the window can't be erased, and would be there twice."""
    console = _console(height=8)
    text = "\n".join(f"line {number}" for number in range(30))
    await _show(MarkdownAnswer(console, trio.current_time), *_pieces(text, 40))
    assert max(erasing.count("A") for erasing in _ERASES.findall(_written(console))) == 6
    assert _screen(_written(console)) == f"\n{text}\n"


@pytest.mark.parametrize(
    "line",
    ["- an item of a list\n", "1. an item of a list\n", "a paragraph\n\n", "a = 1\n"],
)
def test_the_part_that_is_drawn_anew_stays_small(line: str) -> None:
    """So the cost of an answer grows with its length, and not with the square of it."""
    markdown = GrowingMarkdown()
    markdown.add("```\n" if "=" in line else "")
    shown: list[Block] = []
    for _ in range(500):
        markdown.add(line)
        finished, rest = markdown.take_finished()
        shown += finished
        assert rest is not None
        assert sum(token.content.count("\n") for token in rest.tokens) <= 20
    assert sum(len(block.tokens) for block in shown) > 20


def test_long_code_is_shown_line_by_line_and_once() -> None:
    """Pieces join without a gap, empty lines and what looks like Markdown included."""
    code = "".join(f"# {number}\n\n" for number in range(33))
    console = _console()
    answer = MarkdownAnswer(console, count().__next__)
    for piece in _pieces(f"Code:\n```sh\n{code}```\nEnd.", 25):
        answer.show(piece)
        answer.draw()
    answer.close()
    shown = "".join(f" {line}".rstrip() + "\n" for line in code.splitlines())
    assert _screen(_written(console)) == f"\nCode:\n\n{shown}\nEnd.\n"


_MARKS = (
    *("# ", "- ", "1. ", "> ", "```", "~~~", "|", "a|b\n", "|-|-|\n", "---", "\n", "    ", "\t"),
    *("word ", "**", "_", "`", "[l](u)", "![](x)", "<kbd>", "</kbd>", "日本", "👋", "\\", "\x00"),
    *("\x1b[2J", "\x9b", "\r", "\u2028", "&#27;", "&#x9b;", "&#13;", "\x07"),
)


@given(
    st.lists(st.sampled_from(_MARKS), max_size=30),
    st.sampled_from([1, 3, 40]),
    st.integers(1, 8),
)
def test_no_answer_commands_the_terminal(marks: list[str], width: int, step: int) -> None:
    """Nor does any break the chat: only styles and the erasing of our own lines come out."""
    console = _console(width)
    answer = MarkdownAnswer(console, count().__next__)
    for position, mark in enumerate(marks):
        answer.show(TextDelta(mark))
        if position % step == 0:
            answer.draw()
    answer.close()
    rest = _STYLES.sub("", _ERASES.sub("", _written(console)))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", rest)
