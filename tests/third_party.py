"""Servers that others wrote, run by a folder of scripts that `TOKENWIRE_SERVERS` names.

Each server has a script ``start-NAME.sh PORT …``, which installs what is missing, waits until the
server answers and exits; ``stop.sh NAME PORT`` ends it. ``SERVERS_HOME`` is where they install.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

#: Installing may take that long, the first time on a machine.
_START_TIMEOUT_S = 300


class Nginx(NamedTuple):
    """nginx in front of a server: a port for each way in which it may be set up.

    Attributes:
        port: The first of its ports.
        certificates: A folder with its certificate authority and a client's certificate.
    """

    port: int
    certificates: Path

    @property
    def ca_file(self) -> str:
        """The authority that issued its certificates."""
        return str(self.certificates / "ca.pem")

    def url(self, offset: int, scheme: str = "http") -> str:
        """Return the base URL of one of its ports."""
        return f"{scheme}://127.0.0.1:{self.port + offset}/v1"


@contextmanager
def running_nginx(upstream_port: int, home: Path) -> Generator[Nginx, None, None]:
    """Run nginx in front of a server on this machine, for as long as the block lasts."""
    with _running("nginx", home, str(upstream_port), ports=11) as port:
        yield Nginx(port, home / "run" / "certs")


@contextmanager
def running_proxy(name: str, home: Path, login: str = "") -> Generator[int, None, None]:
    """Run a proxy, ``tinyproxy`` or ``socks5``, and give its port.

    Args:
        name: Which one.
        home: Where it may install itself.
        login: ``user:password`` if it is to demand that.
    """
    with _running(name, home, PROXY_AUTH=login) as port:
        yield port


@contextmanager
def running_aimock(home: Path, answers: Path | None = None) -> Generator[int, None, None]:
    """Run aimock, which speaks every API, and give its port.

    Args:
        home: Where it may install itself.
        answers: A file of what it answers to which prompt, see its documentation; without one, it
            has those that come with the script.
    """
    with _running("aimock", home, AIMOCK_FIXTURES=str(answers or "")) as port:
        yield port


@contextmanager
def _running(
    name: str, home: Path, *args: str, ports: int = 1, **environ: str
) -> Generator[int, None, None]:
    folder = os.environ.get("TOKENWIRE_SERVERS")
    if not folder:
        pytest.skip("needs other people's servers: set TOKENWIRE_SERVERS")
    port = free_ports(ports)
    environment = {**os.environ, "SERVERS_HOME": str(home), **environ}
    started = subprocess.run(
        [Path(folder) / f"start-{name}.sh", str(port), *args],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_START_TIMEOUT_S,
    )
    if started.returncode:
        pytest.skip(f"{name} does not start here: {started.stderr.strip()[-500:]}")
    try:
        yield port
    finally:
        subprocess.run(
            [Path(folder) / "stop.sh", name, str(port)],
            env=environment,
            capture_output=True,
            check=True,
            timeout=30,
        )


def free_ports(count: int) -> int:
    """Find so many ports in a row that nobody listens on, and return the first."""
    while True:
        with ExitStack() as stack:
            first = _bound(stack, 0)
            try:
                for offset in range(1, count):
                    _bound(stack, first + offset)
            except (OSError, OverflowError):
                continue
            return first


def _bound(stack: ExitStack, port: int) -> int:
    one = stack.enter_context(socket.socket())
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", port))
    return int(one.getsockname()[1])
