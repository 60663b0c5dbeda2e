"""Credentials that never show themselves.

A `Secret` is the only place where a key lives in this library. It has no useful `repr`, cannot be
pickled, copied or formatted into a string by accident, and is read with `reveal()` at the one
moment when a request is written. `Scrubber` is the other half of the promise: a server that echoes
a key back to us ("Incorrect API key provided: …") must not get it into our errors either.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from typing import Final, NoReturn, final
from urllib.parse import quote

REDACTED: Final = "[redacted]"

#: Runs of a key this long are recognised wherever they appear. Shorter runs are too common in
#: ordinary prose to be told apart from it, and say too little about the key to matter.
KEY_PART_LENGTH: Final = 8

_CREDENTIAL_NAME: Final = re.compile(
    r"auth|cookie|credential|key|password|secret|token", re.IGNORECASE
)

#: What is looked for first in a text longer than that, where it saves time: half of a part.
_HINT_LENGTH: Final = KEY_PART_LENGTH // 2
_LONG_TEXT: Final = 128

#: Anything shorter is a placeholder such as "x" for servers that want no key, not a secret.
_SHORTEST_SECRET: Final = 4


def names_credential(name: str) -> bool:
    """Tell whether a header or query parameter of that name carries what is to be kept secret."""
    return _CREDENTIAL_NAME.search(name) is not None


@final
class Secret:
    """A credential: hidden from `repr`, `str`, `pickle` and `copy`, compared in constant shape.

    Args:
        value: The key itself, printable ASCII without spaces at its ends, because it is sent in an
            HTTP header field (RFC 9110 section 5.5).

    Raises:
        ValueError: If the value could not be sent. The message never shows the value.
    """

    __slots__ = ("_value",)
    _value: str

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
            raise TypeError("a key must be a str")
        if not value:
            raise ValueError("the key is empty: set it, or leave the credential out")
        if value.strip() != value:
            raise ValueError(
                "the key starts or ends with white space or a line break (often read from a file):"
                " strip it"
            )
        if any(not 0x20 <= ord(character) <= 0x7E for character in value):
            raise ValueError(
                "the key holds a line break, a control character or a non-ASCII character, which"
                " no HTTP header can carry: copy it again"
            )
        object.__setattr__(self, "_value", value)

    def reveal(self) -> str:
        """Return the key. Call it where the request is written, and keep no reference."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        # One hash for all: a hash of the value would be a fingerprint of the key.
        return hash(Secret)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied: pass the Secret itself on")


#: An async callable that is asked for a credential at each attempt, for tokens that expire.
CredentialSource = Callable[[], Awaitable[Secret]]


def _forms(secret: str) -> set[str]:
    """Return how a server may write what we sent: also as in a URL, and within JSON."""
    escaped = secret.replace("\\", "\\\\").replace('"', '\\"')
    # Some JSON encoders escape slashes as well, which RFC 8259 section 7 lets them.
    return {secret, quote(secret, safe=""), escaped, escaped.replace("/", "\\/")}


class Scrubber:
    """Removes secrets, whole and in long parts, from text that a server sent.

    Any run of `KEY_PART_LENGTH` characters or more that also occurs in a secret is replaced by
    ``[redacted]``; a secret shorter than that is replaced where it stands as a word. Time is linear
    in the text.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        parts: set[str] = set()
        words: set[str] = set()
        for secret in secrets:
            for form in _forms(secret):
                if len(form) >= KEY_PART_LENGTH:
                    last = len(form) - KEY_PART_LENGTH
                    parts.update(form[i : i + KEY_PART_LENGTH] for i in range(last + 1))
                elif len(form) >= _SHORTEST_SECRET:
                    words.add(form)
        self._parts = frozenset(parts)
        self._words = (
            re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in sorted(words)))
            if words
            else None
        )

    def scrub(self, text: str) -> str:
        """Return `text` with every secret, and every long part of one, replaced."""
        if self._words is not None:
            text = self._words.sub(REDACTED, text)
        if not self._parts or (len(text) > _LONG_TEXT and not self._may_hold_part(text)):
            return text
        return self._scrub_parts(text)

    def _may_hold_part(self, text: str) -> bool:
        """Tell quickly whether a part of a secret can be in a text: in most there is none.

        Any run of `KEY_PART_LENGTH` characters has all of a hint in it that stands at a multiple
        of `_HINT_LENGTH`.
        """
        starts = range(0, len(text), _HINT_LENGTH)
        return not self._hints.isdisjoint([text[at : at + _HINT_LENGTH] for at in starts])

    @cached_property
    def _hints(self) -> frozenset[str]:
        starts = range(KEY_PART_LENGTH - _HINT_LENGTH + 1)
        return frozenset(part[at : at + _HINT_LENGTH] for part in self._parts for at in starts)

    def _scrub_parts(self, text: str) -> str:
        pieces: list[str] = []
        kept_to = 0  # everything before it is in `pieces`
        hidden_to = 0  # end of the secret run that is being skipped
        for start in range(len(text) - KEY_PART_LENGTH + 1):
            if text[start : start + KEY_PART_LENGTH] not in self._parts:
                continue
            if start >= hidden_to:
                pieces += [text[kept_to:start], REDACTED]
            hidden_to = kept_to = start + KEY_PART_LENGTH
        pieces.append(text[kept_to:])
        return "".join(pieces)
