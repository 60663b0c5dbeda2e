"""`--tool FILE.json`: tools from files at the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gguf import TOOL_NUMBER, TOOL_TEXT
from tests.trio_backend.cli_process import invoke, json_lines, run_process

_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
_WEATHER = {"name": "weather", "description": "Tell the weather.", "parameters": _SCHEMA}
_URL = ("--base-url", "http://localhost:1/v1")


def _file(folder: Path, content: object) -> str:
    file = folder / f"{len(list(folder.iterdir()))}.json"
    file.write_text(json.dumps(content))
    return str(file)


def _tools(*files: str) -> list[Any]:
    options = [word for file in files for word in ("--tool", file)]
    result = invoke("encode", "Hi", *_URL, *options)
    assert result.exit_code == 0, result.stderr
    return [tool["function"] for tool in json.loads(result.stdout)["body"]["tools"]]


def test_a_file_describes_a_tool(tmp_path: Path) -> None:
    """Its members are those of `tokenwire.Tool`."""
    assert _tools(_file(tmp_path, _WEATHER)) == [_WEATHER]
    strict = {**_WEATHER, "strict": True}
    assert _tools(_file(tmp_path, strict)) == [strict]


def test_a_tool_may_take_no_parameters(tmp_path: Path) -> None:
    """A name is enough."""
    assert _tools(_file(tmp_path, {"name": "now"})) == [{"name": "now"}]


def test_a_bare_schema_is_a_tool_by_its_title(tmp_path: Path) -> None:
    """The schema goes to the model as it is."""
    schema = {"title": "weather", "description": "Tell it.", **_SCHEMA}
    assert _tools(_file(tmp_path, schema)) == [
        {"name": "weather", "description": "Tell it.", "parameters": schema}
    ]


def test_several_files_are_several_tools(tmp_path: Path) -> None:
    """In the order in which they were given."""
    files = [_file(tmp_path, {**_WEATHER, "name": name}) for name in ("b", "a")]
    assert [tool["name"] for tool in _tools(*files)] == ["b", "a"]


def test_two_tools_of_one_name_are_refused(tmp_path: Path) -> None:
    """Nobody could tell which one a model calls; the message names it."""
    files = [_file(tmp_path, {"name": name}) for name in ("a", "b", "a")]
    options = [word for file in files for word in ("--tool", file)]
    result = invoke("encode", "Hi", *_URL, *options)
    assert result.exit_code == 2
    assert "another tool is called 'a' already" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "it is no JSON: Input data was truncated"),
        ('[provider]\nkind = "a"', "it is no JSON"),
        ("[]", "Expected `object`"),
        ("{}", "a tool needs a `name`"),
        ('{"type": "object"}', "a JSON schema in its place a `title`"),
        ('{"title": 3}', "Expected `str`"),
        ('{"parameters": {}}', "missing required field `name`"),
        (
            '{"name": "a", "paramters": {}}',
            "unknown field `paramters` (did you mean 'parameters'?)",
        ),
        ('{"name": "a", "parameters": []}', "Expected `object`"),
        ('{"name": ""}', "name is empty"),
        ('{"a":' * 100_000, "recursion"),
    ],
    ids=range(11),
)
def test_a_file_of_another_form_is_told(text: str, advice: str, tmp_path: Path) -> None:
    """The message names the file and says where it departs."""
    file = tmp_path / "tool.json"
    file.write_text(text)
    result = invoke("encode", "Hi", *_URL, "--tool", str(file))
    assert result.exit_code == 2
    assert advice in " ".join(result.stderr.split())
    assert "tool.json" in result.stderr


def test_the_models_call_is_shown(llama_url: str, tmp_path: Path) -> None:
    """On standard error for people, beside an answer that holds no text; as events for programs."""
    tool = ("--tool", _file(tmp_path, _WEATHER))
    arguments = ("ask", "Hi", "--base-url", llama_url, *tool, "--max-tokens", "100")
    call = {"city": TOOL_TEXT, "days": TOOL_NUMBER}
    shown = run_process(*arguments)
    assert shown.returncode == 0
    assert shown.stdout == b""
    title, _, text = shown.stderr.decode().partition("weather ")
    assert title == "tool call: "
    assert json.loads(text.splitlines()[0]) == call
    events = json_lines(run_process(*arguments, "--json").stdout)
    pieces = [event["arguments"] for event in events if event["type"] == "tool_call"]
    assert json.loads("".join(pieces)) == call
