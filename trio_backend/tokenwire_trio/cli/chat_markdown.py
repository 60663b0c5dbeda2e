"""An answer as `tokenwire chat` shows it on a terminal: formatted while it comes.

What is finished is written once and scrolls away like any text. Only the last block, which may
still change, is drawn anew, some times a second and never more of it than the window holds. Drawing
pauses for ten times as long as it took, so that no answer can keep a machine busy with it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, Final, TypeAlias, assert_never, cast, final

import trio
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType, RenderResult
from rich.control import Control
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.segment import ControlType, Segment, Segments
from rich.syntax import Syntax
from rich.text import Text

from tokenwire.errors import ProviderError
from tokenwire.tokens import End, ReasoningDelta, RefusalDelta, TextDelta, Token, ToolCallDelta
from tokenwire_trio.cli.answer_text import finish_note
from tokenwire_trio.cli.chat_blocks import Block, GrowingMarkdown
from tokenwire_trio.cli.outlet import visible

_PAUSE_S: Final = 0.05
_PAUSE_PER_DRAWING: Final = 10.0

#: Of a shorter wait nothing is said.
_WORTH_TELLING_S: Final = 1.0

#: Tells the time in seconds.
Clock: TypeAlias = Callable[[], float]


class _Heading(Heading):
    """A heading at the margin, where the text is."""

    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}


class _Code(CodeBlock):
    """Code without an empty line above and below, so that pieces of it join."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).removesuffix("\n")
        yield Syntax(code, self.lexer_name, theme=self.theme, word_wrap=True, padding=(0, 1))


class _Formatted(Markdown):
    """A block. Links show where they lead: a terminal would hide that."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = Markdown.elements | {
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
    }

    def __init__(self, block: Block) -> None:
        super().__init__("", hyperlinks=False)
        self.parsed = list(block.tokens)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Leave out the empty lines around it: what is above and below decides on those."""
        segments = cast("Iterable[Segment]", super().__rich_console__(console, options))
        lines = [_without_blank_end(line) for line in Segment.split_lines(segments)]
        full = [position for position, line in enumerate(lines) if line]
        for line in lines[full[0] : full[-1] + 1] if full else []:
            yield from line
            yield Segment.line()


def _without_blank_end(line: list[Segment]) -> list[Segment]:
    """Drop the spaces that fill a line, which people would copy, unless they can be seen."""
    line = [*line]
    while line and not (line[-1].style and line[-1].style.bgcolor):
        text, style, control = line.pop()
        if text.rstrip(" "):
            return [*line, Segment(text.rstrip(" "), style, control)]
    return line


@final
class _Screen:
    """A terminal whose last lines can be drawn anew.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._drawn = 0  # lines that are to be drawn anew

    def draw(self, finished: Iterable[RenderableType], rest: RenderableType | None) -> None:
        """Write what is finished for good, and below it the end of the rest until the next time."""
        with self._console:  # all of it at once, so that nothing flickers
            self._erase()
            for renderable in finished:
                self._write(self._lines(renderable))
            if rest is not None:
                lines = self._lines(rest)[-max(self._console.height - 2, 1) :]
                self._write(lines)
                self._drawn = len(lines)

    def _erase(self) -> None:
        erase_line = (ControlType.ERASE_IN_LINE, 2)
        up = ((ControlType.CURSOR_UP, 1), erase_line) * self._drawn
        if up:
            self._console.control(Control(ControlType.CARRIAGE_RETURN, erase_line, *up))
        self._drawn = 0

    def _lines(self, renderable: RenderableType) -> list[list[Segment]]:
        return self._console.render_lines(renderable, pad=False)

    def _write(self, lines: Iterable[Sequence[Segment]]) -> None:
        segments = [segment for line in lines for segment in (*line, Segment.line())]
        self._console.print(Segments(segments), end="")


@final
class _Thought:
    """How long a model thinks, and how much."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._words = 0
        self._mid_word = False

    def add(self, text: str) -> None:
        """Take a piece."""
        goes_on = self._mid_word and text[:1].strip() != ""
        self._words += len(text.split()) - goes_on
        self._mid_word = text[-1:].strip() != ""

    def so_far(self, now: float) -> str:
        """Say it in a few words."""
        words = "1 word" if self._words == 1 else f"{self._words} words"
        return f"{now - self._began:.0f} s, {words}"


@final
class MarkdownAnswer:
    """Shows one answer, formatted, and its reasoning as one line.

    Args:
        console: The terminal.
        clock: For how long things take.
    """

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._screen = _Screen(console)
        self._clock = clock
        self._began = clock()
        self._thought: _Thought | None = None
        self._markdown = GrowingMarkdown()
        self._changed = False
        self._empty = True  # nothing is shown for good
        self._refused = False
        self._calls: dict[int, str] = {}
        self._notes: list[str] = []

    def show(self, token: Token) -> None:
        """Take a token, to be drawn soon; see `keep_drawing`."""
        if token.choice != 0:
            return
        match token:
            case TextDelta():
                self._add_text(token.text)
            case ReasoningDelta():
                self._add_reasoning(token.text)
            case RefusalDelta():
                self._add_text(token.text if self._refused else f"refusal: {token.text}")
                self._refused = True
            case ToolCallDelta():
                name = f"tool call: {token.name or ''} " if token.index not in self._calls else ""
                self._calls[token.index] = self._calls.get(token.index, name) + token.arguments
            case End():
                note = finish_note(token)
                self._notes += [] if note is None else [note]
            case _:
                assert_never(token)

    def _add_text(self, text: str) -> None:
        if text and self._thought is not None:
            self._end_thought()
        self._markdown.add(visible(text))
        self._changed = True

    def _add_reasoning(self, text: str) -> None:
        if self._thought is None:
            self._finish()
            self._thought = _Thought(self._clock())
        self._thought.add(text)

    def _end_thought(self) -> None:
        assert self._thought is not None
        summary = f"thought for {self._thought.so_far(self._clock())}"
        self._thought = None
        self._finish(f"{summary} (/reasoning shows it)")

    def fail(self, error: ProviderError) -> None:
        """Show all that came; what went wrong is told below it."""
        self.close()

    def close(self) -> None:
        """Show all that came, for good. May be called again."""
        if self._thought is not None:
            self._end_thought()
        self._finish(*self._calls.values(), *self._notes)
        self._calls.clear()
        self._notes.clear()

    async def keep_drawing(self) -> None:
        """Draw what has come, again and again, until cancelled."""
        while True:
            began = self._clock()
            self.draw()
            await trio.sleep(max(_PAUSE_S, _PAUSE_PER_DRAWING * (self._clock() - began)))

    def draw(self) -> None:
        """Draw what has come since the last time."""
        now = self._clock()
        if self._thought is not None:
            self._screen.draw((), _aside(f"thinking: {self._thought.so_far(now)}"))
        elif self._changed:
            self._changed = False
            finished, rest = self._markdown.take_finished()
            above = [*self._spaced(finished)]
            self._screen.draw(above, None if rest is None else Group(*self._spaced((rest,))))
            self._empty = self._empty and not finished
        elif self._empty and now - self._began >= _WORTH_TELLING_S:
            self._screen.draw((), _aside(f"waiting: {now - self._began:.0f} s"))

    def _finish(self, *asides: str) -> None:
        """Write all that has come so far for good, and what there is to say of it."""
        finished, rest = self._markdown.take_finished()
        self._markdown = GrowingMarkdown()
        self._changed = False
        blocks = finished if rest is None else [*finished, rest]
        self._screen.draw([*self._spaced(blocks), *map(_aside, asides)], None)
        self._empty = self._empty and not blocks and not asides

    def _spaced(self, blocks: Iterable[Block]) -> Iterator[RenderableType]:
        """Put an empty line above each block."""
        for block in blocks:
            if not block.continues:
                yield Text()
            yield _Formatted(block)


def _aside(text: str) -> Text:
    return Text(visible(text).replace("\n", " "), style="dim")
