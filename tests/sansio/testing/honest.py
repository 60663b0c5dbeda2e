"""A small wire format that keeps to the contract, for tests to break it at one place each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from tokenwire import failures
from tokenwire import lenient_json as lenient
from tokenwire.endpoint import BEARER, AuthStyle, Limits
from tokenwire.errors import AuthError, OtherError, ProviderError
from tokenwire.messages import Image, Message, Reasoning, Text
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import RateLimit
from tokenwire.testing import AnswerSample, FailureSample, WireSample
from tokenwire.tokens import End, ReasoningDelta, TextDelta, Token
from tokenwire.wire import encoding
from tokenwire.wire.base import Answer, EncodedRequest, Wire
from tokenwire.wire.malformed import decode_object
from tokenwire.wire.ndjson_answer import NDJSONAnswer

SENT: Final = frozenset({"model", "temperature", "seed", "extra"})


class Lines:
    """Reads lines such as ``{"text": "Hi"}``, and at last ``{"end": "stop"}``."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.complete = False

    def receive_line(self, line: bytes, tokens: list[Token]) -> None:
        """Take one line."""
        said = decode_object(line, self.limits)
        if "error" in said:
            raise failed(said, None)
        if signature := self.text(said.get("signature")):
            tokens.append(ReasoningDelta("", signature=signature))
        if text := self.text(said.get("text")):
            tokens.append(TextDelta(text))
        if "end" in said:
            self.receive_end(self.text(said["end"]), tokens)

    def text(self, value: object) -> str | None:
        """Read a text."""
        return lenient.as_text(value)

    def receive_end(self, reason: str | None, tokens: list[Token]) -> None:
        """Take the terminal marker."""
        tokens.append(End("stop" if reason == "stop" else "other", reason))

    def finish(self, tokens: list[Token]) -> None:
        """Append the end of an answer that had no reason."""
        tokens.append(End("other"))


def failed(said: Mapping[str, Any], status: int | None) -> ProviderError:
    """Map a failure."""
    error = lenient.as_text(said.get("error"))
    if error == "busy":
        return failures.other_error("overloaded", "Busy.", status, error)
    return failures.failure_by_status(status, "It failed.", error)


class Honest:
    """The wire format ``honest``. What it is asked for, it sends or refuses."""

    lines: type[Lines] = Lines

    @property
    def kind(self) -> str:
        """Its name."""
        return "honest"

    @property
    def auth(self) -> AuthStyle:
        """A bearer token."""
        return BEARER

    @property
    def quirks(self) -> Mapping[str, str]:
        """One, which changes nothing."""
        return {"quiet": "changes nothing"}

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        """Refuse every other one."""
        for name in quirks.keys() - self.quirks.keys():
            raise ValueError(f"unknown quirk {name!r}")

    def path(self, config: ProviderConfig, quirks: Mapping[str, Any]) -> str:
        """One place for all."""
        return "/answer"

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        """Encode a conversation."""
        encoding.require_messages(messages)
        names = attrs.fields_dict(ProviderConfig).keys() - SENT
        encoding.refuse_set({name: getattr(config, name) for name in names}, "not here")
        body = self.body(messages, config)
        encoding.add_extra(body, config.extra)
        return EncodedRequest(body=encoding.to_json(body), accept="application/x-ndjson")

    def body(self, messages: Sequence[Message], config: ProviderConfig) -> dict[str, Any]:
        """Return the body without what is extra."""
        said = [self.message(number, message) for number, message in enumerate(messages)]
        return {"said": said, **encoding.without_unset(self.settings(config))}

    def settings(self, config: ProviderConfig) -> dict[str, Any]:
        """Return settings, None where they are unset."""
        return {"model": config.model, "temperature": config.temperature, "seed": config.seed}

    def message(self, number: int, message: Message) -> dict[str, Any]:
        """Encode a message."""
        members: dict[str, Any] = {"role": message.role, "text": message.text}
        for part in message.parts:
            match part:
                case Text():
                    pass
                case Reasoning(text, signature):
                    members |= {"thought": text, "signature": signature or ""}
                case Image(data=bytes(data)):
                    members["image"] = encoding.base64_text(data)
                case _:
                    raise encoding.cannot_carry(number, message, part)
        return members

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> Answer:
        """Begin to decode."""
        return NDJSONAnswer(self.lines(limits), limits)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read a failed request."""
        return failed(lenient.as_object(failures.error_json(body)), status)

    def request_id(self, headers: Mapping[str, str]) -> str | None:
        """Return the id."""
        return headers.get("x-request-id")

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        """Return nothing."""
        return ()


#: An answer that `Lines` reads.
BODY: Final = b"""\
{"signature":"c2ln"}
{"text":"Hal"}
{"text":"lo"}
{"end":"stop"}
"""


def sample_of(wire: Wire) -> WireSample:
    """Return a wire format of this kind with samples."""
    return WireSample(
        wire=wire,
        quirks={"quiet": True},
        answers=[
            AnswerSample(
                name="A",
                body=BODY,
                text="Hallo",
                raw_finish="stop",
                signatures=["c2ln"],
                headers={"x-left": "7", "x-request-id": "r1"},
                request_id="r1",
            )
        ],
        failures=[
            FailureSample(
                name="F",
                body=b'{"error":"nobody"}',
                status=401,
                headers={"x-left": "7"},
                error=AuthError,
                facts={"code": "nobody"},
            ),
            FailureSample(
                name="S",
                body=b'{"text":"Hal"}\n{"error":"busy"}\n',
                error=OtherError,
                facts={"kind": "overloaded", "tokens_emitted": 1},
            ),
        ],
    )
