"""Runs one fuzzer: ``python -m fuzz sse [options of libFuzzer] [corpus folders]``.

Without atheris, which has wheels for Linux on x86-64 only, Hypothesis takes its place. It knows the
option ``-max_total_time=SECONDS`` alone, and prints its statistics in libFuzzer's words.
"""

from __future__ import annotations

import importlib
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from fuzz.inputs import HARNESSES, inputs

OneInput = Callable[[bytes], None]


def load(name: str) -> OneInput:
    """Return the function of a harness, which raises for an input that breaks an invariant."""
    one_input: OneInput = importlib.import_module(f"fuzz.fuzz_{name}").one_input
    return one_input


def fuzz(name: str, options: list[str]) -> None:
    """Fuzz with atheris, or with Hypothesis where that is not installed."""
    try:
        atheris: Any = importlib.import_module("atheris")  # ships no types
    except ImportError:
        fuzz_with_hypothesis(name, options)
        return
    # What is imported in here is instrumented, so nothing above may import the library.
    with atheris.instrument_imports(include=["tokenwire", "tokenwire_trio", "h11"]):
        one_input = load(name)
    atheris.Setup([f"fuzz_{name}", *options], one_input)
    atheris.Fuzz()


def fuzz_with_hypothesis(name: str, options: list[str]) -> int:
    """Feed random choices to the harness's Hypothesis test until the time is up.

    Returns:
        How many inputs ran. An input that breaks an invariant raises out of here.
    """
    from hypothesis import given

    test: Any = given(inputs(name))(load(name))  # `given` adds what its annotation lacks
    choices = random.Random()  # noqa: S311  # inputs are no secret
    times = [float(o.partition("=")[2]) for o in options if o.startswith("-max_total_time=")]
    end = time.monotonic() + (times[-1] if times else 60)
    executions = 0
    while time.monotonic() < end:
        buffer = choices.randbytes(choices.randint(1, 400))
        executions += test.hypothesis.fuzz_one_input(buffer) is not None
    sys.stderr.write(f"stat::number_of_executed_units: {executions}\n")
    return executions


def main() -> None:
    """Read the command line."""
    name, *options = sys.argv[1:] or [""]
    if name not in HARNESSES:
        sys.exit(f"usage: python -m fuzz {{{','.join(HARNESSES)}}} [options] [corpus folders]")
    fuzz(name, options)


if __name__ == "__main__":
    main()
