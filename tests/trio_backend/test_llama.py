"""A real model's answers through the whole library, over TCP and TLS."""

from __future__ import annotations

import pytest
import trio

from tests.conftest import TLSServer
from tests.trio_backend.providers import HELLO, provider_section, streaming
from tokenwire.config import ProviderSection
from tokenwire.endpoint import TLSSettings
from tokenwire.errors import OtherError
from tokenwire.provider_config import ProviderConfig
from tokenwire.tokens import End, TextDelta
from tokenwire_trio import open_provider


@pytest.fixture(params=["tcp", "tls"])
def section(request: pytest.FixtureRequest) -> ProviderSection:
    """Give the way to the model, once over TCP and once over TLS."""
    if request.param == "tcp":
        return provider_section(request.getfixturevalue("llama_url"))
    server: TLSServer = request.getfixturevalue("llama_tls")
    return provider_section(server.base_url, tls=TLSSettings(ca_file=str(server.ca_file)))


async def test_an_answer_streams_token_by_token(section: ProviderSection) -> None:
    """Text in many pieces, then one End with the server's own facts."""
    config = ProviderConfig(max_output_tokens=8)
    async with streaming(section, config=config) as stream:
        tokens = [token async for token in stream]
    assert len([token for token in tokens if isinstance(token, TextDelta)]) > 3
    assert isinstance(tokens[-1], End)
    assert tokens[-1].model
    assert stream.partial().text == "".join(token.text for token in tokens)


async def test_many_answers_at_once_do_not_mix(section: ProviderSection) -> None:
    """Each call has its own connection; equal questions get equal answers."""
    config = ProviderConfig(temperature=0, seed=1, max_output_tokens=16)
    answers: list[str] = []

    async with open_provider(section) as provider, trio.open_nursery() as nursery:

        async def ask() -> None:
            async with provider.complete(HELLO, config) as stream:
                answers.append((await stream.collect()).text)

        for _ in range(4):
            nursery.start_soon(ask)
    assert len(answers) == 4
    assert len(set(answers)) == 1


async def test_breaking_off_frees_the_server(section: ProviderSection) -> None:
    """A server with one slot answers the next call, because it saw the last one go."""
    config = ProviderConfig(max_output_tokens=2000, extra={"ignore_eos": True})
    async with open_provider(section) as provider:
        for _ in range(8):
            async with provider.complete(HELLO, config) as stream:
                await anext(stream)


async def test_a_wrong_path_shows_where_it_led(section: ProviderSection) -> None:
    """A 404 has the final URL."""
    endpoint = section.endpoint
    wrong = provider_section(f"{endpoint.base_url}/v1", tls=endpoint.tls)
    async with open_provider(wrong) as provider:
        with pytest.raises(OtherError, match=r"/v1/v1/chat/completions.*twice") as caught:
            async with provider.complete(HELLO):
                pass
    assert caught.value.kind == "not_found"
