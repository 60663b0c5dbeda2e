"""Wrong use and wrong configuration: exit code 2 and a message that says what to do."""

import json
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from tests.trio_backend.cli_process import child_environment, invoke, run_process
from tokenwire_trio.cli.app import tokenwire
from tokenwire_trio.cli.option_places import TABLE_PLACES, VALUE_PLACES
from tokenwire_trio.cli.provider_options import ProviderOptions

# Nobody listens there: a command that gets this far fails in another way.
_NOWHERE = ("--base-url", "http://localhost:1/v1")
_WITHOUT_CLICK = """
import sys
sys.modules["click"] = None
from tokenwire_trio.__main__ import main
sys.exit(main())
"""
_HELP_AND_IMPORTS = """
import sys
from tokenwire_trio.__main__ import main
sys.argv = ["tokenwire", "ask", "--help"]
main()
print(sorted({"trio", "h11", "ssl", "asyncio", "rich"} & sys.modules.keys()))
"""
_KEY = "sk-proj-abcdefghijklmnop"


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("Hi",), "--base-url URL, or --config FILE; or --local for a small model"),
        (("Hi", "--base-url", "localhost:1"), "must begin with https://"),
        (("Hi", "--base-url", "http://me:secret@localhost:1"), "user info"),
        (("Hi", *_NOWHERE, "--temperature", "nan"), "must be a finite number"),
        (("Hi", *_NOWHERE, "--max-tokens", "0"), "must be at least 1"),
        (("Hi", *_NOWHERE, "--extra", "a=b"), "a string needs its own quotes"),
        (("Hi", *_NOWHERE, "--extra", "a"), "expected KEY=JSON"),
        (("Hi", *_NOWHERE, "--header", "a"), "expected 'Name: value'"),
        (("Hi", *_NOWHERE, "--header", "a b: c"), "no valid header name"),
        (("Hi", *_NOWHERE, "--quirk", "include_usag=true"), "did you mean 'include_usage'"),
        (("Hi", *_NOWHERE, "--quirk", "include_usage=1"), "include_usage"),
        (("Hi", *_NOWHERE, "--timeout", "0"), "must be more than 0"),
        (("Hi", *_NOWHERE, "--wire", "morse"), "'openai-chat'"),
        (("", *_NOWHERE), "PROMPT is empty"),
        (("two", "words", *_NOWHERE), "quote the prompt"),
        (("-", *_NOWHERE), "standard input is empty"),
        (("Hi", *_NOWHERE, "--key-env", "NOT_SET"), "variable NOT_SET is not set"),
        (("Hi", "--local", *_NOWHERE), "--local is a provider of its own"),
    ],
)
def test_wrong_use_is_told(arguments: tuple[str, ...], advice: str) -> None:
    """Whatever is wrong on the command line ends with 2 and says what is expected."""
    result = invoke("ask", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert advice in " ".join(result.stderr.split())
    assert "secret" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [
        (("--wire", "anthropic", *_NOWHERE, "--model", "m"), "set it (--max-tokens)"),
        (("--wire", "gemini", *_NOWHERE), "set it (--model)"),
        (("--preset", "azure-classic", "--model", "m"), "of your own (--preset-value)"),
        ((*_NOWHERE, "--quirk", "a=1"), "system_role) (--quirk)"),
        ((*_NOWHERE, "--timeout", "0"), "not 0 (--timeout)"),
        (("--preset", "mistrl"), "did you mean 'mistral'?)"),
    ],
)
def test_a_wrong_setting_is_told_with_its_option(arguments: tuple[str, ...], ending: str) -> None:
    """The library knows only what it calls the setting itself."""
    result = invoke("ask", "Hi", *arguments)
    assert result.exit_code == 2
    assert " ".join(result.stderr.split()).endswith(ending)


def test_every_option_has_its_place() -> None:
    """But for those that give the whole configuration to which the others are added."""
    options = set(attrs.fields_dict(ProviderOptions))
    assert options - {"config", "preset"} == VALUE_PLACES.keys() | TABLE_PLACES.keys()


def test_a_value_of_zero_is_given() -> None:
    """It is sent, unlike what is unset."""
    result = invoke("encode", "Hi", *_NOWHERE, "--seed", "0", "--temperature", "0")
    body = json.loads(result.stdout)["body"]
    assert (body["seed"], body["temperature"]) == (0, 0)


@pytest.mark.parametrize(
    ("document", "advice"),
    [
        ("[provider", "no valid TOML"),
        ('[provider]\nkid="openai-chat"\nendpoint={base_url="http://a"}', "'kind'"),
        ('[provider]\nkind="openai-chat"\n[provider.endpoint]\nbase_ur="x"', "'base_url'"),
        ('[provider]\nkind="openai-chat"\nendpoint=3', "provider.endpoint must be a table"),
        ('[provider]\nkind="morse"\nendpoint={base_url="http://a"}', "unknown wire format"),
        ("provider=3", "provider must be a table"),
        ("\xff", "no valid TOML: it is no UTF-8 text"),
        ("a = " + "[" * 100_000, "nests too deep"),
        ("", "provider.endpoint is missing: add a table [provider.endpoint]"),
    ],
)
def test_a_wrong_configuration_file_is_told(document: str, advice: str, tmp_path: Path) -> None:
    """The message names the key, also where options are laid over it."""
    file = tmp_path / "config.toml"
    file.write_bytes(document.encode("latin-1"))
    result = invoke("ask", "Hi", "--config", str(file), "--model", "m")
    assert result.exit_code == 2
    assert advice in result.stderr
    assert result.stderr.startswith(f"Error: {file}")
    assert result.stderr.count("\n") == 1


def test_an_option_that_makes_a_file_wrong_is_told(tmp_path: Path) -> None:
    """Beside the file that it is laid over."""
    file = tmp_path / "config.toml"
    file.write_text('[provider]\nkind="openai-chat"\nendpoint={base_url="http://a"}')
    result = invoke("ask", "Hi", "--config", str(file), "--timeout", "0")
    assert result.stderr.startswith(f"Error: {file}: ")
    assert result.stderr.endswith("must be more than 0, not 0 (--timeout)\n")


@pytest.mark.parametrize("option", ["--key-env", "--header", "--extra"])
def test_a_key_in_the_wrong_place_is_not_shown(option: str) -> None:
    """Who gives the key itself learns what is expected without seeing it on the screen."""
    result = invoke("ask", "Hi", *_NOWHERE, option, _KEY)
    assert result.exit_code == 2
    assert _KEY not in result.stderr


def test_a_key_that_no_header_can_carry_is_not_shown() -> None:
    """A key with a line break, as files end with one, is refused before anything is sent."""
    result = invoke("ask", "Hi", *_NOWHERE, "--key-env", "SOME_KEY", env={"SOME_KEY": _KEY + "\n"})
    assert result.exit_code == 2
    assert "SOME_KEY" in result.stderr
    assert _KEY not in result.stderr


def test_bytes_that_are_no_text_are_refused() -> None:
    """Neither standard input nor the command line may hold what is no UTF-8."""
    assert b"no UTF-8" in run_process("ask", "-", *_NOWHERE, stdin=b"\xff").stderr
    assert b"PROMPT is no UTF-8" in run_process("ask", "\udcff", *_NOWHERE).stderr


def test_missing_packages_are_named() -> None:
    """Without the extra, the command says how to get it in one line."""
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            _WITHOUT_CLICK,
        ],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert process.stderr == 'The command line needs click: pip install "tokenwire[cli]"\n'


def test_help_imports_no_event_loop() -> None:
    """Neither help nor decoding waits for packages that only the network needs."""
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            _HELP_AND_IMPORTS,
        ],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.endswith("\n[]\n")


def test_the_wire_formats_are_listed_with_their_quirks() -> None:
    """What `--quirk` takes can be looked up."""
    result = invoke("wires")
    assert result.exit_code == 0
    assert "openai-chat\n" in result.stdout
    assert "  include_usage " in result.stdout
    assert "ollama\n  (no quirks)\n" in result.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("tokenwire dec", ["decode"]),
        ("tokenwire ask --tim", ["--timeout", "--timings"]),
        ("tokenwire ask --wire ant", ["anthropic"]),
        ("tokenwire ask --preset deeps", ["deepseek"]),
    ],
)
def test_a_shell_completes_what_is_typed(words: str, completed: list[str]) -> None:
    """As the line that the documentation gives for `~/.bashrc` asks for it."""
    position = str(len(words.split()) - 1)
    shell = {"_TOKENWIRE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": position}
    result = CliRunner().invoke(tokenwire, prog_name="tokenwire", env=shell)
    assert [line.removeprefix("plain,") for line in result.stdout.splitlines()] == completed
