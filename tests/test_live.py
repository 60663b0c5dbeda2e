"""An answer of any real endpoint, named by variables: see the README's development section."""

import os

import pytest

import tokenwire_trio
from tokenwire import Config, End, Message, ProviderConfig

PREFIX = "TOKENWIRE_LIVE_"


@pytest.mark.skipif(
    f"{PREFIX}KIND" not in os.environ, reason=f"{PREFIX}KIND and _BASE_URL name no live endpoint"
)
async def test_a_live_endpoint_streams_a_complete_answer() -> None:
    """The endpoint answers with text and ends with a finish reason."""
    config = Config.from_env(os.environ, PREFIX)
    question = [Message.user("Say hello in five words.")]
    async with (
        tokenwire_trio.open_provider(config.provider) as provider,
        provider.complete(question, ProviderConfig(max_output_tokens=200)) as stream,
    ):
        tokens = [token async for token in stream]
    assert "".join(token.text for token in tokens)
    assert isinstance(tokens[-1], End)
    assert tokens[-1].raw_finish is not None
