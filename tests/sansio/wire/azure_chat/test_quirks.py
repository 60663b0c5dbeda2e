"""Azure has the quirks of chat completions, and two of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.wire.azure_chat import AzureChat
from tokenwire.wire.azure_chat.quirks import DESCRIPTIONS
from tokenwire.wire.openai_chat.quirks import DESCRIPTIONS as CHAT_DESCRIPTIONS


def test_both_kinds_of_quirks_are_described() -> None:
    """Its own come first."""
    assert list(DESCRIPTIONS) == ["api_version", "deployment", *CHAT_DESCRIPTIONS]
    assert AzureChat().quirks == DESCRIPTIONS


def test_quirks_of_chat_completions_reach_the_body() -> None:
    """As on any other server of that API."""
    quirks = {"api_version": "2024-10-21", "deployment": "d", "max_tokens_field": "max_tokens"}
    config = ProviderConfig(max_output_tokens=5)
    body = json.loads(AzureChat().encode([Message.user("Hi")], config, quirks).body)
    assert body["max_tokens"] == 5


@pytest.mark.parametrize(
    ("quirks", "said"),
    [
        ({"api_versoin": "1"}, "did you mean 'api_version'"),
        ({"system_rule": "system"}, "did you mean 'system_role'"),
        ({"api_version": ""}, "api_version is empty"),
        ({"system_role": "boss"}, 'must be "system" or "developer"'),
        ({"deployment": "d"}, "set api_version as well"),
    ],
)
def test_a_bad_quirk_is_refused(quirks: dict[str, Any], said: str) -> None:
    """With a sentence that says what to do."""
    with pytest.raises(ValueError, match=said):
        AzureChat().check_quirks(quirks)
