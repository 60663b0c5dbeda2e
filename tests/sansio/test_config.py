"""Configuration as people write it, with the mistakes that people make."""

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.sansio.leaks import everything_in
from tokenwire.config import Config, ConfigError, ProviderSection
from tokenwire.connection_settings import ProxySettings
from tokenwire.endpoint import AuthStyle, Deadlines, Endpoint, Limits, TLSSettings
from tokenwire.provider_config import (
    ForcedTool,
    ProviderConfig,
    ReasoningOptions,
    ResponseSchema,
    Tool,
)
from tokenwire.secret import Secret

KEY = "sk-proj-a1B2c3D4e5F6"
URL = "https://host.example/v1"

WHOLE = """
[provider]
kind = "openai-chat"

[provider.endpoint]
base_url = "https://host.example/v1/"
credential_env = "EXAMPLE_API_KEY"
auth = "header:api-key"
name = "example"
headers = { x-title = "Test" }
query = { api-version = "2026-01-01" }
quirks = { include_usage = true, max_tokens_field = "max_tokens" }

[provider.endpoint.deadlines]
connect = 10
gap = 0.5

[provider.endpoint.limits]
line_bytes = 1024

[provider.endpoint.tls]
ca_file = "ca.pem"
minimum_version = "1.3"

[provider.defaults]
model = "some-model"
max_output_tokens = 100
temperature = 0.5
top_p = 0.9
stop = ["END"]
seed = 7
tool_choice = { name = "search" }
reasoning = { effort = "low" }
n = 2
logprobs = 3

[[provider.defaults.tools]]
name = "search"
description = "Looks it up"
strict = true

[provider.defaults.tools.parameters]
type = "object"

[provider.defaults.response_schema]
name = "city"
schema = { type = "object" }

[provider.defaults.extra]
top_k = 40
"""


def document(*, endpoint: str = "", defaults: str = "", provider: str = "") -> str:
    """Return a small valid document with lines added to its tables."""
    return (
        f'[provider]\nkind = "openai-chat"\n{provider}\n'
        f'[provider.endpoint]\nbase_url = "{URL}"\n{endpoint}\n'
        f"[provider.defaults]\n{defaults}\n"
    )


def environment(**variables: str) -> dict[str, str]:
    """Return a small valid environment with variables added, by their names without prefix."""
    given = {"KIND": "openai-chat", "BASE_URL": URL} | variables
    return {f"TOKENWIRE_PROVIDER_{name}": value for name, value in given.items()}


def test_a_whole_document_is_read() -> None:
    """Every table becomes its class, every key its field."""
    assert Config.from_toml(WHOLE, {"EXAMPLE_API_KEY": KEY}) == Config(
        provider=ProviderSection(
            kind="openai-chat",
            endpoint=Endpoint(
                base_url=URL,
                credential=Secret(KEY),
                auth=AuthStyle("api-key"),
                name="example",
                headers={"x-title": "Test"},
                query={"api-version": "2026-01-01"},
                deadlines=Deadlines(connect=10, gap=0.5),
                limits=Limits(line_bytes=1024),
                tls=TLSSettings(ca_file="ca.pem", minimum_version="1.3"),
                quirks={"include_usage": True, "max_tokens_field": "max_tokens"},
            ),
            defaults=ProviderConfig(
                model="some-model",
                max_output_tokens=100,
                temperature=0.5,
                top_p=0.9,
                stop=["END"],
                seed=7,
                tools=[
                    Tool(
                        name="search",
                        description="Looks it up",
                        strict=True,
                        parameters={"type": "object"},
                    )
                ],
                tool_choice=ForcedTool("search"),
                reasoning=ReasoningOptions(effort="low"),
                n=2,
                logprobs=3,
                response_schema=ResponseSchema(name="city", schema={"type": "object"}),
                extra={"top_k": 40},
            ),
        )
    )


def test_a_small_document_is_enough() -> None:
    """A wire format and an address are all that there must be."""
    text = f'[provider]\nkind = "openai-chat"\n[provider.endpoint]\nbase_url = "{URL}"'
    section = Config.from_toml(text).provider
    assert section == ProviderSection(kind="openai-chat", endpoint=Endpoint(base_url=URL))


def test_a_key_in_the_document_is_hidden() -> None:
    """A key that stands in the file itself is a secret from then on."""
    config = Config.from_toml(document(endpoint=f'credential = "{KEY}"'))
    assert config.provider.endpoint.credential == Secret(KEY)
    assert KEY not in repr(config)


@pytest.mark.parametrize(
    ("line", "proxy"),
    [
        ('proxy = "http://p.example"', ProxySettings(url="http://p.example")),
        ('proxy = { url = "http://p.example" }', ProxySettings(url="http://p.example")),
        ('proxy = "env"', "env"),
        ('proxy = { url = "env" }', "env"),
        (
            'proxy = { url = "http://p.example", username = "me", password_env = "SECRET" }',
            ProxySettings(url="http://p.example", username="me", password=Secret(KEY)),
        ),
    ],
)
def test_a_proxy_is_a_url_or_a_table(line: str, proxy: object) -> None:
    """Its password may stand in a variable, as a key may."""
    config = Config.from_toml(document(endpoint=line), {"SECRET": KEY})
    assert config.provider.endpoint.proxy == proxy
    assert KEY not in repr(config)


def test_the_proxy_has_variables_of_its_own() -> None:
    """One for the URL, and those of its login."""
    environ = environment(
        PROXY="http://p.example", PROXY_USERNAME="me", PROXY_PASSWORD_ENV="SECRET"
    )
    endpoint = Config.from_env(environ | {"SECRET": KEY}).provider.endpoint
    assert endpoint.proxy == ProxySettings(url="http://p.example", username="me", password=KEY)
    assert Config.from_env(environment(PROXY="env")).provider.endpoint.proxy == "env"


def test_mappings_are_read_like_documents() -> None:
    """What came from JSON or YAML needs no detour over TOML."""
    mapping = {"provider": {"kind": "openai-chat", "endpoint": {"base_url": URL}}}
    assert Config.from_mapping(mapping) == Config.from_toml(document())


def test_a_mapping_may_hold_objects() -> None:
    """A program may put ready values where a file has tables."""
    mapping = {
        "provider": {
            "kind": "openai-chat",
            "endpoint": {"base_url": URL, "credential": Secret(KEY)},
            "defaults": {"tools": [Tool(name="a")], "reasoning": None},
        }
    }
    section = Config.from_mapping(mapping).provider
    assert section.endpoint.credential == Secret(KEY)
    assert section.defaults == ProviderConfig(tools=[Tool(name="a")])


def test_reading_changes_no_mapping() -> None:
    """The caller's own mapping can be read again."""
    mapping = {"provider": {"kind": "openai-chat", "endpoint": {"base_url": URL}}}
    assert Config.from_mapping(mapping) == Config.from_mapping(mapping)


BAD_DOCUMENTS: list[tuple[str, str]] = [
    # The document as a whole
    ("[provider", "the configuration is no valid TOML: "),
    ("a = " + "[" * 5_000, "the configuration nests too deep"),
    ("a = " + "9" * 5_000, "the configuration is no valid TOML: "),
    (f"{document()}\ncredential = {KEY}", "the configuration is no valid TOML: "),
    ("", "provider is missing: add a table [provider]"),
    ("[providr]", "unknown key 'providr' (did you mean 'provider'?)"),
    ("provider = 5", "provider must be a table, not int"),
    (f"other = 1\n{document()}", "unknown key 'other' (known: provider)"),
    # The section
    ("[provider]", "provider.endpoint is missing: add a table [provider.endpoint]"),
    ("[provider]\nendpoint = 5", "provider.endpoint must be a table, not int"),
    (
        "[provider]\n[provider.endpont]",
        "provider: unknown key 'endpont' (did you mean 'endpoint'?)",
    ),
    (f'[provider.endpoint]\nbase_url = "{URL}"', "provider.kind is missing"),
    (
        f'[provider]\nkid = "openai-chat"\nendpoint = {{ base_url = "{URL}" }}',
        "provider: unknown key 'kid' (did you mean 'kind'?)",
    ),
    (
        f'[provider]\nkind = 5\nendpoint = {{ base_url = "{URL}" }}',
        "provider.kind must be a string, not int",
    ),
    (
        f'[provider]\nkind = "openai-caht"\nendpoint = {{ base_url = "{URL}" }}',
        "provider.kind: unknown wire format 'openai-caht' (did you mean 'openai-chat'?)",
    ),
    (
        document(provider="default = { model = 'm' }"),
        "provider: unknown key 'default' (did you mean 'defaults'?)",
    ),
    (document(provider='base_url = "x"'), "provider: unknown key 'base_url' (known: "),
    # The endpoint
    (
        '[provider]\nkind = "openai-chat"\nendpoint = {}',
        "provider.endpoint.base_url is missing",
    ),
    (
        '[provider]\nkind = "openai-chat"\nendpoint = { base_ulr = "x" }',
        "provider.endpoint: unknown key 'base_ulr' (did you mean 'base_url'?)",
    ),
    (
        '[provider]\nkind = "openai-chat"\nendpoint = { base_url = "host.example" }',
        "provider.endpoint.base_url must begin with https:// or http:// and a host",
    ),
    (
        f'[provider]\nkind = "openai-chat"\nendpoint = {{ base_url = "https://u:{KEY}@h" }}',
        "provider.endpoint.base_url holds user info",
    ),
    (
        document(endpoint=f'credential = "{KEY}\\n"'),
        "provider.endpoint.credential: the key starts or ends with white space",
    ),
    (
        document(endpoint='credential = ""'),
        "provider.endpoint.credential: the key is empty",
    ),
    (document(endpoint="credential = 5"), "provider.endpoint.credential must be the key"),
    (
        document(endpoint=f'credentials = "{KEY}"'),
        "provider.endpoint: unknown key 'credentials' (did you mean 'credential'?)",
    ),
    (
        document(endpoint="credential_env = 5"),
        "provider.endpoint.credential_env must be the name of an environment variable",
    ),
    (
        document(endpoint='credential_env = "UNSET"'),
        "provider.endpoint.credential_env: the environment variable that it names is not set",
    ),
    (
        document(endpoint='credential_env = "EMPTY"'),
        "provider.endpoint.credential_env: the environment variable that it names is not set",
    ),
    (
        document(endpoint=f'credential_env = "{KEY}"'),
        "provider.endpoint.credential_env: the environment variable that it names is not set",
    ),
    (
        document(endpoint='credential_env = "BROKEN"'),
        "provider.endpoint.credential_env: BROKEN: the key holds a line break",
    ),
    (
        document(endpoint=f'credential = "{KEY}"\ncredential_env = "EXAMPLE_API_KEY"'),
        "provider.endpoint.credential_env: give credential or credential_env, not both",
    ),
    (document(endpoint="auth = 5"), "provider.endpoint.auth must be a string"),
    (document(endpoint='auth = "basic"'), 'provider.endpoint.auth must be "bearer", "none"'),
    (document(endpoint="name = 5"), "provider.endpoint.name must be a string, not int"),
    (
        document(endpoint='headers = ["x-title: Test"]'),
        "provider.endpoint.headers must be a table (a mapping), not list",
    ),
    (
        document(endpoint="headers = { x-title = 5 }"),
        "provider.endpoint.headers: the value of 'x-title' must be printable ASCII text",
    ),
    (
        document(endpoint='headers = { "x title" = "a" }'),
        "provider.endpoint.headers: 'x title' is no valid header name",
    ),
    (
        document(endpoint="query = { a = 1 }"),
        "provider.endpoint.query: the value of 'a' must be Unicode text",
    ),
    (
        document(endpoint="quirks = { include_usge = true }"),
        "provider.endpoint.quirks: unknown key 'include_usge' (did you mean 'include_usage'?)",
    ),
    (
        document(endpoint='quirks = { include_usage = "yes" }'),
        "provider.endpoint.quirks.include_usage must be true or false, not str",
    ),
    (
        document(endpoint='quirks = { system_role = "boss" }'),
        'provider.endpoint.quirks.system_role must be "system" or "developer"',
    ),
    (document(endpoint="quirks = 5"), "provider.endpoint.quirks must be a table"),
    # The tables of the endpoint
    (document(endpoint="deadlines = 5"), "provider.endpoint.deadlines must be a table, not int"),
    (
        document(endpoint="deadlines = { connect = -1 }"),
        "provider.endpoint.deadlines.connect must be more than 0, not -1",
    ),
    (
        document(endpoint='deadlines = { connect = "10s" }'),
        "provider.endpoint.deadlines.connect must be a number, not str",
    ),
    (
        document(endpoint="deadlines = { gap = nan }"),
        "provider.endpoint.deadlines.gap must be a finite number",
    ),
    (
        document(endpoint="deadlines = { conect = 1 }"),
        "provider.endpoint.deadlines: unknown key 'conect' (did you mean 'connect'?)",
    ),
    (
        document(endpoint="limits = { line_bytes = 0 }"),
        "provider.endpoint.limits.line_bytes must be at least 1, not 0",
    ),
    (
        document(endpoint="limits = { line_bytes = 1.5 }"),
        "provider.endpoint.limits.line_bytes must be a whole number, not 1.5",
    ),
    (
        document(endpoint='limits = { line_bytes = "4 MiB" }'),
        "provider.endpoint.limits.line_bytes must be a number, not str",
    ),
    (
        document(endpoint="limits = { line_size = 1 }"),
        "provider.endpoint.limits: unknown key 'line_size' (did you mean 'line_bytes'?)",
    ),
    (
        document(endpoint='tls = { minimum_version = "1.1" }'),
        'provider.endpoint.tls.minimum_version must be "1.2" or "1.3"',
    ),
    (
        document(endpoint="tls = { replace_system_cas = true }"),
        "provider.endpoint.tls.replace_system_cas needs a ca_file or ca_dir",
    ),
    (
        document(endpoint='tls = { cafile = "x" }'),
        "provider.endpoint.tls: unknown key 'cafile' (did you mean 'ca_file'?)",
    ),
    (
        document(endpoint='tls = { ssl_context = "x" }'),
        "provider.endpoint.tls: unknown key 'ssl_context' (known: ca_dir, ca_file, ",
    ),
    (
        document(endpoint="pool = { max_idle = -1 }"),
        "provider.endpoint.pool.max_idle must be at least 0, not -1",
    ),
    (
        document(endpoint='proxy = "p.example"'),
        "provider.endpoint.proxy: url must begin with http://, https://, socks5://",
    ),
    (document(endpoint="proxy = 5"), "provider.endpoint.proxy must be ProxySettings, a URL or"),
    (
        document(endpoint='proxy = { url = "http://p.example", pasword = "x" }'),
        "provider.endpoint.proxy: unknown key 'pasword' (did you mean 'password'?)",
    ),
    (
        document(endpoint='proxy = { url = "http://p.example", password_env = "UNSET" }'),
        "provider.endpoint.proxy.password_env: the environment variable that it names is not set",
    ),
    (
        document(endpoint='proxy = { url = "http://p.example", password_env = "BROKEN" }'),
        "provider.endpoint.proxy.password_env: BROKEN: the key holds a line break",
    ),
    (
        document(endpoint=f'proxy = {{ url = "http://p.example", password = "{KEY}" }}'),
        "provider.endpoint.proxy.password needs the username that it belongs to",
    ),
    (
        document(endpoint=f'credential = "{KEY}"').replace("https:", "http:"),
        "provider.endpoint.allow_plaintext is not set, so no credential, nor a header",
    ),
    # The settings
    (
        document(defaults="temprature = 1"),
        "provider.defaults: unknown key 'temprature' (did you mean 'temperature'?)",
    ),
    (
        document(defaults="max_tokens = 1"),
        "provider.defaults: unknown key 'max_tokens' (did you mean 'max_output_tokens'?)",
    ),
    (
        document(defaults='temperature = "hot"'),
        "provider.defaults.temperature must be a number, not str",
    ),
    (
        document(defaults="temperature = nan"),
        "provider.defaults.temperature must be a finite number",
    ),
    (
        document(defaults="temperature = 1979-05-27"),
        "provider.defaults.temperature must be a number, not date",
    ),
    (document(defaults="seed = 99999999999999999999"), "provider.defaults.seed must be a finite"),
    (document(defaults="stop = 5"), "provider.defaults.stop must be a list, not int"),
    (
        document(defaults='[provider.defaults.tools]\nname = "a"'),
        "provider.defaults.tools must be a list, not dict",
    ),
    (
        document(defaults='[[provider.defaults.tools]]\nnmae = "a"'),
        "provider.defaults.tools[0]: unknown key 'nmae' (did you mean 'name'?)",
    ),
    (
        document(defaults='tools = [{ name = "a" }, { name = 5 }]'),
        "provider.defaults.tools[1].name must be a string, not int",
    ),
    (
        document(defaults='tool_choice = "search"'),
        'provider.defaults.tool_choice must be "auto", "none" or "required"',
    ),
    (
        document(defaults='response_schema = { schema = {}, nam = "a" }'),
        "provider.defaults.response_schema: unknown key 'nam' (did you mean 'name'?)",
    ),
    (
        document(defaults='reasoning = { efort = "low" }'),
        "provider.defaults.reasoning: unknown key 'efort' (did you mean 'effort'?)",
    ),
    (document(defaults="extra = 5"), "provider.defaults.extra must be a table"),
]

ENVIRON = {"EXAMPLE_API_KEY": KEY, "EMPTY": "", "BROKEN": f"{KEY}\n{KEY}"}


@pytest.mark.parametrize(
    ("text", "error"), BAD_DOCUMENTS, ids=[error for _, error in BAD_DOCUMENTS]
)
def test_a_mistake_in_a_document_is_told_in_one_line(text: str, error: str) -> None:
    """The line names the path of the key and what it takes, and shows no key."""
    with pytest.raises(ConfigError, match=f"^{re.escape(error)}") as caught:
        Config.from_toml(text, ENVIRON)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert KEY not in everything_in(caught.value)


def test_keys_that_are_no_strings_are_refused() -> None:
    """YAML has such keys; none of ours is one."""
    mapping: dict[str, Any] = {
        "provider": {"kind": "openai-chat", "endpoint": {"base_url": URL, 5: "x"}}
    }
    with pytest.raises(
        ConfigError, match=r"^provider\.endpoint: unknown key 5 \(known: allow_plaintext, "
    ):
        Config.from_mapping(mapping)


def test_a_credential_variable_is_looked_up_in_what_was_given() -> None:
    """Without an environment no variable is set: nothing reads the process's own."""
    with pytest.raises(ConfigError, match="is not set"):
        Config.from_toml(document(endpoint='credential_env = "PATH"'))


def test_a_small_environment_is_enough() -> None:
    """The same two things are needed, and other variables do not matter."""
    environ = environment() | {"PATH": "/bin", "TOKENWIRE_LIVE_MODEL": "m"}
    assert Config.from_env(environ) == Config.from_toml(document())


def test_a_whole_environment_is_read() -> None:
    """Text is text, everything else JSON; deadlines, limits and TLS have prefixes."""
    environ = environment(
        BASE_URL=URL,
        CREDENTIAL_ENV="EXAMPLE_API_KEY",
        AUTH="header:api-key",
        NAME="example",
        HEADERS='{"x-title": "Test"}',
        QUERY='{"api-version": "2026-01-01"}',
        QUIRKS='{"include_usage": true, "max_tokens_field": "max_tokens"}',
        DEADLINES_CONNECT="10",
        DEADLINES_GAP="0.5",
        LIMITS_LINE_BYTES="1024",
        TLS_CA_FILE="ca.pem",
        TLS_MINIMUM_VERSION="1.3",
        MODEL="some-model",
        MAX_OUTPUT_TOKENS="100",
        TEMPERATURE="0.5",
        TOP_P="0.9",
        STOP='["END"]',
        SEED="7",
        TOOLS=(
            '[{"name": "search", "description": "Looks it up", "strict": true,'
            ' "parameters": {"type": "object"}}]'
        ),
        REASONING='{"effort": "low"}',
        N="2",
        LOGPROBS="3",
        RESPONSE_SCHEMA='{"name": "city", "schema": {"type": "object"}}',
        EXTRA='{"top_k": 40}',
    )
    read = Config.from_env(environ | {"EXAMPLE_API_KEY": KEY})
    written = Config.from_toml(WHOLE, {"EXAMPLE_API_KEY": KEY})
    forced = attrs.evolve(read.provider.defaults, tool_choice=ForcedTool("search"))
    assert attrs.evolve(read, provider=attrs.evolve(read.provider, defaults=forced)) == written


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("CREDENTIAL", "5", ("endpoint", "credential")),
        ("MODEL", "5", ("defaults", "model")),
        ("NAME", "true", ("endpoint", "name")),
        ("TOOL_CHOICE", "auto", ("defaults", "tool_choice")),
        ("TLS_CA_DIR", "1", ("endpoint", "tls", "ca_dir")),
        ("TLS_CLIENT_CERT_FILE", "1", ("endpoint", "tls", "client_cert_file")),
    ],
)
def test_text_in_a_variable_needs_no_quotes(name: str, value: str, path: tuple[str, ...]) -> None:
    """Even where it looks like JSON, a name is a name."""
    found: Any = Config.from_env(environment(**{name: value})).provider
    for step in path:
        found = getattr(found, step)
    assert found == (Secret(value) if name == "CREDENTIAL" else value)


def test_a_key_file_is_text_as_well() -> None:
    """It needs a certificate beside it."""
    environ = environment(TLS_CLIENT_CERT_FILE="1", TLS_CLIENT_KEY_FILE="2")
    assert Config.from_env(environ).provider.endpoint.tls.client_key_file == "2"


def test_an_empty_variable_counts_as_unset() -> None:
    """Shells and containers set variables that mean nothing."""
    environ = environment(MODEL="", TEMPERATURE="", CREDENTIAL="") | {"TOKENWIRE_PROVIDER_X": ""}
    assert Config.from_env(environ) == Config.from_toml(document())


def test_the_prefix_is_the_callers_choice() -> None:
    """An application may have a section for each of several providers."""
    environ = {"ACME_KIND": "openai-chat", "ACME_BASE_URL": URL, "TOKENWIRE_PROVIDER_X": "y"}
    assert Config.from_env(environ, "ACME_") == Config.from_toml(document())


BAD_VARIABLES: list[tuple[dict[str, str], str]] = [
    ({"KIND": ""}, "TOKENWIRE_PROVIDER_KIND is missing"),
    ({"BASE_URL": ""}, "TOKENWIRE_PROVIDER_BASE_URL is missing"),
    (
        {"KIND": "openai"},
        ("TOKENWIRE_PROVIDER_KIND: unknown wire format 'openai' (did you mean 'openai-chat'?)"),
    ),
    ({"BASE_URL": "host.example"}, "TOKENWIRE_PROVIDER_BASE_URL must begin with https://"),
    ({"CREDENTIAL": f"{KEY}\n"}, "TOKENWIRE_PROVIDER_CREDENTIAL: the key starts or ends with"),
    (
        {"CREDENTIAL": KEY, "CREDENTIAL_ENV": "EXAMPLE_API_KEY"},
        "TOKENWIRE_PROVIDER_CREDENTIAL_ENV: give credential or credential_env, not both",
    ),
    (
        {"CREDENTIAL_ENV": "UNSET"},
        "TOKENWIRE_PROVIDER_CREDENTIAL_ENV: the environment variable that it names is not set",
    ),
    (
        {"BASEURL": URL},
        (
            "unknown environment variable 'TOKENWIRE_PROVIDER_BASEURL'"
            " (did you mean 'TOKENWIRE_PROVIDER_BASE_URL'?)"
        ),
    ),
    (
        {"GAP": "3"},
        (
            "unknown environment variable 'TOKENWIRE_PROVIDER_GAP'"
            " (did you mean 'TOKENWIRE_PROVIDER_DEADLINES_GAP'?)"
        ),
    ),
    (
        {"": "x"},
        "unknown environment variable 'TOKENWIRE_PROVIDER_'",
    ),
    (
        {"DEADLINES": '{"connect": 1}', "DEADLINES_CONNECT": "2"},
        "unknown environment variable 'TOKENWIRE_PROVIDER_DEADLINES'",
    ),
    ({"LIMITS": "{}"}, "unknown environment variable 'TOKENWIRE_PROVIDER_LIMITS'"),
    ({"TLS": "{}"}, "unknown environment variable 'TOKENWIRE_PROVIDER_TLS'"),
    ({"TLS_SSL_CONTEXT": "{}"}, "unknown environment variable 'TOKENWIRE_PROVIDER_TLS_SSL_CO"),
    ({"TEMPERATURE": "hot"}, "TOKENWIRE_PROVIDER_TEMPERATURE must be a number as JSON has it, for"),
    ({"TEMPERATURE": '"hot"'}, "TOKENWIRE_PROVIDER_TEMPERATURE must be a number, not str"),
    ({"TEMPERATURE": "NaN"}, "TOKENWIRE_PROVIDER_TEMPERATURE must be a number as JSON has it"),
    ({"SEED": "9" * 5_000}, "TOKENWIRE_PROVIDER_SEED must be a number as JSON has it"),
    ({"EXTRA": "[" * 100_000}, "TOKENWIRE_PROVIDER_EXTRA must be JSON"),
    ({"EXTRA": '"\udcff"'}, "TOKENWIRE_PROVIDER_EXTRA must be JSON"),
    ({"REASONING": "low"}, "TOKENWIRE_PROVIDER_REASONING must be JSON, for instance"),
    ({"TOOLS": '[{"nmae": "a"}]'}, "TOKENWIRE_PROVIDER_TOOLS[0]: unknown key 'nmae' (did you"),
    ({"HEADERS": '["a: b"]'}, "TOKENWIRE_PROVIDER_HEADERS must be a table (a mapping), not list"),
    ({"QUIRKS": '{"a": 1}'}, "TOKENWIRE_PROVIDER_QUIRKS: unknown key 'a' (known: include_usage"),
    ({"DEADLINES_GAP": "x"}, "TOKENWIRE_PROVIDER_DEADLINES_GAP must be a number as JSON has it"),
    ({"DEADLINES_GAP": "-1"}, "TOKENWIRE_PROVIDER_DEADLINES_GAP must be more than 0, not -1"),
    ({"LIMITS_LINE_BYTES": "null"}, "TOKENWIRE_PROVIDER_LIMITS_LINE_BYTES must be a number"),
    ({"PROXY": "p.example"}, "TOKENWIRE_PROVIDER_PROXY must begin with http://"),
    ({"PROXY_USERNAME": "me"}, "TOKENWIRE_PROVIDER_PROXY is missing"),
    (
        {"PROXY": "http://p.example", "PROXY_PASSWORD_ENV": "UNSET"},
        "TOKENWIRE_PROVIDER_PROXY_PASSWORD_ENV: the environment variable that it names is not",
    ),
    (
        {"TLS_REPLACE_SYSTEM_CAS": "true"},
        "TOKENWIRE_PROVIDER_TLS_REPLACE_SYSTEM_CAS needs a ca_file or ca_dir",
    ),
]


@pytest.mark.parametrize(
    ("variables", "error"), BAD_VARIABLES, ids=[error for _, error in BAD_VARIABLES]
)
def test_a_mistake_in_a_variable_is_told_in_one_line(variables: dict[str, str], error: str) -> None:
    """The line names the variable, not a path in a file that nobody wrote."""
    with pytest.raises(ConfigError, match=f"^{re.escape(error)}") as caught:
        Config.from_env(environment(**variables) | ENVIRON)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_500
    assert KEY not in everything_in(caught.value)


def test_an_environment_without_our_variables_is_told() -> None:
    """Nothing set at all is told with the prefix that was looked for."""
    with pytest.raises(
        ConfigError,
        match=r"^no environment variable begins with 'TOKENWIRE_PROVIDER_': set TOKENWIRE_"
        r"PROVIDER_KIND and TOKENWIRE_PROVIDER_BASE_URL, or TOKENWIRE_PROVIDER_PRESET$",
    ):
        Config.from_env({"PATH": "/bin", "TOKENWIRE_PROVIDER_MODEL": ""})


def test_a_bad_configuration_is_a_bad_value() -> None:
    """Who catches `ValueError` catches a `ConfigError`."""
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize(
    "name", sorted({*attrs.fields_dict(ProviderConfig)} - {"model", "tool_choice"})
)
def test_null_in_a_variable_counts_as_unset(name: str) -> None:
    """Every setting that is no text has a variable, and JSON's null unsets it."""
    assert Config.from_env(environment(**{name.upper(): "null"})) == Config.from_toml(document())


def test_the_name_of_a_file_is_no_document() -> None:
    """The core opens no file: its text is what is wanted."""
    path: Any = Path("config.toml")
    with pytest.raises(TypeError, match=r"such as Path\(…\).read_text\(\) gives, not \w*Path$"):
        Config.from_toml(path)
    with pytest.raises(ConfigError, match="must be the text of a file, not its name"):
        Config.from_toml("config.toml")


def test_a_section_has_an_endpoint_and_not_its_address() -> None:
    """What is no endpoint is refused at once, with the name of what it should be."""
    address: Any = "https://host.example/v1"
    with pytest.raises(TypeError, match=r"^endpoint must be an Endpoint, not str$"):
        ProviderSection(kind="openai-chat", endpoint=address)
