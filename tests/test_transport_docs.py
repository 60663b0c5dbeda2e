"""docs/transport.md tells the truth: its programs run, its tests pass, its tables match."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
import trio
from trio.testing import MockClock

from tokenwire import Config, Deadlines, TLSSettings
from tokenwire.connection_settings import PROXY_PORTS
from tokenwire.errors import Phase
from tokenwire_trio import testing

_PAGE = Path(__file__).parent.parent / "docs" / "transport.md"
_TEXT = _PAGE.read_text(encoding="utf-8") if _PAGE.exists() else ""

pytestmark = pytest.mark.skipif(not _TEXT, reason="the documentation is not here")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _TEXT, re.DOTALL | re.MULTILINE)


def _section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", _TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def _first_cells(title: str) -> list[str]:
    return re.findall(r"^\| (`.*?) \|", _section(title), re.MULTILINE)


def _run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__docs__"}
    lines_before = "\n" * _TEXT[: _TEXT.index(block)].count("\n")  # so that errors name the line
    code = compile(lines_before + block, str(_PAGE), "exec")
    exec(code, names)  # noqa: S102  # our own documentation
    return names


def _tests_in(names: dict[str, Any]) -> list[Callable[..., Awaitable[None]]]:
    return [value for name, value in names.items() if name.startswith("test_")]


@pytest.mark.parametrize("block", [one for one in _blocks("python") if "trio.run(" in one])
def test_a_program_runs(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints what came of an answer."""
    _run(block)
    assert capsys.readouterr().out.startswith("Hel")


@pytest.mark.parametrize("block", [one for one in _blocks("python") if "async def test_" in one])
def test_a_test_passes(block: str) -> None:
    """With the clock that it asks for, as pytest-trio would pass it."""
    tests = _tests_in(_run(block))
    assert tests != []
    for test in tests:
        if "autojump_clock" in inspect.signature(test).parameters:
            trio.run(test, clock := MockClock(autojump_threshold=0), clock=clock)
        else:
            trio.run(test)


def test_every_program_and_test_is_run() -> None:
    """There is no block of another kind."""
    for block in _blocks("python"):
        assert ("trio.run(" in block) + ("async def test_" in block) == 1


def test_the_configuration_loads() -> None:
    """And the numbers in it are the pool's."""
    [document] = _blocks("toml")
    pool = Config.from_toml(document, {}).provider.endpoint.pool
    assert (pool.max_connections, pool.max_idle, pool.idle_expiry) == (8, 4, 4.0)


def test_every_deadline_is_in_the_table() -> None:
    """In the order in which they run, with every phase that there is."""
    assert _first_cells("Deadlines") == [f"`{name}`" for name in attrs.fields_dict(Deadlines)]
    for phase in get_args(Phase):
        assert f"`{phase}`" in _section("Deadlines")
        assert f"`{phase}`" in _section("Errors") or phase == "pool"


def test_every_tls_setting_is_in_the_table() -> None:
    """One or two a row."""
    cells = ", ".join(_first_cells("TLS"))
    assert cells == ", ".join(f"`{name}`" for name in attrs.fields_dict(TLSSettings))


def test_every_kind_of_proxy_is_in_the_table() -> None:
    """By its scheme."""
    assert _first_cells("Proxies") == [f"`{scheme}`" for scheme in PROXY_PORTS]


@pytest.mark.parametrize(
    "name", ["FaultyDial", "SCENARIOS", "ScriptedProvider", "serve", "serve_in_memory"]
)
def test_what_helps_to_test_has_an_example(name: str) -> None:
    """And is there."""
    assert hasattr(testing, name)
    assert any(re.search(rf"\b{name}\b", block) for block in _blocks("python"))


def test_links_within_the_documentation_lead_somewhere() -> None:
    """To a file beside it, or to a heading on the page."""
    headings = re.findall(r"^##+ (.*)$", _TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", _TEXT):
        path, _, anchor = target.partition("#")
        assert path or anchor in anchors
        assert (_PAGE.parent / path).exists()
