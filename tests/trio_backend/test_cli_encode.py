"""`tokenwire encode`: the HTTP request as JSON, without its keys."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.trio_backend.cli_process import invoke

_KEY = "sk-0123456789abcdef"
_URL = ("--base-url", "https://host.example/v1")


def _request(*arguments: str) -> dict[str, Any]:
    result = invoke("encode", *arguments, *_URL, env={"SOME_KEY": _KEY})
    assert result.exit_code == 0, result.stderr
    assert _KEY not in result.stdout
    request: dict[str, Any] = json.loads(result.stdout)
    return request


def _messages(content: object, folder: Path) -> list[dict[str, Any]]:
    """Encode one message from a file, and return the messages of the request."""
    file = folder / "messages.json"
    file.write_text(json.dumps(content))
    messages: list[dict[str, Any]] = _request("--messages", str(file))["body"]["messages"]
    return messages


def test_the_request_is_shown_without_its_key() -> None:
    """Method, URL, headers and body are those that `ask` would send."""
    request = _request("Hi", "--model", "m", "--system", "Be brief.", "--key-env", "SOME_KEY")
    assert request["method"] == "POST"
    assert request["url"] == "https://host.example/v1/chat/completions"
    assert request["headers"]["authorization"] == "Bearer [redacted]"
    assert request["body"]["model"] == "m"
    assert request["body"]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]


@pytest.mark.parametrize("key", ["x", "sk-0123456789abcdef"])
def test_keys_in_headers_and_query_are_left_out(key: str) -> None:
    """A name tells a credential even where its value is too short to be told from other text."""
    request = _request("Hi", "--header", f"X-Api-Key: {key}", "--query", "api-version=1")
    assert request["headers"]["x-api-key"] == "[redacted]"
    assert request["url"].endswith("?api-version=1")
    assert _request("Hi", "--query", f"key={_KEY}")["url"].endswith("?key=[redacted]")


def test_every_setting_has_its_place() -> None:
    """Settings reach the body, and what is not set is not sent."""
    body = _request(
        *("Hi", "--temperature", "0.5", "--top-p", "0.9", "--max-tokens", "7", "--seed", "3"),
        *("--stop", "a", "--stop", "b", "--reasoning", "low", "--extra", 'top_k={"x": [1, null]}'),
    )["body"]
    del body["messages"], body["stream"]
    assert body == {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_completion_tokens": 7,
        "seed": 3,
        "stop": ["a", "b"],
        "reasoning_effort": "low",
        "top_k": {"x": [1, None]},
    }
    assert _request("Hi")["body"].keys() == {"messages", "stream"}


def test_a_conversation_comes_from_a_file(tmp_path: Path) -> None:
    """Text, tool calls and their results are carried over."""
    messages = _messages(
        [
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_call", "id": "c1", "name": "look", "arguments": '{"a":1}'},
                ],
            },
            {"role": "tool", "content": [{"type": "tool_result", "call_id": "c1", "text": "sun"}]},
        ],
        tmp_path,
    )
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert messages[1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a":1}'}
    assert (messages[2]["tool_call_id"], messages[2]["content"]) == ("c1", "sun")


def test_an_image_comes_from_a_file_beside_the_conversation(tmp_path: Path) -> None:
    """Its type is guessed from its name."""
    (tmp_path / "cat.png").write_bytes(b"picture")
    image = {"type": "image", "file": "cat.png", "detail": "low"}
    messages = _messages([{"role": "user", "content": [image]}], tmp_path)
    url = "data:image/png;base64," + base64.b64encode(b"picture").decode()
    assert messages[0]["content"][0]["image_url"] == {"url": url, "detail": "low"}


def test_the_prompt_follows_the_conversation(tmp_path: Path) -> None:
    """A file and a prompt together are one conversation."""
    file = tmp_path / "messages.json"
    file.write_text('[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]')
    body = _request("c", "--system", "s", "--messages", str(file))["body"]
    assert [message["content"] for message in body["messages"]] == ["s", "a", "b", "c"]


@pytest.mark.parametrize(
    ("document", "advice"),
    [
        ("", "truncated; a conversation is a list such as [{"),
        ("{}", "Expected `array`, got `object`; a conversation is a list such as [{"),
        ('[{"role": "user"}]', "`content`"),
        (
            '[{"role": "robot", "content": "a"}]',
            "$[0].role` (known: assistant, system, tool, user)",
        ),
        ('[{"role": "user", "content": "a", "name": "b"}]', "unknown field `name`"),
        ('[{"role": "user", "content": [{"type": "txt"}]}]', "did you mean 'text'"),
        (
            '[{"role": "user", "content": [{"type": "image", "file": "gone"}]}]',
            "/gone: No such file",
        ),
        ('[{"role": "user", "content": [{"type": "image", "file": "a", "data": ""}]}]', "one of"),
        ('[{"role": "user", "content": []}]', "parts"),
        ("[]", "message"),
    ],
)
def test_a_conversation_of_another_form_is_told(document: str, advice: str, tmp_path: Path) -> None:
    """The message says where the file departs from its form."""
    file = tmp_path / "messages.json"
    file.write_text(document)
    result = invoke("encode", "--messages", str(file), *_URL)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert advice in result.stderr
