"""Complaints of msgspec about a word that it does not know, with the one that was meant."""

import re
from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from tokenwire import _validation as check

_MEMBER: Final = re.compile(r"unknown field `([^`]+)`")
_TAG: Final = re.compile(r"Invalid value '([^']+)'")
_CHOICE: Final = re.compile(r"Invalid enum value '([^']+)'")


def with_nearest(
    error: msgspec.ValidationError, *kinds: type[msgspec.Struct], choices: Collection[str] = ()
) -> str:
    """Return the complaint, and where a word is unknown, the known one most like it.

    Args:
        error: What msgspec says.
        kinds: All that the document is made of.
        choices: What may stand where a member has a choice of strings.
    """
    known: tuple[tuple[re.Pattern[str], Collection[str]], ...] = (
        (_MEMBER, {name for kind in kinds for name in kind.__struct_encode_fields__}),
        (_TAG, set(_tags(kinds))),
        (_CHOICE, choices),
    )
    for pattern, words in known:
        if words and (unknown := pattern.search(str(error))):
            return f"{error}{check.nearest(unknown[1], words)}"
    return str(error)


def _tags(kinds: Collection[type[msgspec.Struct]]) -> Iterator[str]:
    for kind in kinds:
        tag = kind.__struct_config__.tag
        if isinstance(tag, str):
            yield tag
