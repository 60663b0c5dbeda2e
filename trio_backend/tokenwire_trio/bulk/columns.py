"""The same for engines that work on columns: Ray Data's batches, pandas' data frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tokenwire_trio.bulk.partition import WorkerSettings, ask_records
from tokenwire_trio.bulk.records import Record

#: Columns that are part of a question; all others pass through.
_QUESTION: Final[tuple[str, ...]] = ("id", "prompt", "messages", "system", "settings")

#: Columns of strings that are added, always all of them: an engine wants one schema for all parts.
_TEXTS: Final = ("text", "finish", "error", "message")
#: The same of numbers.
_COUNTS: Final = ("input_tokens", "output_tokens")


def ask_columns(columns: Mapping[str, Any], settings: WorkerSettings) -> dict[str, list[Any]]:
    """Ask each row of a part of a data set; see `ask_records`, which this is for columns.

    Args:
        columns: Columns of one length, lists or what has ``tolist`` (NumPy arrays, pandas series),
            by name. ``prompt`` or ``messages``, and if they are there ``id``, ``system`` and
            ``settings``, make the question; a None in one of them counts as missing.
        settings: Whom to ask, and how.

    Returns:
        All the columns as they came, and these: ``text`` and ``finish`` of the answer; ``error``
        and ``message`` of what failed; ``input_tokens`` and ``output_tokens`` as the provider
        counted them. Each is None where a row has none.

    Raises:
        ConfigError: If a variable that the configuration names is not set on this worker.
        ValueError: If the columns differ in length or hold no question, or the endpoint cannot work
            as it is set up.
    """
    lists = {name: _as_list(column) for name, column in columns.items()}
    _check(lists)
    asked = {name: lists[name] for name in _QUESTION if name in lists}
    rows = [
        {name: value for name, value in zip(asked, row, strict=True) if value is not None}
        for row in zip(*asked.values(), strict=True)
    ]
    results = ask_records(rows, settings)
    return {**lists, **_columns(results)}


def _check(columns: Mapping[str, list[Any]]) -> None:
    if not {"prompt", "messages"} & columns.keys():
        raise ValueError(f"no column is named prompt or messages, only {', '.join(columns)}")
    if len({len(column) for column in columns.values()}) > 1:
        lengths = (f"{name} has {len(column)}" for name, column in columns.items())
        raise ValueError(f"the columns differ in length: {', '.join(lengths)}")


def _as_list(column: Any) -> list[Any]:
    """Return the values as Python has them: JSON knows no number of NumPy's."""
    values: Sequence[Any] = column.tolist() if hasattr(column, "tolist") else column
    return list(values)


def _columns(results: Sequence[Record]) -> dict[str, list[Any]]:
    usages: list[Record] = [result.get("usage") or {} for result in results]
    return {name: [result.get(name) for result in results] for name in _TEXTS} | {
        name: [usage.get(name) for usage in usages] for name in _COUNTS
    }
