"""The documentation tells the truth: every block of code in it runs, every link leads somewhere."""

from __future__ import annotations

import re
import runpy
from importlib import import_module
from pathlib import Path
from typing import Final, get_args

import msgspec
import pytest

from tests.guides import Sitting, blocks_of
from tokenwire.errors import DeadlineName, MalformedReason, OtherKind, Phase, RateLimitScope
from tokenwire.exchange import TRANSITIONS
from tokenwire.tokens import Token

_ROOT: Final = Path(__file__).parent.parent
_DOCS: Final = _ROOT / "docs"

#: Pages whose blocks have tests of their own, which know more about them.
_TESTED_ELSEWHERE: Final = {
    "adding-a-wire.md": "tests/test_examples.py",
    "sockets.md": "tests/test_socket_example.py",
    "transport.md": "tests/test_transport_docs.py",
}

_PAGES: Final = sorted(_DOCS.rglob("*.md")) if _DOCS.is_dir() else []

pytestmark = pytest.mark.skipif(not _PAGES, reason="the documentation is not here")


def _name(page: Path) -> str:
    return page.relative_to(_DOCS).as_posix()


_RUN_HERE: Final = [
    page
    for page in _PAGES
    if _name(page) not in _TESTED_ELSEWHERE and any(True for _ in blocks_of(page))
]


@pytest.fixture
def sitting(
    request: pytest.FixtureRequest,
    llama_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Sitting:
    """Give what runs blocks in an empty folder, with a real model's server to ask."""
    environment = {
        "TOKENWIRE_PROVIDER_KIND": "openai-chat",
        "TOKENWIRE_PROVIDER_BASE_URL": llama_url,
        "TOKENWIRE_PROVIDER_MODEL": "tiny",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    page: Path = request.getfixturevalue("page")
    return Sitting(page, tmp_path, environment)


@pytest.mark.parametrize("page", _RUN_HERE, ids=_name)
def test_every_block_of_a_page_runs(page: Path, sitting: Sitting) -> None:
    """From top to bottom, against a real server."""
    for block in blocks_of(page):
        sitting.run(block)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*_PAGES, *_ROOT.glob("*.md")], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading in it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file), target


@pytest.mark.parametrize(
    "package",
    [
        "tokenwire",
        "tokenwire.testing",
        "tokenwire_trio",
        "tokenwire_trio.bulk",
        "tokenwire_trio.telemetry",
        "tokenwire_trio.testing",
    ],
)
def test_every_public_name_is_in_the_reference(package: str) -> None:
    """By the directive that takes its docstring in."""
    pages = "\n".join(page.read_text("utf-8") for page in (_DOCS / "reference").glob("*.md"))
    directive = rf"^\.\. (?:auto\w+|py:data):: {re.escape(package)}\.(\w+)$"
    documented = set(re.findall(directive, pages, re.MULTILINE))
    assert documented == set(import_module(package).__all__)


def _rows_below(heading: str) -> set[str]:
    errors = (_DOCS / "reference" / "errors.md").read_text("utf-8")
    section = errors.partition(f"## `{heading}`\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \| (?!what)", section, re.MULTILINE))


@pytest.mark.parametrize(
    ("error", "values"),
    [
        ("NetworkError", {*get_args(Phase), *get_args(DeadlineName)}),
        ("RateLimitError", {*get_args(RateLimitScope)}),
        ("MalformedResponseError", {*get_args(MalformedReason)}),
        ("OtherError", {*get_args(OtherKind)}),
    ],
)
def test_every_error_has_a_remedy(error: str, values: set[str]) -> None:
    """Each phase, deadline, scope, reason and kind has a row."""
    assert _rows_below(error) == values


@pytest.mark.parametrize("token", get_args(Token), ids=lambda token: token.__name__)
def test_the_table_of_tokens_names_every_field(token: type[msgspec.Struct]) -> None:
    """Every token stands in the table with all its fields."""
    answers = (_DOCS / "reference" / "answers.md").read_text("utf-8")
    [row] = re.findall(rf"^\| `{token.__name__}\(.*$", answers, re.MULTILINE)
    for name in token.__struct_fields__:
        assert name in row


def test_the_drawing_has_every_state_and_step() -> None:
    """It is made of the table that the exchange obeys."""
    drawing = runpy.run_path(str(_DOCS / "extensions" / "state_drawing.py"))["drawing"]
    svg = drawing(TRANSITIONS)
    for state, steps in TRANSITIONS.items():
        assert f">{state}</text>" in svg
        assert all(f">{step}</text>" in svg for step in steps)
