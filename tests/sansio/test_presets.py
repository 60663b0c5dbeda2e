"""Servers by name: the data is right, and a configuration overrides all of it."""

import importlib.resources
import re
import subprocess
import sys
import tomllib
from typing import Any

import attrs
import pytest

from tokenwire.config import Config, ConfigError, ProviderSection
from tokenwire.endpoint import BEARER, Deadlines, Endpoint
from tokenwire.presets import Preset, preset, preset_names
from tokenwire.secret import Secret
from tokenwire.wire import wire_by_kind

KEY = "sk-proj-a1B2c3D4e5F6"


def load(**provider: Any) -> ProviderSection:
    """Load a configuration with these keys in its `provider` table."""
    return Config.from_mapping({"provider": provider}, {"SOME_KEY": KEY}).provider


def values_for(known: Preset) -> dict[str, str]:
    """Fill in every word."""
    return dict.fromkeys(known.placeholders, "north-1")


def _another(value: object) -> object:
    """Return another value that a quirk may have."""
    if isinstance(value, bool):
        return not value
    return "max_completion_tokens" if value == "max_tokens" else "another"


@pytest.mark.parametrize("name", preset_names())
class TestEachPreset:
    """What must be true of all of them."""

    def test_opens_as_it_is(self, name: str) -> None:
        """Its name is all that a configuration needs, but for what is to be filled in."""
        known = preset(name)
        section = load(preset=name, preset_values=values_for(known))
        assert section.kind == known.kind
        assert section.endpoint.name == name
        assert section.endpoint.quirks == known.quirks
        assert "{" not in section.endpoint.base_url

    def test_encrypts_what_leaves_the_machine(self, name: str) -> None:
        """A key may be added to each: only loopback is asked over plain HTTP."""
        known = preset(name)
        endpoint = {"credential_env": "SOME_KEY"}
        section = load(preset=name, preset_values=values_for(known), endpoint=endpoint)
        assert section.endpoint.credential == Secret(KEY)

    def test_sets_only_what_departs_from_the_wire_format(self, name: str) -> None:
        """Its wire format knows every quirk."""
        known = preset(name)
        wire_by_kind(known.kind).check_quirks(known.quirks)

    def test_is_overridden_in_every_value(self, name: str) -> None:
        """A document has the last word: on the address, the way of the key, and each quirk."""
        known = preset(name)
        wire = wire_by_kind(known.kind)
        bare: dict[str, Any] = {
            "base_url": "https://host.example/v2",
            "auth": "none",
            "name": "mine",
        }
        section = load(preset=name, endpoint=bare)
        assert section.endpoint == Endpoint(**bare, quirks=known.quirks)
        for quirk, value in known.quirks.items():
            other = _another(value)
            wire.check_quirks({**known.quirks, quirk: other})
            given = {**bare, "quirks": {quirk: other}}
            quirks = load(preset=name, endpoint=given).endpoint.quirks
            assert quirks == {**known.quirks, quirk: other}
        elsewhere = load(preset=name, kind="ollama", endpoint=bare)
        assert elsewhere.kind == "ollama"

    def test_documents_itself(self, name: str) -> None:
        """It says what is special and where that stands, in text that every terminal shows."""
        known = preset(name)
        assert known.note.isascii()
        assert known.note.endswith(".")
        assert known.source.startswith("https://")

    def test_names_a_variable_and_no_key(self, name: str) -> None:
        """What it knows of the key is the conventional name of a variable."""
        variable = preset(name).key_env
        assert variable is None or re.fullmatch(r"[A-Z][A-Z0-9_]+", variable)


def test_the_file_holds_no_secret() -> None:
    """No key of a table could take a credential, headers or parameters."""
    text = importlib.resources.files("tokenwire").joinpath("presets.toml").read_text("utf-8")
    known = attrs.fields_dict(Preset).keys() - {"name"}
    assert all(table.keys() <= known for table in tomllib.loads(text).values())


def test_nobody_pays_for_what_nobody_names() -> None:
    """Importing the library, and loading a configuration without a preset, reads no file."""
    program = (
        "import sys; sys.path[:] = " + repr(sys.path) + "\n"
        "import tokenwire\n"
        "tokenwire.Config.from_env({'TOKENWIRE_PROVIDER_KIND': 'openai-chat',"
        " 'TOKENWIRE_PROVIDER_BASE_URL': 'http://localhost'})\n"
        "print({'tokenwire.presets', 'tomllib', 'importlib.resources'} & sys.modules.keys())"
    )
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", program]
    assert subprocess.run(command, capture_output=True, check=True).stdout.strip() == b"set()"


def test_a_configuration_overrides_every_value() -> None:
    """Tables are merged key by key, and what the document says wins."""
    section = load(
        preset="deepseek",
        endpoint={
            "base_url": "https://host.example/v1",
            "auth": "none",
            "name": "mine",
            "quirks": {"include_usage": False, "system_role": "developer"},
            "deadlines": {"gap": 5},
        },
        defaults={"model": "m"},
    )
    endpoint = section.endpoint
    assert endpoint.base_url == "https://host.example/v1"
    assert endpoint.auth is not None
    assert endpoint.auth.header == ""
    assert endpoint.name == "mine"
    assert endpoint.deadlines == Deadlines(gap=5)
    assert endpoint.quirks == {
        **preset("deepseek").quirks,
        "include_usage": False,
        "system_role": "developer",
    }
    assert section.defaults.model == "m"


def test_another_wire_format_brings_its_own_quirks() -> None:
    """What a preset knows of one wire format would be wrong, or refused, in another."""
    assert load(preset="openai").endpoint.quirks == {"include_usage": True}
    section = load(preset="openai", kind="openai-responses")
    assert section.endpoint.base_url == "https://api.openai.com/v1"
    assert section.endpoint.quirks == {}


def test_an_unusual_way_of_sending_the_key_is_part_of_the_preset() -> None:
    """The same wire format takes a token at one address and a key at another."""
    values = {"location": "europe-west4", "project": "p"}
    assert load(preset="vertex-gemini", preset_values=values).endpoint.auth == BEARER
    assert load(preset="gemini").endpoint.auth is None


def test_words_in_braces_are_filled_in() -> None:
    """A word that stands twice is given once."""
    values = {"location": "europe-west4", "project": "p"}
    assert load(preset="vertex-gemini", preset_values=values).endpoint.base_url == (
        "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4"
        "/publishers/google"
    )


def test_an_address_of_ones_own_needs_no_filling_in() -> None:
    """The preset's quirks stay."""
    section = load(preset="azure", endpoint={"base_url": "https://gateway.example/openai/v1"})
    assert section.endpoint.base_url == "https://gateway.example/openai/v1"
    assert section.endpoint.quirks == {"include_usage": True}


def test_environment_variables_name_a_preset() -> None:
    """Its name is plain text, and what fills it in is JSON."""
    environ = {
        "TOKENWIRE_PROVIDER_PRESET": "azure",
        "TOKENWIRE_PROVIDER_PRESET_VALUES": '{"resource": "acme"}',
        "TOKENWIRE_PROVIDER_MODEL": "m",
    }
    section = Config.from_env(environ).provider
    assert section.kind == "azure-chat"
    assert section.endpoint.base_url == "https://acme.openai.azure.com/openai/v1"


def test_the_conventional_variable_is_not_read_unasked() -> None:
    """The library takes from the environment what the document names, and nothing else."""
    variable = preset("groq").key_env
    assert variable is not None
    document = {"provider": {"preset": "groq"}}
    assert Config.from_mapping(document, {variable: KEY}).provider.endpoint.credential is None


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ({"preset": "grok"}, "provider.preset: unknown preset 'grok' (did you mean 'groq'?)"),
        ({"preset": 3}, "provider.preset must be a string, not int"),
        ({"presset": "groq"}, "provider: unknown key 'presset' (did you mean 'preset'?)"),
        ({"preset": "azure"}, "provider.preset_values: resource is missing: the preset azure"),
        (
            {"preset": "azure", "preset_values": {"resorce": "acme"}},
            "provider.preset_values: unknown key 'resorce' (did you mean 'resource'?)",
        ),
        ({"preset": "azure", "preset_values": 3}, "provider.preset_values must be a table"),
        ({"preset_values": {}}, "provider.preset_values: no preset is named to fill in"),
        ({"preset": "groq", "endpoint": 3}, "provider.endpoint must be a table, not int"),
        ({"preset": "groq", "kindd": "x"}, "provider: unknown key 'kindd' (did you mean 'kind'?)"),
        ({"preset": "groq", "kind": 3}, "provider.kind must be a string, not int"),
    ],
)
def test_mistakes_are_told(provider: dict[str, Any], message: str) -> None:
    """The message names the key, and the nearest name where one is misspelt."""
    with pytest.raises(ConfigError) as caught:
        load(**provider)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("value", ["evil.example/x", "a@b", "a:1", "", ".x", "a b", "{x}", 3, None])
def test_what_is_filled_in_leads_nowhere_else(value: object) -> None:
    """A value is a name, so it can't move the request to another path or host."""
    with pytest.raises(ConfigError, match=r"^provider\.preset_values: resource "):
        load(preset="azure", preset_values={"resource": value})


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    """Whoever wrote no document is not told of one."""
    with pytest.raises(ConfigError, match=r"^TOKENWIRE_PROVIDER_PRESET: unknown preset"):
        Config.from_env({"TOKENWIRE_PROVIDER_PRESET": "grok"})
