"""The event-stream conformance cases.

They are not part of this project: TOKENWIRE_SSE_CASES names their file, a JSON array of
``{id, input_b64, events, final_last_event_id, final_retry, eof_pending}``.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, Final

import pytest

_FILE: Final = os.environ.get("TOKENWIRE_SSE_CASES")

CASES: Final[list[dict[str, Any]]] = json.loads(Path(_FILE).read_bytes()) if _FILE else []

needs_cases = pytest.mark.skipif(
    not CASES, reason="set TOKENWIRE_SSE_CASES to the file of the conformance cases"
)


def body_of(case: dict[str, Any]) -> bytes:
    """Return the bytes of a case."""
    return base64.b64decode(case["input_b64"])
