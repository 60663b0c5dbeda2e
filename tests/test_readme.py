"""The README tells the truth: its program runs, and it names what may come back."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import attrs
import pytest

import tokenwire
from tests.guides import blocks_of
from tokenwire import AnyProviderError, ProviderError, Token

_PAGE = Path(__file__).parent.parent / "README.md"
_README = _PAGE.read_text(encoding="utf-8")


def _table_row(begins_with: str) -> str:
    found = re.search(rf"^\| `{begins_with}.*$", _README, re.MULTILINE)
    assert found is not None
    return found[0]


def test_the_program_streams_an_answer(llama_url: str) -> None:
    """The program of the README prints a server's answer."""
    [program] = [block.code for block in blocks_of(_PAGE) if block.language == "python"]
    settings = {
        "TOKENWIRE_PROVIDER_KIND": "openai-chat",
        "TOKENWIRE_PROVIDER_BASE_URL": llama_url,
    }
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=os.environ | settings,
        capture_output=True,
        check=False,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    assert result.stderr == ""
    assert len(result.stdout) > 10


@pytest.mark.parametrize("error", get_args(AnyProviderError), ids=lambda error: error.__name__)
def test_the_table_of_errors_names_every_field(error: type[ProviderError]) -> None:
    """Every error stands in the table with all the fields that are its own."""
    row = _table_row(error.__name__)
    for name in set(attrs.fields_dict(error)) - set(attrs.fields_dict(ProviderError)):
        assert f"`{name}`" in row


@pytest.mark.parametrize("token", get_args(Token), ids=lambda token: token.__name__)
def test_every_token_is_named(token: type[Token]) -> None:
    """What may come back is said in one sentence."""
    assert f"`{token.__name__}`" in _README


def test_the_public_names_exist() -> None:
    """Everything in `tokenwire.__all__` is there."""
    assert all(hasattr(tokenwire, name) for name in tokenwire.__all__)
