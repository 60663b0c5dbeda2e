"""The contract of `tokenwire.wire.base.Wire`, as checks to be run one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import final

import attrs

from tokenwire.testing import answer_checks, failure_checks, request_checks
from tokenwire.testing.invariants import require_assertions
from tokenwire.testing.samples import AnswerSample, FailureSample, WireSample


@final
@attrs.frozen
class WireCheck:
    """One promise of a wire format; its string is its name, to be a test's id.

    Attributes:
        name: What is promised.
        run: Checks it; raises `AssertionError` where it is broken.
    """

    name: str
    run: Callable[[], None] = attrs.field(repr=False)

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> None:
        """Check the promise.

        Raises:
            AssertionError: If it is broken; the message says how, and what to do.
        """
        self.run()


def wire_contract(sample: WireSample) -> tuple[WireCheck, ...]:
    """Return everything that a wire format has to keep to, for one that these samples show.

    The checks need no test framework; with pytest, each is a test of its own::

        @pytest.mark.parametrize("check", wire_contract(SAMPLE), ids=str)
        def test_the_contract(check: WireCheck) -> None:
            check()

    Args:
        sample: The wire format, and what its API takes and says.

    Returns:
        The checks, named ``requests: …``, ``answer …: …``, ``failure …: …`` and ``failures: …``.

    Raises:
        RuntimeError: Under ``python -O``, where no check could fail.
    """
    require_assertions()
    return tuple(_checks(sample))


def _checks(sample: WireSample) -> Iterator[WireCheck]:
    for name, check in _OF_REQUESTS.items():
        yield WireCheck(f"requests: {name}", partial(check, sample))
    for answer in sample.answers:
        for name, check_answer in _OF_ANSWERS.items():
            yield WireCheck(f"answer {answer.name}: {name}", partial(check_answer, sample, answer))
        if answer.signatures:
            check = partial(answer_checks.check_signatures, sample, answer)
            yield WireCheck(f"answer {answer.name}: signatures go back", check)
    for failure in sample.failures:
        for name, check_failure in _OF_A_FAILURE.items():
            check = partial(check_failure, sample, failure)
            yield WireCheck(f"failure {failure.name}: {name}", check)
    for name, check in _OF_FAILURES.items():
        yield WireCheck(f"failures: {name}", partial(check, sample))


_OF_REQUESTS: dict[str, Callable[[WireSample], None]] = {
    "the wire format describes itself": request_checks.check_description,
    "they are well formed": request_checks.check_form,
    "an empty conversation is refused": request_checks.check_empty_conversation,
    "what is said is sent or refused": request_checks.check_said,
    "what is set is sent or refused": request_checks.check_settings,
    "what is unset is not sent": request_checks.check_unset,
    "extra goes in and replaces nothing": request_checks.check_extra,
    "what JSON cannot hold is refused": request_checks.check_unwritable,
}

_OF_ANSWERS: dict[str, Callable[[WireSample, AnswerSample], None]] = {
    "it says what the sample says": answer_checks.check_meaning,
    "cuts change nothing": answer_checks.check_cuts,
    "half of it is no success": answer_checks.check_half,
    "it outlives its connection": answer_checks.check_broken_connection,
    "it ends once": answer_checks.check_repeated,
    "two at the same time do not mix": answer_checks.check_independence,
    "damage raises nothing": answer_checks.check_damage,
    "limits bound it": answer_checks.check_limits,
}

_OF_A_FAILURE: dict[str, Callable[[WireSample, FailureSample], None]] = {
    "it is the kind it is": failure_checks.check_kind,
    "damage raises nothing": failure_checks.check_damage,
    "neither key nor prompt shows": failure_checks.check_secrets,
}

_OF_FAILURES: dict[str, Callable[[WireSample], None]] = {
    "every status is one of five kinds": failure_checks.check_statuses,
    "a status alone says what it means": failure_checks.check_plain_statuses,
    "a success without an answer is one": failure_checks.check_no_answers,
    "no header raises anything": failure_checks.check_odd_headers,
}
