"""What a client asks the server for, and what text must come of it.

The request's model name carries it, because that is the one thing that every client lets its
caller choose for each request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, cast, final, get_args

import attrs

#: ``firehose``: many tokens in one send. ``write``: one send for each token, as fast as they are
#: read. ``paced``: one send for each token at a fixed interval, with the time of the send in it.
Mode: TypeAlias = Literal["firehose", "write", "paced"]

#: A firehose that goes on until the client leaves.
ENDLESS: Final = 0

#: Digits of the monotonic clock's nanoseconds in front of each text of a paced answer.
STAMP_DIGITS: Final = 16

_WORDS: Final = (
    " the", " sea", " keeps", " what", " rivers", " bring", ":", " salt", ",", " sand", " and",
    " a", " naïve", " message", " in", " bottles", ".", "\n", " \"Over", "board", "\"", " it",
    " said", "…",
)  # fmt: skip


@final
@attrs.frozen
class Script:
    """One answer.

    Attributes:
        mode: How its bytes are cut and timed.
        tokens: How many texts it has; `ENDLESS` in a firehose.
        interval_us: Microseconds between two tokens of a paced answer.
        group: So many paced answers wait behind their first token until they are told to begin, and
            then go on with their tokens spread evenly over the interval.
    """

    mode: Mode
    tokens: int
    interval_us: int = 0
    group: int = 1

    @property
    def model(self) -> str:
        """The model name that asks for it."""
        return f"{self.mode}-{self.tokens}-{self.interval_us}-{self.group}"

    @classmethod
    def of_model(cls, model: str) -> Script:
        """Read such a model name.

        Raises:
            ValueError: If it is none.
        """
        mode, tokens, interval_us, group = model.split("-")
        if mode not in get_args(Mode):
            raise ValueError(f"no mode {mode!r}")
        return cls(cast("Mode", mode), int(tokens), int(interval_us), int(group))

    def digest_of(self, texts: Iterable[str]) -> str:
        """Return a digest of what a client read, stamps left out."""
        if self.mode == "paced":
            texts = (text[STAMP_DIGITS:] for text in texts)
        return _digest("".join(texts))

    @property
    def digest(self) -> str:
        """The digest of what was sent."""
        return _digest("".join(text_of(index) for index in range(self.tokens)))


def text_of(index: int) -> str:
    """Return the text of the token with that number."""
    return _WORDS[index % len(_WORDS)]


def sent_ns(text: str) -> int:
    """Return when a text of a paced answer was sent, by the monotonic clock."""
    return int(text[:STAMP_DIGITS])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
