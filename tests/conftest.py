"""For the whole suite: Hypothesis' profiles, figures, certificates, and a real model's server."""

import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
import trustme
from hypothesis import settings

from tests.figures import Figures, figures_of, report_figures
from tests.gguf import write_model
from tests.llama import running_llama
from tests.tls import tls_terminator

# A shell has what it runs in the background ignore Ctrl-C, and the programs under test inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Nor may the terminal that the suite runs in, if any, decide how wide and how colourful they print.
for variable in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
    os.environ.pop(variable, None)
os.environ["TERM"] = "xterm"

# No deadline: a busy machine is no reason to fail. Where the result must be the same for everybody,
# the examples are, too.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if "CI" in os.environ else "dev")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what tests counted."""
    report_figures(terminalreporter, config)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Give a function that takes a line for the end of the report."""
    return figures_of(pytestconfig)


class TLSServer(NamedTuple):
    """A server whose certificate no system trusts."""

    base_url: str
    ca_file: Path


@pytest.fixture(scope="session")
def certificate_authority() -> trustme.CA:
    """Give the suite an authority of its own, to issue certificates and to trust them."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(certificate_authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the authority's certificate as a PEM file."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    certificate_authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def server_context(certificate_authority: trustme.CA) -> ssl.SSLContext:
    """Give what a TLS server named `localhost` needs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # Its annotation also names pyOpenSSL's context, and that package isn't installed.
    certificate_authority.issue_cert("localhost").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a model that answers at thousands of tokens a second, see `tests.gguf`."""
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_model(path)
    return path


@pytest.fixture(scope="session")
def llama_url(tiny_model: Path) -> Iterator[str]:
    """Give the base URL of a llama.cpp server with the tiny model, over plain TCP."""
    with running_llama(tiny_model) as address:
        yield f"{address}/v1"


@pytest.fixture(scope="session")
def llama_tls(llama_url: str, server_context: ssl.SSLContext, ca_file: Path) -> Iterator[TLSServer]:
    """Give the base URL of the same server over TLS, and what to trust."""
    server_port = urlsplit(llama_url).port
    assert server_port is not None
    with tls_terminator(server_port, server_context) as port:
        yield TLSServer(f"https://localhost:{port}/v1", ca_file)


@pytest.fixture(scope="session")
def servers_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder in which other people's servers may install themselves."""
    home = os.environ.get("SERVERS_HOME")
    return Path(home) if home else tmp_path_factory.mktemp("servers")
