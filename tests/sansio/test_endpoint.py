"""Addresses, credentials and bounds: refused where they could do harm, shown without secrets."""

import functools
import math
import re
from typing import Any

import attrs
import pytest

from tests.sansio.leaks import everything_in
from tokenwire.connection_settings import ProxySettings
from tokenwire.endpoint import (
    BEARER,
    AuthStyle,
    Deadlines,
    Endpoint,
    Limits,
    TLSSettings,
)
from tokenwire.secret import REDACTED, Secret

KEY = "sk-proj-a1B2c3D4e5F6"
URL = "https://host.example/v1"


def endpoint(**settings: Any) -> Endpoint:
    """Make an endpoint with these settings."""
    given: dict[str, Any] = {"base_url": URL, **settings}
    return Endpoint(**given)


async def credential_source(key: str = KEY) -> Secret:
    """Give a key when asked."""
    return Secret(key)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://host.example/v1", "https://host.example/v1"),
        ("https://host.example/v1/", "https://host.example/v1"),
        ("https://host.example/v1///", "https://host.example/v1"),
        ("https://host.example", "https://host.example"),
        ("https://host.example/", "https://host.example"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("HTTPS://Host.Example/V1", "HTTPS://Host.Example/V1"),
        ("https://host.example/v1/v1", "https://host.example/v1/v1"),
        ("https://host.example/a%20b", "https://host.example/a%20b"),
        ("https://xn--bcher-kva.example/v1", "https://xn--bcher-kva.example/v1"),
    ],
)
def test_a_base_url_only_loses_the_slashes_at_its_end(given: str, kept: str) -> None:
    """Nothing is added to what the user wrote, and nothing else taken away."""
    assert endpoint(base_url=given).base_url == kept


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("", "base_url is empty: set it"),
        (5, "base_url must be a string, not int"),
        (None, "base_url must be a string, not NoneType"),
        ("host.example/v1", "base_url must begin with https:// or http:// and a host"),
        ("localhost:8080", "base_url must begin with https:// or http:// and a host"),
        ("//host.example", "base_url must begin with https:// or http:// and a host"),
        ("ftp://host.example", "base_url must begin with https:// or http:// and a host"),
        ("ws://host.example", "base_url: for a WebSocket, too, write http:// in place of ws://"),
        ("wss://host", "base_url: for a WebSocket, too, write https:// in place of wss://"),
        ("https://", "base_url must begin with https:// or http:// and a host"),
        ("https:///v1", "base_url must begin with https:// or http:// and a host"),
        ("https://:8080/v1", "base_url must begin with https:// or http:// and a host"),
        ("https://host.example/v1?a=b", "base_url holds a query or fragment"),
        ("https://host.example/v1?", "base_url holds a query or fragment"),
        ("https://host.example/v1#top", "base_url holds a query or fragment"),
        ("https://host.example/v1#", "base_url holds a query or fragment"),
        (" https://host.example", "base_url holds white space"),
        ("https://host.example/v1\n", "base_url holds white space"),
        ("https://host.example/a b", "base_url holds white space"),
        ("https://host.example/\x00", "base_url holds white space"),
        ("https://host.example/\x7f", "base_url holds white space"),
        ("https://bücher.example/v1", "base_url holds a non-ASCII character: write the host"),
        ("https://host.example/v\u2011", "base_url holds a non-ASCII character: write the host"),
        ("https://host.example:port/v1", "base_url is no valid URL: check its host and port"),
        ("https://host.example:65536/v1", "base_url is no valid URL: check its host and port"),
        ("https://[::1/v1", "base_url is no valid URL: check its host and port"),
    ],
)
def test_a_bad_base_url_is_told(url: Any, advice: str) -> None:
    """What cannot be an API's address is refused before anything is sent."""
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(advice)}"):
        endpoint(base_url=url)


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{KEY}@host.example/v1",
        f"https://{KEY}@host.example",
        f"https://user:{KEY}@",
        f"ftp://user:{KEY}@host.example",
        f"https://user:{KEY}@host.example?a=b",
        f"https://us\u2100er:{KEY}@host.example",  # whose parts urllib refuses, and quotes
        f"https://user:{KEY}@host.example:port",
        f"https://user:{KEY}@host.example/a b",
    ],
)
def test_user_info_in_a_base_url_is_refused_unseen(url: str) -> None:
    """A key in the URL is a mistake that must not get into logs, whatever else is wrong."""
    with pytest.raises(ValueError, match=r"^base_url") as caught:
        endpoint(base_url=url)
    assert KEY not in everything_in(caught.value)


def test_user_info_is_told_to_go_elsewhere() -> None:
    """The error says where a key belongs."""
    with pytest.raises(ValueError, match="put the key in `credential`"):
        endpoint(base_url=f"https://:{KEY}@host.example")


def test_a_string_is_taken_as_the_key() -> None:
    """It is hidden in a `Secret` at once."""
    assert endpoint(credential=KEY).credential == Secret(KEY)


@pytest.mark.parametrize(
    "credential", [None, Secret(KEY), credential_source, functools.partial(credential_source, KEY)]
)
def test_a_credential_is_a_secret_or_asked_for(credential: object) -> None:
    """A callable is asked at each attempt, and kept as it is."""
    assert endpoint(credential=credential).credential is credential


def test_a_bad_key_is_refused_unseen() -> None:
    """The error names the field, and shows nothing of the key."""
    with pytest.raises(ValueError, match=r"^credential: the key holds a line break") as caught:
        endpoint(credential=f"{KEY}\n{KEY}")
    assert KEY not in everything_in(caught.value)


@pytest.mark.parametrize("credential", [5, KEY.encode(), [KEY], {"key": KEY}])
def test_a_credential_of_another_type_is_refused_unseen(credential: object) -> None:
    """Nothing else can be sent as a key."""
    with pytest.raises(TypeError, match=r"^credential must be the key or an async call") as caught:
        endpoint(credential=credential)
    assert KEY not in everything_in(caught.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ("bearer", BEARER),
        ("none", AuthStyle("")),
        ("header:api-key", AuthStyle("api-key")),
        ("header:X-API-Key", AuthStyle("X-API-Key")),
        (AuthStyle("x-key", "Key "), AuthStyle("x-key", "Key ")),
    ],
)
def test_auth_is_a_style_or_its_name(given: Any, kept: object) -> None:
    """Configuration files spell the style in a word."""
    assert endpoint(auth=given).auth == kept


@pytest.mark.parametrize(
    "text", ["", "Bearer", "bearer:", "bearer:x", "none:", "header", "header:", "header:a b", "x"]
)
def test_an_unknown_auth_style_is_told(text: str) -> None:
    """The error lists what there is."""
    with pytest.raises(ValueError, match=r'^auth must be "bearer", "none" or "header:NAME"$'):
        AuthStyle.parse(text)


def test_bearer_is_the_usual_style() -> None:
    """RFC 6750: the word, a space, the key."""
    assert (BEARER.header, BEARER.prefix) == ("authorization", "Bearer ")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("a b",), "header: 'a b' is no valid header name"),
        (("a\r\nb",), r"header: 'a\r\nb' is no valid header name"),
        ((5,), "header must be a string, not int"),
        (("a", "x\r\n"), "prefix must be printable ASCII"),
        (("a", "é "), "prefix must be printable ASCII"),
        (("a", None), "prefix must be a string, not NoneType"),
    ],
)
def test_an_auth_style_that_no_header_can_carry_is_refused(
    arguments: tuple[Any, ...], error: str
) -> None:
    """No line break gets into a request by way of a style."""
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(error)}$"):
        AuthStyle(*arguments)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"auth": 5}, "auth must be a string or an AuthStyle, not int"),
        ({"name": 5}, "name must be a string, not int"),
        ({"headers": ["a: b"]}, "headers must be a table (a mapping), not list"),
        ({"headers": {5: "x"}}, "headers: the keys of a mapping must be strings"),
        ({"headers": {"a b": "x"}}, "headers: 'a b' is no valid header name"),
        ({"headers": {"": "x"}}, "headers: '' is no valid header name"),
        ({"headers": {"a:": "x"}}, "headers: 'a:' is no valid header name"),
        (
            {"headers": {"Transfer-Encoding": "chunked"}},
            "headers: 'Transfer-Encoding' frames the request, which only the transport does",
        ),
        (
            {"headers": {"content-length": "0"}},
            "headers: 'content-length' frames the request, which only the transport does",
        ),
        (
            {"auth": "header:Upgrade"},
            "header: 'Upgrade' frames the request, which only the transport does",
        ),
        ({"headers": {"a": 5}}, "headers: the value of 'a' must be printable ASCII text"),
        ({"query": "a=b"}, "query must be a table (a mapping), not str"),
        ({"query": {"a": 5}}, "query: the value of 'a' must be Unicode text"),
        ({"query": {"a": "\ud83d"}}, "query: the value of 'a' must be Unicode text"),
        ({"query": {"\ud83d": "a"}}, "query: the value of '\\ud83d' must be Unicode text"),
        ({"deadlines": 5}, "deadlines must be Deadlines, not int"),
        ({"limits": {}}, "limits must be Limits, not dict"),
        ({"tls": "on"}, "tls must be TLSSettings, not str"),
        ({"pool": 5}, "pool must be PoolSettings, not int"),
        ({"proxy": 5}, 'proxy must be ProxySettings, a URL or "env", not int'),
        ({"unix_socket": ""}, "unix_socket is empty: set it, or leave it out"),
        ({"allow_plaintext": "yes"}, "allow_plaintext must be true or false, not str"),
        ({"quirks": ["a"]}, "quirks must be a table (a mapping), not list"),
    ],
)
def test_a_bad_setting_is_refused_by_name(settings: dict[str, Any], error: str) -> None:
    """One line names the setting and says what it takes."""
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(error)}$"):
        endpoint(**settings)


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x00b", "a\x7fb", "é"])
def test_a_header_value_cannot_break_the_request(value: str) -> None:
    """Line breaks and other control characters are refused, and the value is not shown."""
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        endpoint(headers={"x-key": KEY + value})
    assert KEY not in everything_in(caught.value)


@pytest.mark.parametrize("value", ["", "a\tb", " !~", Secret(KEY)])
def test_every_other_header_value_is_taken(value: str | Secret) -> None:
    """A tab, spaces, nothing at all and a `Secret` can be sent."""
    assert endpoint(headers={"x-key": value}).headers == {"x-key": value}


def test_query_values_may_be_any_text_or_secret() -> None:
    """They are percent-encoded, so they may hold anything."""
    query = {"api-version": "2026-01-01", "key": Secret(KEY), "text": "ü&=\n"}
    assert endpoint(query=query).query == query


def test_nothing_of_an_endpoint_changes_later() -> None:
    """The caller's own mappings may go on changing."""
    headers = {"a": "b"}
    made = endpoint(headers=headers)
    headers["c"] = "d"
    assert made.headers == {"a": "b"}


def test_an_endpoint_has_plain_defaults() -> None:
    """No key, no deadline, no extra header, no quirk: only limits."""
    made = Endpoint(base_url=URL)
    assert (made.credential, made.auth, made.name) == (None, None, "")
    assert made.headers == made.query == made.quirks == {}
    assert (made.deadlines, made.limits, made.tls) == (Deadlines(), Limits(), TLSSettings())


@pytest.mark.parametrize(
    "settings",
    [
        {"credential": KEY},
        {"credential": functools.partial(credential_source, KEY)},
        {"headers": {"authorization": f"Bearer {KEY}"}},
        {"headers": {"x-key": Secret(KEY)}},
        {"query": {"key": KEY}},
        {"query": {"key": Secret(KEY)}},
    ],
)
def test_the_repr_shows_no_secret(settings: dict[str, Any]) -> None:
    """Wherever a key stands, the `repr` shows at most its name."""
    assert KEY not in repr(endpoint(**settings))


def test_the_repr_shows_what_kind_of_credential_there_is() -> None:
    """That a key is missing is worth seeing."""
    assert "credential=None" in repr(endpoint())
    assert "credential=Secret(…)" in repr(endpoint(credential=KEY))
    assert "credential=<callable>" in repr(endpoint(credential=credential_source))
    assert "headers={x-key: …}" in repr(endpoint(headers={"x-key": "b"}))
    assert "query={a: …}" in repr(endpoint(query={"a": "b"}))


@pytest.mark.parametrize(
    "settings",
    [
        {"credential": KEY},
        {"headers": {"x-custom": Secret(KEY)}},
        {"query": {"custom": Secret(KEY)}},
        {"headers": {"Authorization": f"Bearer {KEY}"}},
        {"headers": {"Authorization": f"Basic  {KEY}"}},
        {"headers": {"X-API-KEY": KEY}},
        {"headers": {"cookie": f"id=12345678; {KEY}; a=b"}},
        {"headers": {"cookie": f"session={KEY}"}},
        {"query": {"access_token": KEY}},
        {"query": {"client-secret": KEY}},
    ],
)
def test_the_scrubber_knows_every_secret(settings: dict[str, Any]) -> None:
    """Also a key that a configuration file could only write as a plain header."""
    assert endpoint(**settings).scrubber().scrub(f"bad {KEY}!") == f"bad {REDACTED}!"


def test_the_scrubber_knows_a_short_key_behind_its_scheme() -> None:
    """The word before it is no secret, the key is, however short."""
    made = endpoint(headers={"authorization": "Bearer hunter2"})
    assert made.scrubber().scrub("Bearer: hunter2") == f"Bearer: {REDACTED}"


def test_the_scrubber_leaves_plain_values_alone() -> None:
    """What is no secret helps to read an error."""
    made = endpoint(headers={"x-title": "My application"}, query={"api-version": "2026-01-01"})
    text = "My application asked for 2026-01-01"
    assert made.scrubber().scrub(text) == text


def test_the_scrubber_is_made_once() -> None:
    """Taking a key apart takes longer than the rest of a request's encoding."""
    made = endpoint(credential=KEY)
    assert made.scrubber() is made.scrubber()


def test_another_credential_gets_a_scrubber_of_its_own() -> None:
    """One that is kept goes with the endpoint, not with a copy of it."""
    made = endpoint(credential="sk-another-key-than-that")
    made.scrubber()
    renewed = attrs.evolve(made, credential=KEY)
    assert renewed.scrubber().scrub(f"bad {KEY}") == f"bad {REDACTED}"


SECRETS: list[dict[str, Any]] = [
    {"credential": KEY},
    {"credential": credential_source},
    {"headers": {"x-custom": Secret(KEY)}},
    {"headers": {"x-api-key": KEY}},
    {"headers": {"X-Password": KEY}},
    {"query": {"token": KEY}},
    {"query": {"credential": KEY}},
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_does_not_travel_unencrypted(secret: dict[str, Any]) -> None:
    """Over http:// to another machine everybody in between could read it."""
    with pytest.raises(ValueError, match=r"^allow_plaintext is not set, so no cred") as caught:
        endpoint(base_url="http://host.example", **secret)
    assert KEY not in everything_in(caught.value)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "https://host.example"},
        {"base_url": "HTTPS://host.example"},
        {"base_url": "http://localhost:8080"},
        {"base_url": "http://[::1]:8080"},
        {"base_url": "http://host.example", "unix_socket": "/run/model.sock"},
        {"base_url": "http://host.example", "allow_plaintext": True},
        {"base_url": "http://localhost", "proxy": "env"},
        {"base_url": "http://localhost", "proxy": "http://127.0.0.1:3128"},
    ],
)
def test_a_secret_travels_where_nobody_else_reads_it(
    settings: dict[str, Any], secret: dict[str, Any]
) -> None:
    """Or where its owner says that everybody may."""
    assert endpoint(**settings, **secret).base_url


def test_without_a_secret_nothing_is_exposed() -> None:
    """A server that wants no key may be anywhere."""
    made = endpoint(base_url="http://host.example", headers={"x-title": "Test"})
    assert made.base_url == "http://host.example"


def test_a_proxy_elsewhere_reads_what_is_meant_for_this_machine() -> None:
    """It is on the way."""
    with pytest.raises(ValueError, match=r"^allow_plaintext is not set"):
        endpoint(base_url="http://localhost", proxy="http://p.example", credential=KEY)


def test_a_unix_socket_needs_no_proxy() -> None:
    """It leads to this machine, and nowhere else."""
    with pytest.raises(ValueError, match=r"^unix_socket leads to this machine: take the proxy out"):
        endpoint(unix_socket="/run/model.sock", proxy="http://p.example")


def test_the_scrubber_knows_the_proxys_password() -> None:
    """A proxy may echo it as a server may echo a key."""
    proxy = ProxySettings(url="http://p.example", username="me", password=KEY)
    made = endpoint(proxy=proxy)
    assert made.scrubber().scrub(f"bad {KEY}") == f"bad {REDACTED}"
    assert KEY not in repr(made)


@pytest.mark.parametrize("name", attrs.fields_dict(Deadlines))
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "10", True])
def test_a_deadline_is_a_positive_number_of_seconds(name: str, value: Any) -> None:
    """No deadline is None, not zero and not infinity."""
    given: dict[str, Any] = {name: value}
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be "):
        Deadlines(**given)


@pytest.mark.parametrize("name", attrs.fields_dict(Deadlines))
def test_every_deadline_is_off_by_default(name: str) -> None:
    """A long answer is not cut off by somebody else's patience."""
    assert getattr(Deadlines(), name) is None


@pytest.mark.parametrize("name", attrs.fields_dict(Limits))
@pytest.mark.parametrize("value", [0, -1, 1.5, None, True, "64"])
def test_a_limit_is_a_positive_whole_number(name: str, value: Any) -> None:
    """There is no unlimited: a peer that may send anything can fill any memory."""
    given: dict[str, Any] = {name: value}
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be "):
        Limits(**given)


@pytest.mark.parametrize("name", attrs.fields_dict(Limits))
def test_a_limit_may_be_as_low_as_one(name: str) -> None:
    """How tight is the caller's choice."""
    given: dict[str, Any] = {name: 1}
    assert getattr(Limits(**given), name) == 1


def test_the_limits_are_those_of_the_documentation() -> None:
    """Changing one is a change for users."""
    assert attrs.asdict(Limits()) == {
        "head_bytes": 64 * 1024,
        "line_bytes": 4 * 1024 * 1024,
        "event_bytes": 16 * 1024 * 1024,
        "document_bytes": 16 * 1024 * 1024,
        "error_body_bytes": 256 * 1024,
        "silent_bytes": 16 * 1024 * 1024,
        "answer_bytes": 64 * 1024 * 1024,
        "json_depth": 128,
        "json_values": 100_000,
        "tool_calls": 1024,
        "choices": 128,
    }


def test_json_depth_stays_within_pythons_own_bound() -> None:
    """A deeper limit would be Python's RecursionError instead of ours."""
    assert Limits(json_depth=500).json_depth == 500
    with pytest.raises(ValueError, match="json_depth must be at most 500, not 501"):
        Limits(json_depth=501)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"ca_file": ""}, "ca_file is empty: set it, or leave it out"),
        ({"ca_file": 5}, "ca_file must be a string, not int"),
        ({"ca_dir": 5}, "ca_dir must be a string, not int"),
        ({"client_cert_file": 5}, "client_cert_file must be a string, not int"),
        ({"client_key_file": 5}, "client_key_file must be a string, not int"),
        ({"replace_system_cas": 1}, "replace_system_cas must be true or false, not int"),
        ({"minimum_version": "1.1"}, 'minimum_version must be "1.2" or "1.3"'),
        ({"minimum_version": 1.2}, "minimum_version must be a string, not float"),
        (
            {"replace_system_cas": True},
            "replace_system_cas needs a ca_file or ca_dir to trust instead",
        ),
        (
            {"client_key_file": "key.pem"},
            "client_key_file needs the client_cert_file that it belongs to",
        ),
    ],
)
def test_bad_tls_settings_are_refused_by_name(settings: dict[str, Any], error: str) -> None:
    """Also those that make sense only together."""
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(error)}$"):
        TLSSettings(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"replace_system_cas": True, "ca_file": "ca.pem"},
        {"replace_system_cas": True, "ca_dir": "certs"},
        {"client_cert_file": "cert.pem"},
        {"client_cert_file": "cert.pem", "client_key_file": "key.pem"},
        {"minimum_version": "1.3"},
    ],
)
def test_tls_settings_that_belong_together_are_taken(settings: dict[str, Any]) -> None:
    """A certificate file may hold its key, and either kind of authorities will do."""
    assert attrs.asdict(TLSSettings(**settings)) == attrs.asdict(TLSSettings()) | settings


def test_tls_is_strict_by_default() -> None:
    """TLS 1.2 is the oldest, and the system's authorities are trusted."""
    assert TLSSettings().minimum_version == "1.2"
    assert TLSSettings().replace_system_cas is False
