"""What is left to ask: the lines of IN.jsonl but for those that OUT.jsonl has a result for.

Both files are read once before anything is asked, so that a mistake on the last line of a million
costs nothing. What is known of a line meanwhile takes some three hundred bytes, afterwards one.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import compress
from typing import final

import attrs

from tokenwire_trio.bulk.question import QuestionId
from tokenwire_trio.cli.batch_questions import Line, QuestionFile
from tokenwire_trio.cli.batch_results import EarlierResult, ResultFile
from tokenwire_trio.cli.refusal import Refusal


@final
@attrs.frozen(kw_only=True)
class Plan:
    """What to ask.

    Attributes:
        to_ask: How many lines are left.
        answered: How many earlier runs have answered.
        failed: How many failed in an earlier run and are left as they are, by the kind of error.
    """

    to_ask: int
    answered: int
    failed: Counter[str]
    _questions: QuestionFile = attrs.field(alias="questions")
    _asks: bytes = attrs.field(alias="asks", repr=False)  # of each line, whether to ask it

    @property
    def empty_file(self) -> str | None:
        """What to call IN.jsonl where it has no questions at all; None where it has some."""
        lines = self.to_ask + self.answered + self.failed.total()
        return None if lines else self._questions.name

    def lines(self) -> Iterator[Line]:
        """Read the questions that are left.

        Raises:
            Refusal: A line is no question any more.
        """
        for number, document in compress(self._questions.documents(), self._asks):
            yield self._questions.read(number, document)


def make_plan(questions: QuestionFile, results: ResultFile, *, keep_failed: bool) -> Plan:
    """Read both files, and drop from the results what is asked again.

    Args:
        questions: IN.jsonl.
        results: OUT.jsonl.
        keep_failed: Ask nothing again that failed, unless its question was changed.

    Raises:
        Refusal: A line of either file cannot be used, two lines have the same id, or the results
            are not those of the questions.
    """
    unmatched = {result.id: result for result in results.earlier()}
    numbers: dict[QuestionId, int] = {}
    asks = bytearray()
    again: set[QuestionId] = set()
    kept: Counter[str | None] = Counter()
    for line in questions:
        _check_unique(questions, line, numbers)
        result = unmatched.pop(line.question.id, None)
        if result is not None:
            _check_same(questions, line, result, results.name)
            if result.error is None or (keep_failed and result.digest == line.digest):
                kept[result.error] += 1
                asks.append(False)
                continue
            again.add(result.id)
        asks.append(True)
    if unmatched:
        raise Refusal(
            f"{results.name} has a result for the id {_shown(next(iter(unmatched)))}, which is not"
            f" in {questions.name}: name another file for the results"
        )
    results.drop(again)
    answered = kept.pop(None, 0)
    failed = Counter({kind: count for kind, count in kept.items() if kind is not None})
    return Plan(
        to_ask=sum(asks), answered=answered, failed=failed, questions=questions, asks=bytes(asks)
    )


def _check_unique(questions: QuestionFile, line: Line, numbers: dict[QuestionId, int]) -> None:
    first = numbers.setdefault(line.question.id, line.number)
    if first != line.number:
        raise questions.refusal(
            line.number,
            f"its id {_shown(line.question.id)} is that of line {first}, too: give each line an id"
            " of its own (one without is known by its number)",
        )


def _check_same(
    questions: QuestionFile, line: Line, result: EarlierResult, results_name: str
) -> None:
    """Refuse an answer to another question; one that failed may be mended."""
    if result.error is None and result.digest != line.digest:
        raise questions.refusal(
            line.number,
            f"{results_name} answers another question under the id {_shown(result.id)}:"
            " name another file for the results",
        )


def _shown(id_: QuestionId) -> str:
    return f"{id_!r:.100}"
