"""What tests of programs that use tokenwire want: providers and servers that do as they are told.

`ScriptedProvider` stands in for a provider where no bytes matter. Where they do, `serve` plays any
of `SCENARIOS`, or one of your own, over TCP, TLS or in memory, and `FaultyDial` fails the n-th
operation on a connection:

    async with serve_in_memory(SCENARIOS["stall-in-mid-token"]) as server:
        async with open_provider(section(server.base_url), dial=server.dial) as provider:
            ...

`provider_contract` gives every check of what a provider of one's own has to keep to; for wire
formats there is `tokenwire.testing.wire_contract`.

The steps of a scenario are in `tokenwire_trio.testing.steps`, pieces of responses in
`tokenwire_trio.testing.responses`.
"""

from tokenwire_trio.testing.faulty import Fault, FaultyDial, Operation
from tokenwire_trio.testing.misbehaving import MisbehavingServer, Visit, serve, serve_in_memory
from tokenwire_trio.testing.provider_checks import OpenProvider, ProviderSample
from tokenwire_trio.testing.provider_contract import ProviderCheck, provider_contract
from tokenwire_trio.testing.scenario import Outcome, Scenario
from tokenwire_trio.testing.scenarios import SCENARIOS
from tokenwire_trio.testing.scripted import (
    ScriptedAnswer,
    ScriptedCall,
    ScriptedProvider,
    ScriptedStream,
)

__all__ = [
    "SCENARIOS",
    "Fault",
    "FaultyDial",
    "MisbehavingServer",
    "OpenProvider",
    "Operation",
    "Outcome",
    "ProviderCheck",
    "ProviderSample",
    "Scenario",
    "ScriptedAnswer",
    "ScriptedCall",
    "ScriptedProvider",
    "ScriptedStream",
    "Visit",
    "provider_contract",
    "serve",
    "serve_in_memory",
]
