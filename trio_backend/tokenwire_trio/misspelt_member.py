"""Complaints of msgspec about a member that nothing has, with the one that was meant."""

import re
from typing import Final

import msgspec

from tokenwire import _validation as check

_UNKNOWN: Final = re.compile(r"unknown field `([^`]+)`")


def with_nearest(error: msgspec.ValidationError, *kinds: type[msgspec.Struct]) -> str:
    """Return the complaint, and where a member is unknown, the known one most like it.

    Args:
        error: What msgspec says.
        kinds: All that the document is made of.
    """
    unknown = _UNKNOWN.search(str(error))
    if unknown is None:
        return str(error)
    known = {name for kind in kinds for name in kind.__struct_encode_fields__}
    return f"{error}{check.nearest(unknown[1], known)}"
