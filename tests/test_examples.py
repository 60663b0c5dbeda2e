"""The programs in examples/ do what they say, against a real server."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gguf import ANSWER, TOOL_NUMBER, TOOL_TEXT
from tests.guides import Block, blocks_of, execute
from tests.trio_backend.cli_process import child_environment
from tokenwire import AuthError, ToolCall
from tokenwire.testing import wire_contract
from tokenwire_trio.testing import Outcome, Scenario, serve
from tokenwire_trio.testing.responses import response
from tokenwire_trio.testing.steps import CloseCleanly, ReadRequest, Send

_EXAMPLES = Path(__file__).parents[1] / "examples"
_ADDING_A_WIRE = Path(__file__).parents[1] / "docs" / "adding-a-wire.md"

pytestmark = pytest.mark.skipif(not _EXAMPLES.is_dir(), reason="the examples are not here")


@pytest.fixture
def tool_loop() -> dict[str, Any]:
    """Give what the program defines, without running it."""
    return runpy.run_path(str(_EXAMPLES / "tool_loop.py"))


def test_the_tool_loop_ends_in_an_answer(llama_url: str) -> None:
    """The model calls the tool, gets its result, and answers in words."""
    result = subprocess.run(
        [sys.executable, "-W", "error", str(_EXAMPLES / "tool_loop.py"), "Weather in Oslo?"],
        env=child_environment(
            TOKENWIRE_PROVIDER_PRESET="llama.cpp",
            TOKENWIRE_PROVIDER_BASE_URL=llama_url,
            PYTHONIOENCODING="utf-8",
        ),
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
    call, _, answer = result.stdout.partition("]\n")
    assert call.startswith("[weather {")
    assert TOOL_TEXT in call
    assert str(TOOL_NUMBER) in call
    assert answer == f"{ANSWER}\n"


def _end_of(program: str, *arguments: str, **variables: str) -> str:
    """Run a program that can't do what it is for, and return what it says."""
    result = subprocess.run(
        [sys.executable, "-W", "error", str(_EXAMPLES / program), *arguments],
        env=child_environment(**variables),
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
    )
    assert (result.returncode, result.stdout) == (1, "")
    return result.stderr


@pytest.mark.parametrize("program", ["tool_loop.py", "socket_tool_loop.py"])
def test_a_program_says_what_it_wants(program: str) -> None:
    """Without a question there is a line on how to ask one."""
    assert re.fullmatch(rf"usage: python {program} QUESTION.*\n", _end_of(program))


@pytest.mark.parametrize("program", ["tool_loop.py", "socket_tool_loop.py"])
def test_a_program_ends_with_what_went_wrong(program: str) -> None:
    """In a line, and not in a traceback."""
    nowhere = {
        "TOKENWIRE_PROVIDER_KIND": "openai-responses",
        "TOKENWIRE_PROVIDER_BASE_URL": "http://localhost:1",
    }
    assert re.fullmatch(r".*cannot connect to .*\n", _end_of(program, "Hi", **nowhere))


@pytest.mark.parametrize(
    "call",
    [
        ToolCall(id="c", name="weather", arguments='{"city":'),
        ToolCall(id="c", name="weather", arguments='{"town": "Oslo"}'),
        ToolCall(id="c", name="weather"),
        ToolCall(id="c", name="whether", arguments="{}"),
        ToolCall(id="c", name="weather", arguments="[]"),
    ],
)
def test_the_tool_loop_tells_the_model_of_its_mistakes(
    tool_loop: dict[str, Any], call: ToolCall
) -> None:
    """A call that no tool can take is answered, not fatal."""
    result = tool_loop["run_tool"](call)
    assert result.call_id == "c"
    assert result.text.startswith('{"error"')


def test_the_tool_loop_is_short() -> None:
    """Eighty lines are what people read."""
    assert len((_EXAMPLES / "tool_loop.py").read_text("utf-8").splitlines()) <= 80


_ANSWER = b'{"feather":"ZmVhdGhlcg"}\n{"says":"I "}\n{"says":"am."}\n{"over":"done"}\n'
_STRANGER = b'{"squawk":"stranger","because":"I do not know you."}'


@pytest.fixture
def guide(monkeypatch: pytest.MonkeyPatch) -> list[Block]:
    """Give the Python of the guide to wire formats, and let it import the example."""
    if not _ADDING_A_WIRE.is_file():
        pytest.skip("the documentation is not here")
    monkeypatch.setattr(sys, "path", [str(_EXAMPLES), *sys.path])
    monkeypatch.delitem(sys.modules, "parrot", raising=False)
    return [block for block in blocks_of(_ADDING_A_WIRE) if block.language == "python"]


def _playing(answer: bytes) -> Scenario:
    return Scenario(
        name="parrot",
        shows="It answers once.",
        steps=(ReadRequest(), Send(answer), CloseCleanly()),
        outcome=Outcome(),
    )


def test_the_wire_format_is_short() -> None:
    """Less than a hundred lines add an API."""
    assert len((_EXAMPLES / "parrot.py").read_text("utf-8").splitlines()) < 100


def test_the_guide_quotes_the_example(guide: list[Block]) -> None:
    """What it goes through is what runs."""
    label = "# examples/parrot.py\n"
    quoted = [block.code.removeprefix(label) for block in guide if block.code.startswith(label)]
    assert len(quoted) == 4
    source = (_EXAMPLES / "parrot.py").read_text("utf-8")
    assert all(code in source for code in quoted)


def test_the_wire_format_keeps_to_the_contract(guide: list[Block]) -> None:
    """By the samples of the guide."""
    [block] = [block for block in guide if "SAMPLE =" in block.code]
    names = execute(_ADDING_A_WIRE, block)
    for check in wire_contract(names["SAMPLE"]):
        names["test_parrots_keep_to_the_contract"](check)


def _environment(base_url: str) -> dict[str, str]:
    return {
        "TOKENWIRE_PROVIDER_KIND": "parrot",
        "TOKENWIRE_PROVIDER_BASE_URL": base_url,
        "TOKENWIRE_PROVIDER_MODEL": "grey",
        "TOKENWIRE_PROVIDER_CREDENTIAL": "polly-1234567890",
    }


async def test_the_wire_format_speaks_with_a_server(guide: list[Block]) -> None:
    """The guide's program asks, and a real server on this machine answers."""
    [block] = [block for block in guide if "open_provider" in block.code]
    ask = execute(_ADDING_A_WIRE, block)["ask"]
    answer = response(200, _ANSWER, content_type="application/x-ndjson")
    async with serve(_playing(answer)) as server:
        assert await ask("Who is a good bird?", _environment(server.base_url)) == "I am."
    head, _, body = server.visits[0].received.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/talk HTTP/1.1\r\n")
    assert b"x-parrot-key: polly-1234567890" in head
    assert json.loads(body) == {
        "bird": "grey",
        "talk": [{"who": "user", "says": "Who is a good bird?"}],
    }


async def test_the_wire_format_fails_as_others_do(guide: list[Block]) -> None:
    """With one of the five kinds, under its name."""
    [block] = [block for block in guide if "open_provider" in block.code]
    ask = execute(_ADDING_A_WIRE, block)["ask"]
    async with serve(_playing(response(401, _STRANGER))) as server:
        with pytest.raises(AuthError, match=r"parrot HTTP 401 stranger: I do not know you\."):
            await ask("Who is a good bird?", _environment(server.base_url))
