"""`tokenwire ask` against a real model's server: prompts, configuration, output."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import TLSServer
from tests.gguf import ANSWER, THOUGHT, TOOL_TEXT
from tests.trio_backend.cli_process import invoke, json_lines, run_process

_THINK = 'chat_template_kwargs={"think": true}'


def test_the_text_alone_goes_to_a_piped_standard_output(llama_url: str) -> None:
    """What is redirected into a file is the answer, byte for byte."""
    result = invoke("ask", "Hi", "--base-url", llama_url)
    assert result.exit_code == 0
    assert result.stdout == ANSWER
    assert result.stderr == ""


def test_python_dash_m_is_the_same_command(llama_url: str) -> None:
    """`python -m tokenwire_trio` answers as `tokenwire` does."""
    process = run_process("ask", "Hi", "--base-url", llama_url)
    assert (process.returncode, process.stdout.decode(), process.stderr) == (0, ANSWER, b"")


def test_reasoning_goes_to_standard_error_where_no_terminal_is(llama_url: str) -> None:
    """Reasoning never gets into a file that is to hold the answer."""
    result = invoke("ask", "Hi", "--base-url", llama_url, "--extra", _THINK)
    assert result.stdout.strip() == ANSWER
    assert result.stderr.strip() == THOUGHT


def test_json_prints_one_object_a_token(llama_url: str) -> None:
    """Pieces of text come as they are, and the end says what is known about the answer."""
    result = invoke("ask", "Hi", "--base-url", llama_url, "--json", "--model", "m")
    *pieces, end = json_lines(result.stdout_bytes)
    assert len(pieces) > 1
    assert all(piece == {"type": "text", "choice": 0, "text": piece["text"]} for piece in pieces)
    assert "".join(piece["text"] for piece in pieces) == ANSWER
    assert end.keys() == {"type", "finish", "raw_finish", "usage", "model", "id"}
    assert (end["type"], end["finish"], end["raw_finish"]) == ("end", "stop", "stop")
    assert end["usage"] is None


def test_json_counts_what_the_provider_counts(llama_url: str) -> None:
    """The end has the three main counts, and others where the provider sent them."""
    result = invoke("ask", "Hi", "--base-url", llama_url, "--json", "--quirk", "include_usage=true")
    usage = json_lines(result.stdout_bytes)[-1]["usage"]
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]


def test_json_marks_reasoning(llama_url: str) -> None:
    """Reasoning is told from text by its type."""
    result = invoke("ask", "Hi", "--base-url", llama_url, "--json", "--extra", _THINK)
    events = json_lines(result.stdout_bytes)
    thought = "".join(event["text"] for event in events if event["type"] == "reasoning")
    assert thought.strip() == THOUGHT


@pytest.mark.parametrize("arguments", [("-",), ()])
def test_the_prompt_may_come_from_standard_input(
    arguments: tuple[str, ...], llama_url: str
) -> None:
    """Both a dash and no prompt at all read it, without the line end that `echo` adds."""
    options = ("--base-url", llama_url)
    result = invoke("encode", *arguments, *options, stdin="Grüße\nan alle\n".encode())
    body = json.loads(result.stdout)["body"]
    assert body["messages"] == [{"role": "user", "content": "Grüße\nan alle"}]
    assert invoke("ask", *arguments, *options, stdin=b"Hi\n").stdout == ANSWER


def test_a_configuration_file_says_whom_to_ask(llama_url: str, tmp_path: Path) -> None:
    """The [provider] table is all that is needed."""
    file = tmp_path / "config.toml"
    file.write_text(f'[provider]\nkind="openai-chat"\nendpoint={{base_url="{llama_url}"}}\n')
    assert invoke("ask", "Hi", "--config", str(file)).stdout == ANSWER


def test_options_override_the_configuration_file(llama_url: str, tmp_path: Path) -> None:
    """Each option wins over its key in the file, and the other keys stay."""
    file = tmp_path / "config.toml"
    file.write_text(
        '[provider]\nkind="openai-chat"\n'
        '[provider.endpoint]\nbase_url="http://localhost:1"\ncredential="not this one"\n'
        "[provider.defaults]\ntemperature=0.5\nseed=1\nextra={a={b=1}, c=2}\n"
    )
    result = invoke(
        *("encode", "Hi", "--config", str(file), "--base-url", llama_url, "--seed", "2"),
        *("--extra", 'a={"d": 3}', "--key-env", "SOME_KEY"),
        env={"SOME_KEY": "sk-0123456789"},
    )
    request = json.loads(result.stdout)
    assert request["url"] == f"{llama_url}/chat/completions"
    assert request["body"]["temperature"] == 0.5
    assert request["body"]["seed"] == 2
    assert request["body"]["a"] == {"d": 3}
    assert request["body"]["c"] == 2


def test_the_answer_ends_at_max_tokens_and_says_so(llama_url: str) -> None:
    """An answer that was cut by its limit is complete, but not silently."""
    result = invoke(
        *("ask", "Hi", "--base-url", llama_url, "--max-tokens", "3"),
        *("--quirk", 'max_tokens_field="max_tokens"'),
    )
    assert result.exit_code == 0
    assert result.stdout
    assert ANSWER.startswith(result.stdout)
    assert result.stderr == "finish reason: length\n"


def test_timings_are_printed_on_demand(llama_url: str) -> None:
    """One line tells the time to the first token and the number of tokens."""
    result = invoke(
        *("ask", "Hi", "--base-url", llama_url, "--timings", "--quirk", "include_usage=true")
    )
    assert result.stdout == ANSWER
    assert re.fullmatch(r"first token \d+\.\d\d s, \d+ tokens, .*\n", result.stderr)


def test_a_second_choice_is_mentioned(llama_url: str) -> None:
    """Answers in parallel can't be shown as they come, so the text has the first alone."""
    result = invoke("ask", "Hi", "--base-url", llama_url, "--extra", "n=2")
    assert result.stdout == ANSWER
    assert "1 more in parallel: --json shows them" in result.stderr


def test_tool_calls_are_shown_beside_the_text(llama_url: str) -> None:
    """A call is no text: standard error shows its name and arguments."""
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": parameters}}]
    extra = ("--extra", f"tools={json.dumps(tools)}")
    result = invoke("ask", "Hi", "--base-url", llama_url, *extra)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr.startswith("tool call: look_up {")
    assert TOOL_TEXT in result.stderr
    assert result.stderr.endswith("}\n")


def test_a_ca_file_makes_a_server_trusted(llama_tls: TLSServer) -> None:
    """With the authority that issued its certificate the server is asked over TLS."""
    options = ("--base-url", llama_tls.base_url, "--ca-file", str(llama_tls.ca_file))
    assert invoke("ask", "Hi", *options).stdout == ANSWER


def test_an_untrusted_certificate_is_one_line_that_names_the_option(llama_tls: TLSServer) -> None:
    """A certificate of an unknown authority is a network error, and the way out is named."""
    process = run_process("ask", "Hi", "--base-url", llama_tls.base_url)
    assert process.returncode == 10
    assert process.stdout == b""
    assert process.stderr.startswith(b"Error: ")
    assert process.stderr.count(b"\n") == 1
    assert b"--ca-file" in process.stderr
