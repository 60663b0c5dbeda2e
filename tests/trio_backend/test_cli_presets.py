"""`tokenwire presets` and `--preset`: servers by name at the command line."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.trio_backend.cli_process import invoke
from tokenwire.presets import preset, preset_names

_KEY = "sk-0123456789abcdef"


def _request(*arguments: str, **environ: str) -> dict[str, Any]:
    result = invoke("encode", "Hi", *arguments, env=environ)
    assert result.exit_code == 0, result.stderr
    assert _KEY not in result.stdout
    request: dict[str, Any] = json.loads(result.stdout)
    return request


def test_every_preset_is_listed_with_its_address() -> None:
    """A line has the name, the wire format and the key's variable, the next ones URL and note."""
    entries = _entries(invoke("presets").stdout)
    assert [line.split()[0] for line, *_ in entries] == list(preset_names())
    for line, url, note, *_ in entries:
        known = preset(line.split()[0])
        assert line.split()[1:] == [known.kind, known.key_env or "-"]
        assert (url, note) == (known.base_url, known.note)


def test_every_preset_is_listed_with_its_settings() -> None:
    """As a configuration would write them, to be overridden there."""
    for line, _, _, *settings in _entries(invoke("presets").stdout):
        known = preset(line.split()[0])
        endpoint = tomllib.loads("\n".join(settings))
        assert endpoint.get("quirks", {}) == known.quirks
        assert endpoint.get("auth") == known.auth


def _entries(text: str) -> list[list[str]]:
    """Return the lines about each preset."""
    starts = re.split(r"\n(?=\S)", text.strip("\n"))
    return [[line.strip() for line in entry.splitlines()] for entry in starts]


def test_presets_are_printed_as_json() -> None:
    """A line is an object with everything that is known of a preset."""
    objects = [json.loads(line) for line in invoke("presets", "--json").stdout.splitlines()]
    assert [each["name"] for each in objects] == list(preset_names())
    [groq] = [each for each in objects if each["name"] == "groq"]
    assert groq["quirks"] == dict(preset("groq").quirks)
    assert groq["key_env"] == "GROQ_API_KEY"


def test_a_preset_is_asked_with_the_key_from_its_variable() -> None:
    """Its name is all it takes."""
    request = _request("--preset", "mistral", "--max-tokens", "5", MISTRAL_API_KEY=_KEY)
    assert request["url"] == "https://api.mistral.ai/v1/chat/completions"
    assert request["headers"]["authorization"] == "Bearer [redacted]"
    assert request["body"]["max_tokens"] == 5


def test_a_preset_works_without_its_variable() -> None:
    """As long as nobody is asked."""
    assert "authorization" not in _request("--preset", "mistral", MISTRAL_API_KEY="")["headers"]


@pytest.mark.parametrize("command", [("ask", "Hi"), ("chat",)])
def test_a_key_that_is_not_set_is_told_before_anything_is_sent(command: tuple[str, ...]) -> None:
    """The server would only say that a key is missing, and not where it is looked for."""
    result = invoke(*command, "--preset", "mistral", stdin=b"Hi\n", env={"MISTRAL_API_KEY": ""})
    assert result.exit_code == 2
    assert "variable MISTRAL_API_KEY is not set" in result.stderr
    assert "--key-env" in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--base-url", "http://localhost:1/v1"),
        ("--unix-socket", "/missing/socket"),
        ("--header", f"authorization: Bearer {_KEY}", "--proxy", "http://localhost:1"),
        ("--key-env", "OTHER", "--proxy", "http://localhost:1"),
    ],
)
def test_a_key_of_another_kind_will_do(options: tuple[str, ...]) -> None:
    """Who gives one in another way, or asks somebody who adds it, gets as far as the network."""
    variables = {"MISTRAL_API_KEY": "", "OTHER": _KEY}
    result = invoke("ask", "Hi", "--preset", "mistral", *options, env=variables)
    assert (result.exit_code, "cannot connect to" in result.stderr) == (10, True)


def test_another_address_does_not_get_the_key_unasked() -> None:
    """The variable's key is the preset's server's alone, but for those who name it."""
    elsewhere = ("--preset", "mistral", "--base-url", "http://localhost:1/v1")
    assert "authorization" not in _request(*elsewhere, MISTRAL_API_KEY=_KEY)["headers"]
    named = _request(*elsewhere, "--key-env", "MISTRAL_API_KEY", MISTRAL_API_KEY=_KEY)
    assert "authorization" in named["headers"]


def test_the_key_of_another_variable_comes_first() -> None:
    """Where both are set, what was said counts: this one ends in a line break."""
    result = invoke(
        *("encode", "Hi", "--preset", "mistral", "--key-env", "OTHER"),
        env={"MISTRAL_API_KEY": _KEY, "OTHER": f"{_KEY}\n"},
    )
    assert result.exit_code == 2
    assert "OTHER: the key" in result.stderr


def test_options_override_the_preset() -> None:
    """Wire format, quirks and the words of the URL."""
    request = _request("--preset", "openai", "--wire", "openai-responses", "--model", "m")
    assert request["url"] == "https://api.openai.com/v1/responses"
    request = _request("--preset", "openai", "--quirk", "include_usage=false")
    assert "stream_options" not in request["body"]
    request = _request("--preset", "azure", "--preset-value", "resource=acme", "--model", "m")
    assert request["url"].startswith("https://acme.openai.azure.com/")


def test_a_configuration_file_may_name_a_preset(tmp_path: Path) -> None:
    """The library then reads no variable that the file does not name."""
    file = tmp_path / "config.toml"
    file.write_text('provider.preset = "mistral"')
    request = _request("--config", str(file), MISTRAL_API_KEY=_KEY)
    assert request["url"] == "https://api.mistral.ai/v1/chat/completions"
    assert "authorization" not in request["headers"]


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("--preset", "mistrl"), "did you mean 'mistral'?"),
        (("--preset", "azure"), "preset_values: resource is missing"),
        (("--preset", "azure", "--preset-value", "resource"), "expected NAME=VALUE"),
        (("--base-url", "http://a", "--preset-value", "a=b"), "no preset is named"),
        (("--preset", "mistral", "--config", __file__), "exclude each other"),
    ],
)
def test_wrong_use_is_told(arguments: tuple[str, ...], advice: str) -> None:
    """The exit code is 2, and the message says what is expected."""
    result = invoke("encode", "Hi", *arguments)
    assert result.exit_code == 2
    assert advice in " ".join(result.stderr.split())


def test_a_preset_is_no_local_model() -> None:
    """Both say whom to ask."""
    result = invoke("ask", "Hi", "--local", "--preset", "mistral")
    assert result.exit_code == 2
    assert "--local is a provider of its own" in result.stderr
