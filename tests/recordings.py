"""Recorded answers of real servers, and what an independent reading of each says.

The recordings are not part of this project: TOKENWIRE_CORPUS names their folder, in which
``<api>/<id>/`` holds ``body.bin`` and ``meta.json`` with status, headers and `expect`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final, final

import attrs
import pytest

from fuzz import exchanges
from fuzz.exchanges import KEY, PROMPT, Outcome, Response
from fuzz.invariants import check_events, check_nothing_leaks
from tokenwire.endpoint import Endpoint, Limits
from tokenwire.errors import ProviderError
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.secret import Secret
from tokenwire.tokens import End
from tokenwire.wire import wire_by_kind

_CORPUS = os.environ.get("TOKENWIRE_CORPUS")

#: The wire format that reads each folder.
WIRE_OF_API: Final = {
    "chat_completions": "openai-chat",
    "anthropic_messages": "anthropic",
    "gemini_generate": "gemini",
    "ollama_chat": "ollama",
    "responses": "openai-responses",
}

needs_recordings = pytest.mark.skipif(
    not _CORPUS,
    reason="set TOKENWIRE_CORPUS to a folder of recordings, for instance ../shared/corpus",
)


def recordings(api: str) -> list[Path]:
    """Return the folders of all recordings of an API, none where there are no recordings."""
    found = Path(_CORPUS, api).glob("*/meta.json") if _CORPUS else ()
    return sorted(meta.parent for meta in found)


@final
@attrs.frozen
class Recording:
    """One recorded response.

    Attributes:
        response: What came.
        expected: What an independent reading of it says.
    """

    response: Response
    expected: dict[str, Any]


@cache
def load(folder: Path) -> Recording:
    """Read a recording."""
    meta = json.loads((folder / "meta.json").read_bytes())
    headers = tuple((name, value) for name, value in meta["headers"])
    body = (folder / "body.bin").read_bytes()
    wire = WIRE_OF_API[folder.parent.name]
    return Recording(Response(body, meta["status"], headers, wire=wire), meta["expect"])


@cache
def outcome(folder: Path) -> Outcome:
    """Read a recorded response at once."""
    return exchanges.outcome_of(load(folder).response)


def outcome_of(
    kind: str,
    response: Response,
    pieces: Iterable[bytes] | None = None,
    limits: Limits | None = None,
) -> Outcome:
    """Drive a new exchange of a wire format through a response; in one read by default."""
    limits = limits or Limits()
    endpoint = Endpoint(base_url="https://host.example", credential=Secret(KEY), limits=limits)
    exchange = Exchange(wire_by_kind(kind), endpoint)
    config = ProviderConfig(model="some-model", max_output_tokens=100)
    request = exchange.send([Message.user(PROMPT)], config)
    events = exchange.receive_head(response.status, response.headers)
    for piece in [response.body] if pieces is None else pieces:
        events += exchange.receive_data(piece)
    events += exchange.receive_eof(clean=response.ending == "clean")
    return Outcome(tuple(events), exchange, request, limits)


def check_promises(outcome: Outcome, response: Response) -> None:
    """Nothing but tokens and one end comes out, and nothing shows that must not."""
    check_events(outcome.events)
    assert [isinstance(event, End | ProviderError) for event in outcome.events].count(True) == 1
    assert isinstance(outcome.events[-1], End | ProviderError)
    check_nothing_leaks(outcome, response)
