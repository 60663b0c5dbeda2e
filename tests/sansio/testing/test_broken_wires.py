"""The contract can fail: whoever breaks one promise fails the check of that promise."""

# ruff: noqa: D102  # the methods are those of the honest one

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

import attrs
import pytest

from tests.sansio.testing.honest import Honest, Lines, sample_of
from tokenwire.endpoint import Limits
from tokenwire.errors import LocalProtocolError, OtherError, ProviderError
from tokenwire.messages import Message, Text
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import RateLimit
from tokenwire.testing import AnswerSample, FailureSample, WireSample, wire_contract
from tokenwire.tokens import End, TextDelta, Token
from tokenwire.wire import encoding
from tokenwire.wire.base import Answer, EncodedRequest, Wire
from tokenwire.wire.malformed import schema_error
from tokenwire.wire.ndjson_answer import NDJSONAnswer

FORM = "requests: they are well formed"
DESCRIBED = "requests: the wire format describes itself"
EMPTY = "requests: an empty conversation is refused"
SAID = "requests: what is said is sent or refused"
SET = "requests: what is set is sent or refused"
UNSET = "requests: what is unset is not sent"
EXTRA = "requests: extra goes in and replaces nothing"
NO_JSON = "requests: what JSON cannot hold is refused"
MEANING = "answer A: it says what the sample says"
CUTS = "answer A: cuts change nothing"
HALF = "answer A: half of it is no success"
BROKEN = "answer A: it outlives its connection"
ONCE = "answer A: it ends once"
APART = "answer A: two at the same time do not mix"
DAMAGE = "answer A: damage raises nothing"
BOUNDED = "answer A: limits bound it"
RETURN = "answer A: signatures go back"
KIND = "failure F: it is the kind it is"
STREAM_KIND = "failure S: it is the kind it is"
STREAM_DAMAGE = "failure S: damage raises nothing"
FAILURE_DAMAGE = "failure F: damage raises nothing"
SECRETS = "failure F: neither key nor prompt shows"
STATUSES = "failures: every status is one of five kinds"
STATUS_ALONE = "failures: a status alone says what it means"
NO_ANSWER = "failures: a success without an answer is one"
HEADERS = "failures: no header raises anything"


def broken_promises(wire: Wire) -> dict[str, str]:
    """Return the checks that fail, with what they say."""
    found: dict[str, str] = {}
    for check in wire_contract(sample_of(wire)):
        try:
            check()
        except AssertionError as error:
            found[str(check)] = str(error)
    return found


@pytest.mark.parametrize("opens_socket", [False, True])
def test_an_honest_wire_format_fails_nothing(opens_socket: bool) -> None:
    """Otherwise what follows would say nothing."""

    class Unbroken(Evolved):
        changes: ClassVar[Mapping[str, Any]] = {"opens_socket": opens_socket}

    assert broken_promises(Unbroken()) == {}


class AnotherAnswer:
    """An answer that does as another one."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @property
    def complete(self) -> bool:
        return self._answer.complete

    def receive_data(self, data: bytes, tokens: list[Token]) -> None:
        self._answer.receive_data(data, tokens)

    def receive_eof(self, tokens: list[Token]) -> None:
        self._answer.receive_eof(tokens)

    def receive_cut(self, tokens: list[Token]) -> None:
        self._answer.receive_cut(tokens)


class QuirkWithoutSentence(Honest):
    """Says nothing about its quirk."""

    @property
    def quirks(self) -> Mapping[str, str]:
        return {"quiet": ""}


class AnyQuirk(Honest):
    """Takes every quirk."""

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        pass


class RefusesItsQuirk(Honest):
    """Refuses without a name."""

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        if quirks.keys() - self.quirks.keys():
            raise ValueError("bad quirk")


class NoSlash(Honest):
    """Its path would run into the base URL."""

    def path(self, config: ProviderConfig, quirks: Mapping[str, Any]) -> str:
        return "answer"


class QueryInPath(Honest):
    """Its query would be lost from where it belongs."""

    def path(self, config: ProviderConfig, quirks: Mapping[str, Any]) -> str:
        return "/answer?stream=true"


class Evolved(Honest):
    """Changes the request that it made."""

    changes: ClassVar[Mapping[str, Any]] = {}

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        return attrs.evolve(super().encode(messages, config, quirks), **self.changes)


class NoAccept(Evolved):
    """Asks for nothing."""

    changes: ClassVar[Mapping[str, Any]] = {"accept": ""}


class LoudHeader(Evolved):
    """Writes a header in upper case."""

    changes: ClassVar[Mapping[str, Any]] = {"headers": {"X-Honest": "1"}}


class NoJSON(Evolved):
    """Sends text."""

    changes: ClassVar[Mapping[str, Any]] = {"body": b"Hi"}


class BrokenMessages(Evolved):
    """Sends two messages over a socket, each of which is half of one."""

    changes: ClassVar[Mapping[str, Any]] = {"body": b'{"type":\n"Hi"}', "opens_socket": True}


class Counting(Honest):
    """Remembers how often it was asked."""

    numbers = count()

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        headers = {"x-number": str(next(self.numbers))}
        return attrs.evolve(super().encode(messages, config, quirks), headers=headers)


class TakesEmpty(Honest):
    """Sends a conversation of nothing."""

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        return super().encode(messages or [Message.user("")], config, quirks)


class Drops(Honest):
    """Leaves out what it does not know."""

    def message(self, number: int, message: Message) -> dict[str, Any]:
        return {"text": message.text, "signature": "c2ln"}


class RefusesNameless(Honest):
    """Does not say which part it refuses."""

    def message(self, number: int, message: Message) -> dict[str, Any]:
        try:
            return super().message(number, message)
        except LocalProtocolError:
            raise LocalProtocolError("this API cannot carry that") from None


class Quotes(Honest):
    """Repeats what it refuses."""

    def message(self, number: int, message: Message) -> dict[str, Any]:
        try:
            return super().message(number, message)
        except LocalProtocolError:
            texts = [getattr(part, "text", "") for part in message.parts]
            raise LocalProtocolError(f"messages[{number}]: cannot send {texts}") from None


class DropsZero(Honest):
    """Takes zero for unset."""

    def settings(self, config: ProviderConfig) -> dict[str, Any]:
        return {name: value or None for name, value in super().settings(config).items()}


class IgnoresSeed(Honest):
    """Neither sends nor refuses a setting."""

    def settings(self, config: ProviderConfig) -> dict[str, Any]:
        return {**super().settings(config), "seed": None}


class RefusesUnnamed(Honest):
    """Does not say which setting it refuses."""

    def settings(self, config: ProviderConfig) -> dict[str, Any]:
        if config.seed is not None:
            raise LocalProtocolError("this API cannot do that")
        return super().settings(config)


class OwnDefault(Honest):
    """Decides for the API."""

    def settings(self, config: ProviderConfig) -> dict[str, Any]:
        temperature = 1.0 if config.temperature is None else config.temperature
        return {**super().settings(config), "temperature": temperature}


class SendsNull(Honest):
    """Sends what is unset as null."""

    def body(self, messages: Sequence[Message], config: ProviderConfig) -> dict[str, Any]:
        return super().body(messages, config) | self.settings(config)


class IgnoresExtra(Honest):
    """Leaves `extra` out."""

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        encoding.to_json(dict(config.extra))
        super().encode(messages, config, quirks)
        return super().encode(messages, attrs.evolve(config, extra={}), quirks)


class IgnoresExtraOverSocket(IgnoresExtra):
    """Leaves it out of messages."""

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        return attrs.evolve(super().encode(messages, config, quirks), opens_socket=True)


class RefusesExtra(Honest):
    """Knows no more than it knows."""

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        encoding.refuse_set({"extra": config.extra or None}, "not here")
        return super().encode(messages, config, quirks)


class ReplacesByExtra(Honest):
    """Lets `extra` win."""

    def body(self, messages: Sequence[Message], config: ProviderConfig) -> dict[str, Any]:
        body = super().body(messages, config)
        return {name: value for name, value in body.items() if name not in config.extra}


class MendsHalves(Honest):
    """Puts a question mark in place of half a character."""

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        return super().encode(
            [Message(each.role, _mended(each)) for each in messages], config, quirks
        )


def _mended(message: Message) -> list[Any]:
    return [
        Text(part.text.encode(errors="replace").decode()) if isinstance(part, Text) else part
        for part in message.parts
    ]


class RaisesTypeError(Honest):
    """Lets the standard library say what is no JSON."""

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        json.dumps(dict(config.extra))
        return super().encode(messages, config, quirks)


class SendsAnything(Honest):
    """Leaves out of `extra` what is no JSON."""

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        extra = {name: item for name, item in config.extra.items() if type(item) is not object}
        return super().encode(messages, attrs.evolve(config, extra=extra), quirks)


class ForgetsText(Honest):
    """Loses the last letter of each piece."""

    class lines(Lines):  # noqa: N801  # in place of the attribute
        """Reads too little."""

        def text(self, value: object) -> str | None:
            text = super().text(value)
            return "Hal" if text == "lo" else text


class ForgetsId(Honest):
    """Does not know the header."""

    def request_id(self, headers: Mapping[str, str]) -> str | None:
        return None


class ReadsReads(Honest):
    """Takes each read for whole lines."""

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> Answer:
        class Cut(AnotherAnswer):
            def receive_data(self, data: bytes, tokens: list[Token]) -> None:
                super().receive_data(data if data.endswith(b"\n") else data + b"\n", tokens)

        return Cut(super().answer(limits, quirks))


class AlwaysComplete(Honest):
    """Takes the end of the body for the end of the answer."""

    class lines(Lines):  # noqa: N801  # in place of the attribute
        """Is always ready to end."""

        def __init__(self, limits: Limits) -> None:
            super().__init__(limits)
            self.complete = True


class EndsLate(Honest):
    """Waits for the end of the body, and forgets that it may break."""

    class lines(Lines):  # noqa: N801  # in place of the attribute
        """Ends at the end."""

        def receive_end(self, reason: str | None, tokens: list[Token]) -> None:
            self.complete = True
            self.reason = reason

        def finish(self, tokens: list[Token]) -> None:
            super().receive_end(self.reason, tokens)

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> Answer:
        class Forgetful(AnotherAnswer):
            def receive_cut(self, tokens: list[Token]) -> None:
                tokens.append(End("other"))

        return Forgetful(super().answer(limits, quirks))


class GoesOn(Honest):
    """Reads on behind the end."""

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> Answer:
        class Endless(AnotherAnswer):
            def receive_data(self, data: bytes, tokens: list[Token]) -> None:
                super().receive_data(data, tokens)
                if tokens and isinstance(tokens[-1], End) and data.count(b"end") > 1:
                    tokens.append(TextDelta("more"))

        return Endless(super().answer(limits, quirks))


class OneReader(Honest):
    """Has one place for the state of all answers."""

    seen = ""

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> Answer:
        wire = self
        wire.seen = ""

        class Shared(Lines):
            def text(self, value: object) -> str | None:
                text = super().text(value)
                wire.seen += text or ""
                return "" if wire.seen.endswith("HalHal") else text

        return NDJSONAnswer(Shared(limits), limits)


class Trusting(Honest):
    """Believes in types."""

    class lines(Lines):  # noqa: N801  # in place of the attribute
        """Takes every value for text."""

        def text(self, value: Any) -> str | None:
            return None if value is None else value.strip()


class HalfCharacters(Honest):
    """Passes half a character on."""

    class lines(Lines):  # noqa: N801  # in place of the attribute
        """Does not repair."""

        def text(self, value: object) -> str | None:
            return value if isinstance(value, str) else None


class Unbounded(Honest):
    """Knows no limits."""

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> Answer:
        wide = Limits(line_bytes=10**9, event_bytes=10**9, document_bytes=10**9)
        return NDJSONAnswer(self.lines(limits), wide)


class OtherLimit(Honest):
    """Takes a line that is too long for something else."""

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> Answer:
        class Short(AnotherAnswer):
            def receive_data(self, data: bytes, tokens: list[Token]) -> None:
                try:
                    super().receive_data(data, tokens)
                except ProviderError as error:
                    if "line_bytes" in str(error):
                        raise schema_error("no line", data) from None
                    raise

        return Short(super().answer(limits, quirks))


class KeepsSignatures(Honest):
    """Does not hand signatures out."""

    class lines(Lines):  # noqa: N801  # in place of the attribute
        """Reads no signature."""

        def receive_line(self, line: bytes, tokens: list[Token]) -> None:
            super().receive_line(line.replace(b"signature", b"text"), tokens)
            if tokens and tokens[-1] == TextDelta("c2ln"):
                tokens.pop()


class RefusesSignatures(Honest):
    """Cannot take back what it handed out."""

    def message(self, number: int, message: Message) -> dict[str, Any]:
        if any(getattr(part, "signature", None) for part in message.parts):
            raise LocalProtocolError(f"messages[{number}]: no signatures")
        return super().message(number, message)


class AllRejected(Honest):
    """Has one kind for all."""

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        return OtherError(kind="rejected", message="It failed.", status=status)


class WrongCode(Honest):
    """Reads another member."""

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        return attrs.evolve(super().failure(status, headers, body), code=None)


class NoErrorsInStreams(Honest):
    """Believes in a status of success."""

    class lines(Lines):  # noqa: N801  # in place of the attribute
        """Reads an error as the end."""

        def receive_line(self, line: bytes, tokens: list[Token]) -> None:
            super().receive_line(line.replace(b"error", b"end"), tokens)


class OnlyJSON(Honest):
    """Believes that errors are JSON."""

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        if body:
            json.loads(body)
        return super().failure(status, headers, body)


class WrongStatus(Honest):
    """Has one status for all."""

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        return attrs.evolve(super().failure(status, headers, body), status=500)


class NeverAgain(Honest):
    """Thinks that nothing passes."""

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        return attrs.evolve(super().failure(status, headers, body), retryable=False)


class EmptyIsFine(Honest):
    """Takes an empty object for an answer."""

    class lines(Lines):  # noqa: N801  # in place of the attribute
        """Ends at it."""

        def receive_line(self, line: bytes, tokens: list[Token]) -> None:
            super().receive_line(line, tokens)
            if line == b"{}":
                self.receive_end("stop", tokens)


class CountsHeaders(Honest):
    """Believes that a header is a number."""

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        left = headers.get("x-left", "0")
        return (RateLimit(name="calls", remaining=0 if "key" in left else int(left)),)


class NamesByHeaders(Honest):
    """Shows what a header says."""

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        return (RateLimit(name=headers.get("x-left", "")),)


class Remembers(Honest):
    """Tells of the conversation when it fails."""

    last = ""

    def body(self, messages: Sequence[Message], config: ProviderConfig) -> dict[str, Any]:
        self.last = messages[-1].text
        return super().body(messages, config)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        error = super().failure(status, headers, body)
        return attrs.evolve(error, message=f"No answer to {self.last!r}.")


BREACHES: list[tuple[type[Honest], str, set[str]]] = [
    (QuirkWithoutSentence, "does not say what 'quiet' does", {DESCRIBED}),
    (AnyQuirk, "does not refuse a quirk", {DESCRIBED}),
    (RefusesItsQuirk, "or not by name", {DESCRIBED}),
    (NoSlash, "is no slash", {FORM}),
    (QueryInPath, "EncodedRequest.query", {FORM}),
    (NoAccept, "no media type", {FORM}),
    (LoudHeader, "not in lower case", {FORM}),
    (NoJSON, "the body is no JSON object", {FORM, SAID, SET, UNSET, EXTRA, RETURN}),
    (Counting, "gives two requests", {FORM}),
    (TakesEmpty, "require_messages", {EMPTY}),
    (Drops, "is not in the body", {SAID}),
    (RefusesNameless, "which part it means", {SAID}),
    (Quotes, "quotes the conversation", {SAID}),
    (DropsZero, "zero and false are settings", {SET}),
    (IgnoresSeed, "changes nothing", {SET}),
    (RefusesUnnamed, "does not name seed", {SET}),
    (OwnDefault, "its own default", {UNSET}),
    (SendsNull, "sent as null", {UNSET}),
    (BrokenMessages, "a message is no JSON object", {FORM, SAID, SET, UNSET, EXTRA, RETURN}),
    (IgnoresExtra, "extra is not in the body", {EXTRA}),
    (IgnoresExtraOverSocket, "extra is not in the body", {EXTRA}),
    (ReplacesByExtra, "replaces what the settings", {EXTRA}),
    (RefusesExtra, "extra is refused", {EXTRA}),
    (MendsHalves, "half a character was sent", {NO_JSON}),
    (RaisesTypeError, "encoding raised TypeError", {NO_JSON}),
    (SendsAnything, "a value that is no JSON", {NO_JSON}),
    (ForgetsText, "text is 'HalHal', not 'Hallo'", {MEANING}),
    (ForgetsId, "the request id is None", {MEANING}),
    (
        ReadsReads,
        "two readings of the same bytes differ",
        {CUTS, HALF, APART, DAMAGE, BOUNDED, STREAM_KIND},
    ),
    (AlwaysComplete, "wait for the API's terminal marker", {HALF, NO_ANSWER}),
    (EndsLate, "two readings of the same bytes differ", {BROKEN, HALF}),
    (GoesOn, "End is not the last event", {ONCE}),
    (OneReader, "two readings of the same bytes differ", {APART}),
    (Trusting, "whatever it is", {DAMAGE, STREAM_DAMAGE}),
    (HalfCharacters, "holds half a character", {DAMAGE, STREAM_DAMAGE}),
    (Unbounded, "kept in memory", {BOUNDED}),
    (OtherLimit, "not a limit", {BOUNDED}),
    (KeepsSignatures, "does not go back", {RETURN}),
    (RefusesSignatures, "cannot be sent back", {RETURN}),
    (AllRejected, "is no AuthError", {KIND, STATUS_ALONE}),
    (WrongCode, "code is None, not 'nobody'", {KIND}),
    (NoErrorsInStreams, "look for errors first", {STREAM_KIND, NO_ANSWER}),
    (OnlyJSON, "whatever it is", {FAILURE_DAMAGE, SECRETS, STATUSES}),
    (WrongStatus, "does not tell it", {STATUSES}),
    (NeverAgain, "retryable is wrong", {STATUS_ALONE}),
    (EmptyIsFine, "is read as a whole answer", {NO_ANSWER}),
    (CountsHeaders, "whatever it is", {HEADERS}),
    (NamesByHeaders, "a part of the key shows", {SECRETS}),
    (Remembers, "the prompt shows", {SECRETS}),
]


@pytest.mark.parametrize(
    ("kind", "told", "promises"), BREACHES, ids=[kind.__name__ for kind, _, _ in BREACHES]
)
def test_a_broken_promise_fails_its_check(
    kind: type[Honest], told: str, promises: set[str]
) -> None:
    """That one and no other, but for those that the same fault breaks; and it says what to do."""
    broken = broken_promises(kind())
    assert broken.keys() == promises
    assert any(told in message for message in broken.values())


def test_every_promise_can_be_broken() -> None:
    """A check that nothing fails would check nothing."""
    names = {str(check) for check in wire_contract(sample_of(Honest()))}
    broken = {promise for _, _, promises in BREACHES for promise in promises}
    assert names - broken == {"failure S: neither key nor prompt shows"}  # that of F can fail


def test_without_assertions_there_are_no_checks() -> None:
    """A contract that cannot fail refuses to begin."""
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from tests.sansio.testing.honest import Honest, sample_of\n"
        "from tokenwire.testing import wire_contract\n"
        "wire_contract(sample_of(Honest()))"
    )
    ran = subprocess.run(
        [sys.executable, "-O", "-c", program], capture_output=True, text=True, check=False
    )
    assert "RuntimeError: python -O leaves assertions out" in ran.stderr


def test_samples_must_show_something() -> None:
    """Without any there would be nothing to check."""
    answer = AnswerSample(name="A", body=b"")
    failure = FailureSample(name="F", body=b"", error=OtherError)
    with pytest.raises(ValueError, match="answers is empty"):
        WireSample(wire=Honest(), answers=[], failures=[failure])
    with pytest.raises(ValueError, match="failures is empty"):
        WireSample(wire=Honest(), answers=[answer], failures=[])
