"""A wire format of somebody else's is named in a configuration like one of ours."""

from __future__ import annotations

import pytest

from tests.sansio.testing.honest import Honest
from tokenwire.config import Config, ConfigError
from tokenwire.wire import wire_by_kind

_TOML = """
[provider]
kind = "honest"
endpoint.base_url = "https://host.example/v1"
endpoint.quirks = { quiet = true }
"""


def test_a_document_may_name_it() -> None:
    """Where it is given."""
    assert Config.from_toml(_TOML, wires=[Honest()]).provider.kind == "honest"
    with pytest.raises(ConfigError, match="unknown wire format 'honest'"):
        Config.from_toml(_TOML)


def test_the_environment_may_name_it() -> None:
    """By the same variable."""
    environ = {
        "TOKENWIRE_PROVIDER_KIND": "honest",
        "TOKENWIRE_PROVIDER_BASE_URL": "https://host.example/v1",
    }
    assert Config.from_env(environ, wires=[Honest()]).provider.kind == "honest"


def test_its_quirks_are_checked() -> None:
    """A misspelt one is told where it stands."""
    with pytest.raises(ConfigError, match=r"provider.endpoint.*loud"):
        Config.from_toml(_TOML.replace("quiet", "loud"), wires=[Honest()])


def test_it_goes_before_one_of_ours() -> None:
    """So that one of ours can be replaced."""

    class Replacement(Honest):
        """Has the name of another."""

        @property
        def kind(self) -> str:
            """That of one of ours."""
            return "ollama"

    wire = Replacement()
    assert wire_by_kind("ollama", [Honest(), wire]) is wire
    assert wire_by_kind("anthropic", [wire]).kind == "anthropic"
