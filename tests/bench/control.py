"""Commands to the server."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any


def control(port: int, path: str) -> Any:
    """Give the server a command, and return its answer."""
    connection = HTTPConnection("127.0.0.1", port)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
