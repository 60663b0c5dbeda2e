"""The fuzzers themselves: they run without atheris, start from real streams, and find mistakes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings

from fuzz import fuzz_anthropic, fuzz_body_framing, fuzz_splits, fuzz_sse, fuzz_tls_records
from fuzz.__main__ import fuzz_with_hypothesis, load
from fuzz.completeness import may_be_whole
from fuzz.exchanges import Response
from fuzz.inputs import HARNESSES, dictionary, inputs, seeds
from fuzz.make_seeds import write_seeds
from tests.split_points import EXHAUSTIVE
from tokenwire.sse import SSEDecoder
from tokenwire.wire import WIRE_KINDS
from tokenwire.wire.anthropic.answer import MessageReader
from tokenwire_trio.tls_stream import TLSStream

ROOT = Path(__file__).parents[1]

every_harness = pytest.mark.parametrize("name", HARNESSES)


@every_harness
def test_a_harness_passes_its_seeds(name: str) -> None:
    """The streams of this suite, and of recordings where there are some, break no invariant."""
    one_input = load(name)
    for seed in seeds(name)[:: 1 if EXHAUSTIVE else 4]:
        one_input(seed)


@every_harness
def test_a_harness_passes_what_hypothesis_makes_of_them(name: str) -> None:
    """Pieces of seeds, words of the dictionary and noise break none, either."""
    settings(max_examples=20_000 if EXHAUSTIVE else 25)(given(inputs(name))(load(name)))()


def test_the_engine_without_atheris_counts_what_it_ran(capsys: pytest.CaptureFixture[str]) -> None:
    """It understands the time limit, and speaks of its executions in libFuzzer's words."""
    executions = fuzz_with_hypothesis("ndjson", ["-max_total_time=0.2", "-dict=x"])
    assert executions > 0
    assert f"number_of_executed_units: {executions}" in capsys.readouterr().err


def test_a_decoder_that_loses_a_byte_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event-stream harness compares with the standard, so it sees what all cuts agree on."""
    right = SSEDecoder.receive_data

    def wrong(self: SSEDecoder, data: bytes) -> object:
        return right(self, data[1:])

    monkeypatch.setattr(SSEDecoder, "receive_data", wrong)
    with pytest.raises(AssertionError):
        fuzz_sse.one_input(b"data: a\n\ndata: b\n\n")


def test_a_decoder_that_depends_on_the_cuts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The split harness sees a difference that only some cuts make."""
    right = SSEDecoder.receive_runs

    def wrong(self: SSEDecoder, data: bytes) -> object:
        return right(self, data.replace(b"ab", b"ba"))

    monkeypatch.setattr(SSEDecoder, "receive_runs", wrong)
    with pytest.raises(AssertionError):
        fuzz_splits.one_input(b'200 clean\n\ndata: {"choices":[{"delta":{"content":"ab"}}]}\n\n')


def test_framing_that_h11_refuses_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness of bodies sees where our own reading takes what is no chunk for one."""
    lenient = re.compile(rb"\s*([0-9A-Fa-f]+)\r?\n")
    monkeypatch.setattr("tokenwire_trio.plain_chunks._BETWEEN", lenient)
    with pytest.raises(AssertionError):
        fuzz_body_framing.one_input(b"1\n.\r\n0\r\n\r\n")


def test_damaged_records_that_pass_for_the_end_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness of TLS sees where an error would be taken for an end, as an attacker wants it."""
    right = TLSStream.receive_some

    async def wrong(self: TLSStream, max_bytes: int | None = None) -> bytes:
        try:
            return await right(self, max_bytes)
        except trio.BrokenResourceError:
            return b""

    monkeypatch.setattr(TLSStream, "receive_some", wrong)
    with pytest.raises(AssertionError):
        fuzz_tls_records.one_input(b"say 5\nsay 40\nflip 40\nbye\n")


def test_half_an_answer_that_passes_for_a_whole_one_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The harness of a wire format knows by itself what completes an answer."""
    monkeypatch.setattr(MessageReader, "complete", True)
    with pytest.raises(AssertionError):
        fuzz_anthropic.one_input(b'{"type":"ping"}')


@pytest.mark.parametrize("wire", WIRE_KINDS)
def test_what_is_whole_is_known_for_every_wire_format(wire: str) -> None:
    """It holds of all own streams that end well, and of none that breaks off."""
    folder = ROOT / "tests" / "data" / wire.replace("-", "_")
    told: set[bool] = set()
    for file in folder.glob("*.events.json"):
        case = json.loads(file.read_bytes())
        [body] = [other for other in folder.glob(f"{file.name.split('.')[0]}.*") if other != file]
        response = Response(body.read_bytes(), ending=case.get("ending", "clean"), wire=wire)
        match case["events"][-1]:
            case {"type": "end"}:
                assert may_be_whole(response), file.name
                told.add(True)
            case {"reason": "truncated"} | {"error": "network"}:
                assert not may_be_whole(response), file.name
                told.add(False)
            case _:
                pass  # an error may follow a finish reason
    assert told == {True, False}


@every_harness
def test_a_dictionary_speaks_the_language_of_its_seeds(name: str) -> None:
    """Most of its words stand in a seed; the escapes of libFuzzer are undone."""
    words, known = dictionary(name), b"".join(seeds(name))
    assert all(words)
    assert b"\\x0a" not in words
    assert sum(word in known for word in words) > len(words) // 3


def test_seeds_are_written_for_every_harness(tmp_path: Path) -> None:
    """One folder each, no input longer than fuzzers take."""
    counts = write_seeds(tmp_path)
    assert counts.keys() == HARNESSES.keys()
    for name, count in counts.items():
        sizes = [file.stat().st_size for file in (tmp_path / name).iterdir()]
        assert len(sizes) == count > 0
        assert max(sizes) <= HARNESSES[name].max_bytes


def test_an_unknown_harness_is_refused_with_the_known_ones() -> None:
    """A slip of the pen shows what there is."""
    finished = subprocess.run(
        [sys.executable, "-m", "fuzz", "ssse"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode != 0
    assert f"{{{','.join(HARNESSES)}}}" in finished.stderr


def test_every_wire_format_has_a_harness() -> None:
    """Named as its folder of streams is."""
    assert {kind.replace("-", "_") for kind in WIRE_KINDS} <= HARNESSES.keys()
