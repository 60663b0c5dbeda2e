"""Ids of function calls, for models that give none.

Tool results name the call that they answer, so every call needs an id. Older models send none and
match results to calls by their order; what was made up here must then not go back, because some
servers refuse an id that they did not give.
"""

from __future__ import annotations

import re
from typing import Final

_MADE_UP: Final = re.compile(r"call_\d+(_.*)?")


def made_up_id(number: int, answer_id: str | None) -> str:
    """Return an id for a call without one, unlike those of other answers where they have ids.

    Args:
        number: The call's place among the calls of its answer.
        answer_id: The API's id of the answer.
    """
    return f"call_{number}_{answer_id}" if answer_id else f"call_{number}"


def is_made_up(call_id: str) -> bool:
    """Whether an id is none of the API's: its own are eight letters and digits."""
    return _MADE_UP.fullmatch(call_id) is not None
