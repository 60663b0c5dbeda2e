"""The command line's options for how a server is reached."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.trio_backend.cli_process import invoke, invoke_beside_server
from tests.trio_backend.servers import ServerSide, answer, keeps_alive, socket_server

_KEY = "sk-0123456789abcdef"


async def test_a_proxy_is_gone_through() -> None:
    """The server of the URL is asked by the proxy alone."""
    asked: list[bytes] = []

    async def proxy(peer: ServerSide) -> None:
        asked.append(bytes(await peer.stream.receive_some()))
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        await keeps_alive(answer("through"))(peer)

    async with socket_server(proxy) as url:
        result = await invoke_beside_server(
            "ask", "Hi", "--base-url", "http://host.invalid/v1", "--proxy", url.removesuffix("/v1")
        )
    assert (result.stdout, result.stderr) == ("through", "")
    assert asked[0].startswith(b"CONNECT host.invalid:80 ")


def test_the_environments_proxy_is_asked_for_by_name() -> None:
    """And only then."""
    options = ("ask", "Hi", "--base-url", "http://host.invalid/v1")
    environ = {"HTTP_PROXY": "http://127.0.0.1:1"}
    assert "proxy" not in invoke(*options, env=environ).stderr
    assert "the proxy 127.0.0.1:1" in invoke(*options, "--proxy", "env", env=environ).stderr


def test_a_password_in_a_proxys_url_is_refused() -> None:
    """Everybody on a machine sees the arguments of its programs."""
    result = invoke(
        "ask", "Hi", "--base-url", "http://localhost", "--proxy", f"http://me:{_KEY}@localhost"
    )
    assert result.exit_code == 2
    assert "`username` and `password`" in result.stderr
    assert _KEY not in result.stderr


def test_a_unix_socket_is_connected_to(tmp_path: Path) -> None:
    """In place of the URL's host."""
    path = tmp_path / "none.sock"
    result = invoke("ask", "Hi", "--base-url", "http://host.invalid", "--unix-socket", str(path))
    assert result.exit_code == 10
    assert f"the Unix socket {path}" in result.stderr


def test_a_key_goes_over_plain_http_only_where_that_is_allowed() -> None:
    """The error names what allows it."""
    call = partial(
        invoke, "encode", "Hi", "--base-url", "http://host.invalid", "--key-env", "SOME_KEY"
    )
    refused = call(env={"SOME_KEY": _KEY})
    assert refused.exit_code == 2
    assert "allow_plaintext" in refused.stderr
    assert call("--allow-plaintext", env={"SOME_KEY": _KEY}).exit_code == 0
