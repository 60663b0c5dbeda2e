"""Arguments of a function call that come in pieces, each at its place in the object.

A piece names its place by a JSON path, such as ``$.recipe.steps[2]``, and a string may come in
several pieces. Pieces come in order, so an array only ever grows at its end.

Reference: https://ai.google.dev/api/caching (``FunctionCall.partialArgs``).
"""

from __future__ import annotations

import itertools
import re
from typing import Final, TypeAlias, TypeVar, assert_never, final

from tokenwire import lenient_json as lenient
from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError
from tokenwire.wire.malformed import limit_error, schema_error

#: One step of a path: ``.name``, ``['name']``, ``["name"]`` or ``[0]``.
_STEP: Final = re.compile(r"""\.([^.\[\]]+)|\[(?:'([^']*)'|"([^"]*)"|(\d{1,9}))\]""")

#: What each step of a piece's path is taken to cost in memory besides its text.
_STEP_OVERHEAD: Final = 512

_Key: TypeAlias = str | int


class _Object:
    __slots__ = ("members",)

    def __init__(self) -> None:
        self.members: dict[str, _Node] = {}


class _Array:
    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[_Node] = []


class _String:
    """A string that grows in linear time."""

    __slots__ = ("pieces",)

    def __init__(self) -> None:
        self.pieces: list[str] = []


class _Scalar:
    """A number, a truth value, or null."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


_Node: TypeAlias = _Object | _Array | _String | _Scalar
_NewNode = TypeVar("_NewNode", _Object, _Array, _String, _Scalar)


@final
class Allowance:
    """How much memory the pieces of all open calls may take together.

    Args:
        limits: Bounds on it (``answer_bytes``), and on the depth of arguments.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits: Limits = limits
        self._left = limits.answer_bytes

    def spend(self, size: int) -> None:
        """Count memory that is taken.

        Raises:
            MalformedResponseError: If there is none left.
        """
        self._left -= size
        if self._left < 0:
            raise limit_error("answer_bytes", self.limits.answer_bytes)

    def give_back(self, size: int) -> None:
        """Count memory that is free again."""
        self._left += size


@final
class PartialArgs:
    """The arguments of one call.

    Args:
        allowance: How much they may take.
    """

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._size = 0
        self._root = _Object()

    def add(self, piece: object) -> None:
        """Take a piece.

        Raises:
            MalformedResponseError: If it has no place in what has come, or goes past a limit.
        """
        members = lenient.as_object(piece)
        path = lenient.as_text(members.get("jsonPath")) or ""
        text = members.get("stringValue")
        keys = self._keys(path)
        self._spend(len(keys) * _STEP_OVERHEAD + _size(path) + _size(text))
        container: _Node = self._root
        for key, following in itertools.pairwise(keys):
            container = (
                _child(container, key, _Object(), path)
                if isinstance(following, str)
                else _child(container, key, _Array(), path)
            )
        if isinstance(text, str):
            _child(container, keys[-1], _String(), path).pieces.append(text)
        else:
            value = members.get("numberValue", members.get("boolValue"))
            is_scalar = isinstance(value, int | float)  # what else there is means null
            _child(container, keys[-1], _Scalar(value if is_scalar else None), path)

    def close(self) -> str:
        """Return what has come as JSON text, empty if nothing has. Nothing may follow."""
        arguments = lenient.compact(_plain(self._root)) if self._root.members else ""
        self._allowance.give_back(self._size)
        return arguments

    def _spend(self, size: int) -> None:
        self._size += size
        self._allowance.spend(size)

    def _keys(self, path: str) -> list[_Key]:
        """Read a path, at least one step long."""
        keys: list[_Key] = []
        end = 1
        while step := _STEP.match(path, end):
            name = step[1] or step[2] or step[3]
            keys.append(name if step[4] is None else int(step[4]))
            end = step.end()
        if not path.startswith("$") or end < len(path) or not keys:
            raise _misplaced(path)
        max_depth = self._allowance.limits.json_depth
        if len(keys) > max_depth:
            raise limit_error("json_depth", max_depth)
        return keys


def _size(text: object) -> int:
    """Return an upper bound of the bytes that Python keeps a text in."""
    return 0 if not isinstance(text, str) else len(text) if text.isascii() else 4 * len(text)


def _child(container: _Node, key: _Key, new: _NewNode, path: str) -> _NewNode:
    """Return what is in an object or array at a key; `new`, put there, if it was empty."""
    child: _Node
    match container, key:
        case _Object(), str():
            child = container.members.setdefault(key, new)
        case _Array(), int() if key < len(container.items):
            child = container.items[key]
        case _Array(), int() if key == len(container.items):
            container.items.append(new)
            child = new
        case _:
            raise _misplaced(path)
    if not isinstance(child, type(new)):
        raise _misplaced(path)
    return child


def _misplaced(path: str) -> MalformedResponseError:
    return schema_error(
        "a piece of a function call's arguments has no place in them", path.encode()
    )


def _plain(node: _Node) -> object:
    match node:
        case _Object():
            return {key: _plain(child) for key, child in node.members.items()}
        case _Array():
            return [_plain(child) for child in node.items]
        case _String():
            return "".join(node.pieces)
        case _Scalar():
            return node.value
        case _:
            assert_never(node)
