"""How a command ends, for the scripts that call it."""

from enum import IntEnum
from typing import Final

from tokenwire.errors import (
    AuthError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)


class ExitCode(IntEnum):
    """The exit codes of `tokenwire`; `EXPLANATION` words them for its help."""

    COMPLETE = 0
    UNWRITABLE = 1
    USAGE = 2
    NETWORK = 10
    AUTH = 11
    RATE_LIMIT = 12
    MALFORMED = 13
    OTHER = 14
    INTERRUPTED = 130  # 128 + SIGINT, as shells count
    PIPE_CLOSED = 141  # 128 + SIGPIPE: nobody reads on, as in `tokenwire ask … | head -1`


EXPLANATION: Final = """\
Exit codes: 0 a complete answer, 2 wrong use or configuration, 10 network, 11 authentication, \
12 rate limit or quota, 13 malformed answer, 14 any other failure that the provider reported, \
130 interrupted, 141 the reader of a pipe has gone, 1 the output can't be written."""

_OF_KIND: Final[dict[type[ProviderError], ExitCode]] = {
    NetworkError: ExitCode.NETWORK,
    AuthError: ExitCode.AUTH,
    RateLimitError: ExitCode.RATE_LIMIT,
    MalformedResponseError: ExitCode.MALFORMED,
    OtherError: ExitCode.OTHER,
}


def of_error(error: ProviderError) -> ExitCode:
    """Return the exit code that tells this kind of failure from the others."""
    return _OF_KIND[type(error)]
