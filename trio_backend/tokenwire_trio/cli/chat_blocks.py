"""Markdown that grows: what of it is finished, and what may still change.

Markdown means something else with each character that follows: a line of dashes makes a heading of
the line above it, a list may go on. But only its last block can change, so all before that can be
shown for good, and is never looked at again. That keeps the cost of a long answer linear. Where the
last block is a list, the same holds for its items, and a long block of code is cut into pieces.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, final

import attrs
from markdown_it import MarkdownIt
from markdown_it.token import Token

#: So many lines of code are shown for good together.
_CODE_PIECE_LINES: Final = 20

#: A model's HTML is text like any other, for there is no browser to show it.
_PARSER: Final = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").enable("table")

#: Markdown has no other line ends, unlike `str.splitlines`.
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")


@final
@attrs.frozen
class Block:
    """A block of Markdown, or a part of a long one.

    Attributes:
        tokens: As the parser has them.
        continues: It goes on with the block before, with no space in between.
    """

    tokens: Sequence[Token]
    continues: bool = False

    @property
    def first_line(self) -> int:
        """Where it begins in what was parsed."""
        lines = self.tokens[0].map
        assert lines is not None  # every block has its lines
        return lines[0]


@final
class GrowingMarkdown:
    """Takes Markdown piece by piece."""

    def __init__(self) -> None:
        self._unfinished: list[str] = []
        self._continues = False  # what is unfinished goes on with what is finished

    def add(self, text: str) -> None:
        """Take the next piece."""
        self._unfinished.append(text)

    def take_finished(self) -> tuple[list[Block], Block | None]:
        """Return the blocks that got finished since the last call, and the one that did not."""
        text = "".join(self._unfinished)
        blocks = [Block(tokens) for tokens in _blocks(_parsed(text))]
        if not blocks:
            return [], None
        *finished, last = blocks
        *parts, rest = _parts(last)
        found = [*finished, *parts, rest]
        found[0] = attrs.evolve(found[0], continues=self._continues)
        self._continues = found[-1].continues
        self._keep(text, last.first_line, rest)
        return found[:-1], found[-1]

    def _keep(self, text: str, block_begins: int, rest: Block) -> None:
        """Keep the rest of the last block; for a piece of code also the line that says so."""
        lines = _LINES.findall(text)
        kept = lines[rest.first_line :]
        if rest.tokens[0].type == "fence" and rest.first_line > block_begins:
            kept.insert(0, lines[block_begins])
        self._unfinished = kept


def _parsed(text: str) -> list[Token]:
    tokens = _PARSER.parse(text)
    for token in tokens:
        for child in token.children or ():
            match child.type:
                case "softbreak":
                    child.type = "hardbreak"  # models that end a line mean it, as in a poem
                case "image":
                    child.content = f"[picture: {child.content}] ({child.attrGet('src')})"
                    child.type, child.tag, child.children = "text", "", None
                case _:
                    pass
    return tokens


def _blocks(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Cut what is parsed into its outermost blocks."""
    start = depth = 0
    for end, token in enumerate(tokens, 1):
        depth += token.nesting
        if depth == 0:
            yield tokens[start:end]
            start = end


def _parts(block: Block) -> Iterator[Block]:
    """Cut a block where it can't change any more; the first part does not continue anything."""
    match block.tokens[0].type:
        case "bullet_list_open" | "ordered_list_open":
            return _items(block.tokens)
        case "fence":
            return _pieces(block.tokens[0])
        case _:
            return iter((block,))


def _items(tokens: Sequence[Token]) -> Iterator[Block]:
    """Make a list of each item."""
    opening, *items, closing = tokens
    for position, item in enumerate(_blocks(items)):
        start = {"start": item[0].info} if item[0].info else {}  # the number that the model gave
        first = opening.copy(map=item[0].map, attrs={**opening.attrs, **start})
        yield Block([first, *item, closing], continues=position > 0)


def _pieces(fence: Token) -> Iterator[Block]:
    """Make a fence of so many lines at a time."""
    lines: list[str] = _LINES.findall(fence.content)
    assert fence.map is not None
    for start in range(0, max(len(lines), 1), _CODE_PIECE_LINES):
        content = "".join(lines[start : start + _CODE_PIECE_LINES])
        # The first piece begins with the line that opens the fence.
        begins = fence.map[0] + (start + 1 if start else 0)
        piece = fence.copy(content=content, map=[begins, fence.map[1]])
        yield Block([piece], continues=start > 0)
