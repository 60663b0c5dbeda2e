"""The part of `tokenwire batch` that needs the network, and so trio."""

import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, final

import attrs
import trio

from tokenwire.provider import Provider
from tokenwire.retry_policy import Attempt, RetryPolicy
from tokenwire_trio.attempts import OnAttempt
from tokenwire_trio.bulk.asking import Answers, ask_all
from tokenwire_trio.bulk.question import Question, QuestionId
from tokenwire_trio.bulk.records import result_record
from tokenwire_trio.bulk.result import Result
from tokenwire_trio.cli.advice import with_advice
from tokenwire_trio.cli.batch_options import BatchOptions
from tokenwire_trio.cli.batch_plan import Plan, make_plan
from tokenwire_trio.cli.batch_progress import Progress, ProgressDisplay, Speedometer
from tokenwire_trio.cli.batch_questions import question_file
from tokenwire_trio.cli.batch_results import ResultFile, result_file
from tokenwire_trio.cli.batch_summary import Summary, terminal_width
from tokenwire_trio.cli.batch_tally import Tally, code_of
from tokenwire_trio.cli.exit_codes import ExitCode
from tokenwire_trio.cli.outlet import Outlet
from tokenwire_trio.cli.provider_section import Target
from tokenwire_trio.limited import Limited, Rate
from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.provider import open_provider
from tokenwire_trio.retrying import Retrying

#: What asks a program to end. Neither is a reason to lose answers that are nearly there.
_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

#: How long those may take then. Supervisors send one SIGTERM and kill after 10 to 90 seconds.
_LAST_ANSWERS_S: Final = 30.0


@final
@attrs.frozen
class Job:
    """What to do, and where its results go."""

    plan: Plan
    results: ResultFile


@contextmanager
def opened(questions: Path, results: Path, *, keep_failed: bool) -> Generator[Job, None, None]:
    """Open both files for as long as the block lasts, and find out what is left to ask.

    Raises:
        Refusal: One of them cannot be used.
    """
    with question_file(questions) as source, result_file(results, questions) as file:
        try:
            plan = make_plan(source, file, keep_failed=keep_failed)
        except BaseException:
            file.discard_if_new()
            raise
        yield Job(plan, file)


async def run(
    whom: AbstractAsyncContextManager[Target], job: Job, settings: BatchOptions, stderr: Outlet
) -> ExitCode:
    """Ask what is left to ask, and say what came of it.

    Returns:
        How the command ends.

    Raises:
        Refusal: If there is nobody to ask.
        ValueError: If the endpoint is set up in a way that cannot work.
        OSError: If a result can't be written.
    """
    async with whom as target:
        batch = _Batch(job, settings, stderr, target.key_variable)
        began = trio.current_time()
        async with open_provider(target.section) as provider:
            await batch.run(_as_told(provider, settings, batch.heed_attempt))
        summary = Summary(
            plan=job.plan,
            tally=batch.tally,
            seconds=trio.current_time() - began,
            key_variable=target.key_variable,
        )
        if not settings.quiet:
            for line in summary.lines(terminal_width() if stderr.terminal else None):
                stderr.notice(line)
    if batch.interrupted:
        return ExitCode.INTERRUPTED
    return code_of(batch.tally.failed + job.plan.failed)


def _as_told(provider: Provider, settings: BatchOptions, on_attempt: OnAttempt) -> Provider:
    """Try again and keep to the rate, which counts attempts and not lines."""
    if settings.rate is not None:
        requests, per_s = settings.rate
        provider = Limited(provider, rate=Rate(requests, per_s=per_s))
    policy = RetryPolicy(
        attempts=settings.attempts, retry_overloaded=True, retry_sent=settings.retry_sent
    )
    return Retrying(provider, policy, on_attempt=on_attempt)


@final
class _Batch:
    """One run.

    Attributes:
        tally: What has come so far.
        interrupted: Somebody wanted it to end.
    """

    def __init__(
        self, job: Job, settings: BatchOptions, stderr: Outlet, key_variable: str | None
    ) -> None:
        self._job = job
        self._settings = settings
        self._key_variable = key_variable
        self._told: set[str] = set()  # kinds of errors
        self._display = ProgressDisplay(stderr)
        self._digests: dict[QuestionId, str] = {}  # of the lines under way
        self._scope = trio.CancelScope()
        self.tally = Tally(settings.stop_after)
        self.interrupted: bool = False

    async def run(self, provider: Provider) -> None:
        """Ask until all is asked, nothing comes of it any more, or somebody wants an end."""
        concurrency = self._settings.concurrency
        with self._scope:
            async with (
                ask_all(provider, self._questions(), concurrency=concurrency) as answers,
                brief_nursery() as nursery,
            ):
                nursery.start_soon(self._heed_signals, answers)
                if not self._settings.quiet:
                    read = partial(self._progress, Speedometer(self._job.plan.to_ask), answers)
                    nursery.start_soon(self._display.show, read)
                async for result in answers:
                    self._take(result)
                    if self.tally.must_stop:
                        answers.stop_asking()
                nursery.cancel_scope.cancel()

    def heed_attempt(self, attempt: Attempt) -> None:
        """Count an attempt that failed, and tell the first of its kind: the run may last."""
        self.tally.count_attempt(attempt)
        kind = attempt.error.label
        if kind not in self._told and not self._settings.quiet:
            self._told.add(kind)
            follows = "" if attempt.delay_s is None else ", trying again"
            told = with_advice(attempt.error, self._key_variable)
            self._display.say(f"First failure ({kind}){follows}: {told}")

    def _questions(self) -> Iterator[Question]:
        for line in self._job.plan.lines():
            self._digests[line.question.id] = line.digest
            yield line.question

    def _take(self, result: Result) -> None:
        digest = self._digests.pop(result.id)
        self._job.results.write(result.id, digest, result_record(result))
        self.tally.count(result)

    def _progress(self, speedometer: Speedometer, answers: Answers) -> Progress:
        failed = self.tally.failed.total()
        return speedometer.read(done=self.tally.done, failed=failed, deltas=answers.deltas)

    async def _heed_signals(self, answers: Answers) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # only there can a program hear them
        with trio.open_signal_receiver(*_ENDING_SIGNALS) as signals:
            async for _ in signals:
                if self.interrupted:
                    self._scope.cancel()
                    return
                self.interrupted = True
                answers.stop_asking()
                self._scope.deadline = trio.current_time() + _LAST_ANSWERS_S
                self._display.say(
                    f"Waiting {_LAST_ANSWERS_S:g} s for {answers.under_way};"
                    " Ctrl-C again drops them"
                )
