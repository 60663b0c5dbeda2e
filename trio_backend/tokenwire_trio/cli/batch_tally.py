"""What a run has come to so far: counted while it runs, told when it ends."""

from collections import Counter
from typing import Final, assert_never, final

from tokenwire.errors import AuthError, OtherError, ProviderError, RateLimitError
from tokenwire.retry_policy import Attempt
from tokenwire_trio.bulk.records import LOCAL
from tokenwire_trio.bulk.result import Answered, Failed, Failure, Result
from tokenwire_trio.cli.exit_codes import ExitCode

#: So many refused keys in a row are no matter of a single line.
_HOPELESS_IN_A_ROW: Final = 3


@final
class Tally:
    """Counts results.

    Args:
        stop_after: After how many failures in a row to stop.

    Attributes:
        answered: How many lines were answered.
        failed: How many failed, by the kind of error.
        examples: The last error of each kind.
        tokens: Model tokens of the answers, or pieces where the provider did not count.
        exact: The provider counted them all.
        retries: How many attempts followed a failed one.
    """

    def __init__(self, stop_after: int) -> None:
        self._stop_after = stop_after
        self._in_a_row = 0
        self._hopeless_in_a_row = 0
        self.answered: int = 0
        self.failed: Counter[str] = Counter()
        self.examples: dict[str, Failure] = {}
        self.tokens: int = 0
        self.exact: bool = True
        self.retries: int = 0

    @property
    def done(self) -> int:
        """How many lines have a result."""
        return self.answered + self.failed.total()

    @property
    def must_stop(self) -> bool:
        """Whether the next line, too, would fail."""
        return self._in_a_row >= self._stop_after or self._hopeless_in_a_row >= _HOPELESS_IN_A_ROW

    def count(self, result: Result) -> None:
        """Take a result into account."""
        match result:
            case Answered():
                self._count_answer(result)
            case Failed():
                self._count_failure(result.error)
            case _:
                assert_never(result)

    def count_attempt(self, attempt: Attempt) -> None:
        """Take an attempt that failed into account."""
        self.retries += attempt.delay_s is not None

    def _count_answer(self, result: Answered) -> None:
        self.answered += 1
        self._in_a_row = self._hopeless_in_a_row = 0
        usage = result.completion.usage
        counted = usage.output_tokens if usage is not None else None
        self.exact &= counted is not None
        self.tokens += result.deltas if counted is None else counted

    def _count_failure(self, error: Failure) -> None:
        kind = error.label if isinstance(error, ProviderError) else LOCAL
        self.failed[kind] += 1
        self.examples[kind] = error
        self._in_a_row += 1
        self._hopeless_in_a_row = self._hopeless_in_a_row + 1 if _is_hopeless(error) else 0


def _is_hopeless(error: Failure) -> bool:
    """Tell whether an error is about the key, the account, the URL or the model of all lines."""
    match error:
        case AuthError() | RateLimitError(scope="quota") | OtherError(kind="not_found"):
            return True
        case _:
            return False


def code_of(failed: Counter[str]) -> ExitCode:
    """Return the exit code of the kind of which there are most failures."""
    if not failed:
        return ExitCode.COMPLETE
    [(kind, _)] = failed.most_common(1)
    return ExitCode.USAGE if kind == LOCAL else ExitCode[kind.upper()]
