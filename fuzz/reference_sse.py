"""The event-stream rules word by word, slowly: what `SSEDecoder` is compared with.

The whole body at once, no limits, no cleverness, so that each line can be held against its sentence
in https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
"""

from __future__ import annotations

import re

from tokenwire.sse import ServerSentEvent


def reference_events(body: bytes) -> list[ServerSentEvent]:
    """Return the events that the standard dispatches for `body`."""
    return _Interpreter().interpret(body)


class _Interpreter:
    def __init__(self) -> None:
        self.events: list[ServerSentEvent] = []
        self.data = b""
        self.event_type = ""
        self.retry: int | None = None
        self.id_buffer = ""
        self.last_event_id = ""

    def interpret(self, body: bytes) -> list[ServerSentEvent]:
        # "event stream bom": one leading U+FEFF is ignored. What no line end follows is not a line.
        *lines, _ = re.split(rb"\r\n|\r|\n", body.removeprefix(b"\xef\xbb\xbf"))
        for line in lines:
            if line == b"":
                self.dispatch()
            elif line.startswith(b":"):
                pass
            elif b":" in line:
                field, _, value = line.partition(b":")
                self.process_field(field, value[1:] if value.startswith(b" ") else value)
            else:
                self.process_field(line, b"")
        return self.events

    def process_field(self, field: bytes, value: bytes) -> None:
        if field == b"event":
            self.event_type = value.decode("utf-8", "replace")
        elif field == b"data":
            self.data += value + b"\n"
        elif field == b"id" and b"\0" not in value:
            self.id_buffer = value.decode("utf-8", "replace")
        elif field == b"retry" and re.fullmatch(rb"[0-9]{1,64}", value):
            self.retry = int(value)

    def dispatch(self) -> None:
        self.last_event_id = self.id_buffer
        if self.data:
            event = ServerSentEvent(
                self.data[:-1], self.event_type or "message", self.last_event_id, self.retry
            )
            self.events.append(event)
        self.data, self.event_type, self.retry = b"", "", None
