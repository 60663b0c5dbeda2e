"""Every way to misbehave that we know, as data.

`SCENARIOS` finds one by its name; `GROUPS` has them in the order in which to read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tokenwire_trio.testing.scenario import Scenario
from tokenwire_trio.testing.scenarios import (
    bodies,
    echoes,
    endings,
    floods,
    framing,
    refusals,
    stalls,
    unusual,
)

#: The scenarios under their headings.
GROUPS: Final[Mapping[str, tuple[Scenario, ...]]] = MappingProxyType(
    {
        "Unusual, but whole": unusual.SCENARIOS,
        "After the end marker": endings.AFTER_THE_MARKER,
        "Too early an end": endings.TOO_EARLY,
        "Slow": (*stalls.SCENARIOS, floods.ENDLESS_ANSWER),
        "Too much": floods.SCENARIOS,
        "Heads that are no HTTP": framing.HEADS,
        "Chunks that are none": framing.CHUNKS,
        "TLS or not": framing.HANDSHAKES,
        "No stream": bodies.NO_STREAMS,
        "Events that are none": bodies.BAD_EVENTS,
        "Errors within the stream": bodies.ERROR_EVENTS,
        "Refusals": refusals.BY_STATUS,
        "Answers before the request was read": refusals.TOO_SOON,
        "Secrets sent back": echoes.SCENARIOS,
    }
)

#: The same by their names.
SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {scenario.name: scenario for group in GROUPS.values() for scenario in group}
)
