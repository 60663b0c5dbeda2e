"""Thinking goes back to the API as it came."""

from __future__ import annotations

import pytest

from tokenwire.messages import Reasoning
from tokenwire.wire.anthropic.thinking import redacted_signature, thinking_block


def test_thinking_is_text_and_signature() -> None:
    """The text may be hidden."""
    assert thinking_block(Reasoning("I see.", "c2ln")) == {
        "type": "thinking",
        "thinking": "I see.",
        "signature": "c2ln",
    }
    assert thinking_block(Reasoning("", "c2ln")) == {
        "type": "thinking",
        "thinking": "",
        "signature": "c2ln",
    }


def test_redacted_thinking_is_its_data() -> None:
    """Whatever it is."""
    reasoning = Reasoning("", redacted_signature("c2VjcmV0+/=="))
    assert thinking_block(reasoning) == {"type": "redacted_thinking", "data": "c2VjcmV0+/=="}


@pytest.mark.parametrize("signature", [None, '[{"type":"reasoning.text"}]', '{"id":"rs_1"}'])
def test_reasoning_of_another_api_has_no_block(signature: str | None) -> None:
    """The API would refuse it."""
    assert thinking_block(Reasoning("I see.", signature)) is None
