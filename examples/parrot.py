"""Adds the wire format of an invented API, a parrot's; docs/adding-a-wire.md goes through it."""
# ruff: noqa: D102  # the protocols Wire and LineReader say what the methods do

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import attrs

import tokenwire as tw
from tokenwire import failures, lenient_json
from tokenwire.wire import encoding, malformed
from tokenwire.wire.ndjson_answer import NDJSONAnswer


class Squawks:
    """Reads the lines of one answer; see `tokenwire.wire.ndjson_answer.LineReader`."""

    def __init__(self, limits: tw.Limits) -> None:
        self._limits = limits
        self._over: str | None = None
        self.complete = False

    def receive_line(self, line: bytes, tokens: list[tw.Token]) -> None:
        said = malformed.decode_object(line, self._limits)
        if "squawk" in said:
            raise trouble(said, None)
        if feather := lenient_json.as_text(said.get("feather")):
            tokens.append(tw.ReasoningDelta("", signature=feather))
        if text := lenient_json.as_text(said.get("says")):
            tokens.append(tw.TextDelta(text))
        if "over" in said:
            self.complete, self._over = True, lenient_json.as_text(said["over"])
            self.finish(tokens)

    def finish(self, tokens: list[tw.Token]) -> None:
        reasons: dict[str | None, tw.FinishReason] = {"done": "stop", "tired": "length"}
        tokens.append(tw.End(reasons.get(self._over, "other"), self._over))


def trouble(said: dict[str, Any], status: int | None) -> tw.ProviderError:
    """Map what the parrot complains of to one of the five kinds."""
    why = lenient_json.as_text(said.get("because")) or "the parrot gave no reason"
    code = lenient_json.as_text(said.get("squawk"))
    if code == "asleep":
        return failures.other_error("overloaded", why, status, code)
    return failures.failure_by_status(status, why, code)


def line_of(number: int, message: tw.Message) -> dict[str, str]:
    """Encode a message; what the parrot would not understand is refused."""
    line = {"who": message.role, "says": message.text}
    for part in message.parts:
        if isinstance(part, tw.Reasoning) and part.signature and not part.text:
            line["feather"] = part.signature
        elif not isinstance(part, tw.Text):
            raise encoding.cannot_carry(number, message, part)
    return line


class Parrot:
    """The wire format ``parrot``; see `tokenwire.Wire`."""

    kind: ClassVar[str] = "parrot"
    auth: ClassVar[tw.AuthStyle] = tw.AuthStyle("x-parrot-key")
    quirks: ClassVar[Mapping[str, str]] = {}

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        for name in quirks:
            raise ValueError(f"unknown quirk {name!r}: the wire format parrot has none")

    def path(self, config: tw.ProviderConfig, quirks: Mapping[str, Any]) -> str:
        return "/talk"

    def encode(
        self, messages: Sequence[tw.Message], config: tw.ProviderConfig, quirks: Mapping[str, Any]
    ) -> tw.EncodedRequest:
        encoding.require_messages(messages)
        unknown = attrs.fields_dict(tw.ProviderConfig).keys() - {"model", "temperature", "extra"}
        encoding.refuse_set({name: getattr(config, name) for name in unknown}, "parrots lack it")
        body = encoding.without_unset({"bird": config.model, "mood": config.temperature})
        body["talk"] = [line_of(number, message) for number, message in enumerate(messages)]
        encoding.add_extra(body, config.extra)
        return tw.EncodedRequest(body=encoding.to_json(body), accept="application/x-ndjson")

    def answer(self, limits: tw.Limits, quirks: Mapping[str, Any]) -> NDJSONAnswer:
        return NDJSONAnswer(Squawks(limits), limits)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> tw.ProviderError:
        said = lenient_json.as_object(failures.error_json(body))
        return trouble(said or {"because": failures.prose(body)}, status)

    def request_id(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-flight")

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[tw.RateLimit, ...]:
        return ()
