"""What is left to ask: the lines of IN.jsonl but for those that OUT.jsonl has a result for.

Both files are read once before anything is asked, so that a mistake on the last line of a million
costs nothing. What is kept of them are ids and digests.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Set
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
    _settled: Set[QuestionId] = attrs.field(alias="settled", repr=False)

    def lines(self) -> Iterator[Line]:
        """Read the questions that are left."""
        return (line for line in self._questions if line.question.id not in self._settled)


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
    earlier = {result.id: result for result in results.earlier()}
    failed = {result.id for result in earlier.values() if result.error is not None}
    again = set[QuestionId]() if keep_failed else failed
    numbers: dict[QuestionId, int] = {}
    for line in questions:
        _check_unique(questions, line, numbers)
        if _was_mended(questions, line, earlier, results.name):
            again.add(line.question.id)
    _check_origin(questions, earlier, numbers, results.name)
    settled = {id_: result for id_, result in earlier.items() if id_ not in again}
    results.keep(lambda result: result.id in settled)
    errors = [result.error for result in settled.values() if result.error is not None]
    return Plan(
        to_ask=len(numbers) - len(settled),
        answered=len(settled) - len(errors),
        failed=Counter[str](errors),
        questions=questions,
        settled=frozenset(settled),
    )


def _check_unique(questions: QuestionFile, line: Line, numbers: dict[QuestionId, int]) -> None:
    first = numbers.setdefault(line.question.id, line.number)
    if first != line.number:
        raise questions.refusal(
            line.number, f"its id {_shown(line.question.id)} is that of line {first}, too"
        )


def _was_mended(
    questions: QuestionFile,
    line: Line,
    earlier: Mapping[QuestionId, EarlierResult],
    results_name: str,
) -> bool:
    """Tell whether a question is another one than the one that failed."""
    result = earlier.get(line.question.id)
    if result is None or result.digest == line.digest:
        return False
    if result.error is None:
        raise questions.refusal(
            line.number,
            f"{results_name} answers another question under the id {_shown(result.id)}:"
            " name another file for the results",
        )
    return True


def _check_origin(
    questions: QuestionFile,
    earlier: Mapping[QuestionId, EarlierResult],
    numbers: Mapping[QuestionId, int],
    results_name: str,
) -> None:
    for id_ in earlier:
        if id_ not in numbers:
            raise Refusal(
                f"{results_name} has a result for the id {_shown(id_)}, which is not in"
                f" {questions.name}: name another file for the results"
            )


def _shown(id_: QuestionId) -> str:
    return f"{id_!r:.100}"
