"""Log probabilities as this API writes them, from JSON to the shared vocabulary."""

from __future__ import annotations

import msgspec

from tokenwire import lenient_json as lenient
from tokenwire.tokens import TokenLogprob


class TopLogprob(msgspec.Struct, gc=False):
    """One alternative of a model token."""

    token: str
    logprob: float


class Logprob(msgspec.Struct, gc=False):
    """One model token of the content with its log probability."""

    token: str
    logprob: float
    top_logprobs: list[TopLogprob] | None = None


class Logprobs(msgspec.Struct, gc=False):
    """Log probabilities of a delta."""

    content: list[Logprob] | None = None


def tolerant_logprobs(value: object) -> Logprobs | None:
    """Read log probabilities from JSON of any shape; entries of an unusable one are left out."""
    entries = [
        Logprob(text, logprob, _top_logprobs(lenient.as_object(item).get("top_logprobs")))
        for item in lenient.as_array(lenient.as_object(value).get("content"))
        if (pair := _text_and_logprob(item)) is not None
        for text, logprob in (pair,)
    ]
    return Logprobs(entries) if entries else None


def _top_logprobs(value: object) -> list[TopLogprob]:
    pairs = (_text_and_logprob(item) for item in lenient.as_array(value))
    return [TopLogprob(*pair) for pair in pairs if pair is not None]


def _text_and_logprob(value: object) -> tuple[str, float] | None:
    members = lenient.as_object(value)
    text, logprob = lenient.as_text(members.get("token")), members.get("logprob")
    if text is None or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    return text, float(logprob)


def token_logprobs(logprobs: Logprobs | None) -> tuple[TokenLogprob, ...] | None:
    """Return log probabilities in the shared vocabulary, None where there are none."""
    if logprobs is None or not logprobs.content:
        return None
    return tuple(
        TokenLogprob(
            entry.token,
            entry.logprob,
            tuple((top.token, top.logprob) for top in entry.top_logprobs or ()),
        )
        for entry in logprobs.content
    )
