"""The table in the documentation says what each wire format really carries."""

import pytest

from tests.sansio import wire_table
from tokenwire.tokens import End
from tokenwire.wire import WIRE_KINDS


def test_the_documentation_tells_what_wire_formats_carry() -> None:
    """Every cell is found by trying: encoding the feature, or decoding an answer with it."""
    if not wire_table.PATH.parent.is_dir():
        pytest.skip("the documentation is not here")
    assert wire_table.PATH.read_text(encoding="utf-8") == wire_table.page()


def test_nothing_is_dropped_silently() -> None:
    """What a wire format has no place for is refused, whatever it is."""
    assert "not sent" not in wire_table.page()


def test_the_readme_may_rely_on_a_few_cells() -> None:
    """The trial tells support, refusal, a quirk and a mere text apart."""
    by_title = {each.title: each for each in (*wire_table.MESSAGES, *wire_table.SETTINGS)}
    assert wire_table.support("openai-chat", by_title["`seed`"]) == "yes"
    assert wire_table.support("anthropic", by_title["`seed`"]) == "error"
    assert wire_table.support("anthropic", by_title["`temperature`"]) == "`version`"
    assert wire_table.support("ollama", by_title["failed tool"]) == "as text"


@pytest.mark.parametrize("kind", WIRE_KINDS)
def test_the_answers_are_whole(kind: str) -> None:
    """A cell of the answers' table can't be empty because the decoder gave up."""
    tokens, completion = wire_table.decoded(kind)
    assert isinstance(tokens[-1], End)
    assert completion.complete
    assert completion.text == "Hi"
