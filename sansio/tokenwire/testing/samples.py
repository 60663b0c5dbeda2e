"""What the contract needs to know of a wire format: requests it takes, and what its server says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, final

import attrs
from attrs import field

from tokenwire import _validation as check
from tokenwire.errors import ProviderError
from tokenwire.messages import size_only
from tokenwire.provider_config import ProviderConfig
from tokenwire.tokens import FinishReason, Usage
from tokenwire.wire.base import Wire


@final
@attrs.frozen(kw_only=True)
class AnswerSample:
    """A whole answer as the API sends it, and what it says.

    Take one from a real server, and shorten it: the contract cuts it at every byte.

    Attributes:
        name: A word or a few, for the names of the checks.
        body: The response body, with a status of success; of a wire format that is spoken over a
            socket the messages of one answer, one a line.
        headers: The response headers, by lower-case name.
        text: All text of the answer.
        reasoning: All reasoning of it.
        refusal: With what the model declines.
        tool_calls: Name and JSON arguments of each call.
        finish: Why it ended.
        raw_finish: The API's own word for that.
        usage: What the API counted; None if it counts nothing.
        signatures: Opaque texts of the body that have to go back with the conversation.
        request_id: The id that the headers give the request.
    """

    name: str
    body: bytes = field(repr=size_only)
    headers: Mapping[str, str] = field(factory=check.empty)
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[tuple[str, Any], ...] = ()
    finish: FinishReason = "stop"
    raw_finish: str | None = None
    usage: Usage | None = None
    signatures: tuple[str, ...] = field(default=(), converter=tuple[str, ...])
    request_id: str | None = None


@final
@attrs.frozen(kw_only=True)
class FailureSample:
    """A failure as the API reports it, and what it is.

    Attributes:
        name: A word or a few, for the names of the checks.
        body: The response body.
        status: Its HTTP status; 200 for a failure in the midst of an answer.
        headers: The response headers, by lower-case name.
        error: Which of the five kinds it is.
        facts: Attributes that the error has to have, for instance ``{"kind": "overloaded"}``.
    """

    name: str
    body: bytes = field(repr=size_only)
    status: int = 200
    headers: Mapping[str, str] = field(factory=check.empty)
    error: type[ProviderError]
    facts: Mapping[str, Any] = field(factory=check.empty)


@final
@attrs.frozen(kw_only=True)
class WireSample:
    """A wire format with samples of its API.

    Attributes:
        wire: The wire format.
        answers: Whole answers: one with each thing that the API can say.
        failures: Failures: one of each form that the API has, at least one.
        config: The settings that the API demands, for instance a model, and no others.
        quirks: Those of the endpoint.

    Raises:
        ValueError: If there is no answer or no failure: there would be nothing to check.
    """

    wire: Wire
    answers: tuple[AnswerSample, ...] = field(converter=tuple[AnswerSample, ...])
    failures: tuple[FailureSample, ...] = field(converter=tuple[FailureSample, ...])
    config: ProviderConfig = field(factory=lambda: ProviderConfig(model="some-model"))
    quirks: Mapping[str, Any] = field(factory=check.empty)

    def __attrs_post_init__(self) -> None:
        _require("answers", self.answers)
        _require("failures", self.failures)


def _require(name: str, samples: Iterable[object]) -> None:
    if not any(True for _ in samples):
        raise ValueError(f"{name} is empty: give at least one, so that there is something to check")
