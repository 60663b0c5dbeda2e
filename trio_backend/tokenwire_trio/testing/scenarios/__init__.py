"""Every way to misbehave that we know, as data.

`SCENARIOS` finds one by its name; `GROUPS` has them in the order in which to read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NoReturn, final

from tokenwire import _validation as check
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


@final
class _ByName(dict[str, Scenario]):
    """Scenarios by their names, of which nobody remembers two hundred."""

    def __missing__(self, name: str) -> NoReturn:
        raise KeyError(f"there is no scenario {name!r:.100}{check.nearest(name, self)}")


#: The same by their names; an unknown one is a `KeyError` with the nearest.
SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    _ByName((scenario.name, scenario) for group in GROUPS.values() for scenario in group)
)
