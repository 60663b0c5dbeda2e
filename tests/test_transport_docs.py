"""docs/transport.md tells the truth: its programs run, its tests pass, its tables match."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import attrs
import pytest

from tests.guides import Block, blocks_of, execute, run_tests
from tokenwire import Config, Deadlines, TLSSettings
from tokenwire.connection_settings import PROXY_PORTS
from tokenwire.errors import Phase
from tokenwire_trio import testing

_PAGE = Path(__file__).parent.parent / "docs" / "transport.md"
_TEXT = _PAGE.read_text(encoding="utf-8") if _PAGE.exists() else ""

pytestmark = pytest.mark.skipif(not _TEXT, reason="the documentation is not here")


def _blocks(language: str) -> list[Block]:
    return [block for block in blocks_of(_PAGE) if block.language == language] if _TEXT else []


def _section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", _TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def _first_cells(title: str) -> list[str]:
    return re.findall(r"^\| (`.*?) \|", _section(title), re.MULTILINE)


@pytest.mark.parametrize("block", [one for one in _blocks("python") if "trio.run(" in one.code])
def test_a_program_runs(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints what came of an answer."""
    execute(_PAGE, block)
    assert capsys.readouterr().out.startswith("Hel")


@pytest.mark.parametrize(
    "block", [one for one in _blocks("python") if "async def test_" in one.code]
)
def test_a_test_passes(block: Block) -> None:
    """With the clock that it asks for, as pytest-trio would pass it."""
    assert run_tests(execute(_PAGE, block)) > 0


def test_every_program_and_test_is_run() -> None:
    """There is no block of another kind."""
    for block in _blocks("python"):
        assert ("trio.run(" in block.code) + ("async def test_" in block.code) == 1


def test_the_configuration_loads() -> None:
    """And the numbers in it are the pool's."""
    [document] = _blocks("toml")
    pool = Config.from_toml(document.code, {}).provider.endpoint.pool
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
    assert any(re.search(rf"\b{name}\b", block.code) for block in _blocks("python"))
