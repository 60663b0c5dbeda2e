"""Silence is bounded, and ends with a token."""

from __future__ import annotations

import pytest

from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError
from tokenwire.wire.silence import Silence


def test_bytes_without_a_token_add_up() -> None:
    """Up to the limit."""
    silence = Silence(Limits(silent_bytes=10))
    silence.last(4)
    silence.last(6)
    assert silence.bytes == 10
    with pytest.raises(MalformedResponseError, match=r"limits\.silent_bytes"):
        silence.last(1)


def test_a_token_ends_it() -> None:
    """Then it begins anew."""
    silence = Silence(Limits(silent_bytes=10))
    silence.last(9)
    silence.bytes = 0
    silence.last(9)
    assert silence.bytes == 9
