"""What can go wrong: five kinds of peer failure, and the caller's own mistakes.

A peer's fault is a `ProviderError`, exactly one of five final classes, so that ``match`` over them
is complete. The core hands it over as a value at the end of a list of tokens; a transport raises
it. A caller's mistake is a `LocalProtocolError` or a `ValueError`, raised before any byte moves.

No error holds a request, a credential or more than a bounded piece of what the server sent, and
server text in it has been scrubbed of the credential.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal, TypeAlias, final

import attrs
from attrs import field

#: Longest piece of server text that an error carries, in characters: enough for any sentence that
#: a provider writes, too little to flood a log.
MAX_MESSAGE_LENGTH: Final = 1_000

#: Longest piece of a body quoted in a `MalformedResponseError`, in bytes.
MAX_EXCERPT_BYTES: Final = 256

Sent: TypeAlias = Literal["nothing", "partly", "all"]
Phase: TypeAlias = Literal["pool", "dns", "tcp", "proxy", "tls", "send", "head", "body"]
DeadlineName: TypeAlias = Literal[
    "pool", "connect", "send", "first_byte", "first_token", "gap", "total"
]
RateLimitScope: TypeAlias = Literal["requests", "tokens", "quota"]
MalformedReason: TypeAlias = Literal[
    "truncated",  # a clean end before any terminal marker
    "empty",  # a success without a single event
    "json",  # an event that is no JSON
    "utf8",  # an event that is no UTF-8
    "schema",  # JSON of a shape that this API does not have
    "content_type",  # a body that is neither an event stream nor a JSON answer
    "content_encoding",  # a compressed body, although none was asked for
    "framing",  # broken HTTP
    "limit",  # larger than `Limits` allows; the message names the limit
]
OtherKind: TypeAlias = Literal[
    "overloaded",
    "server",
    "timeout",
    "conflict",
    "rejected",
    "context_length",
    "content_filter",
    "not_found",
    "redirect",
    "unknown",
]


class LocalProtocolError(Exception):
    """The caller asked for something that cannot be done; no byte has moved.

    Raised for calls out of order on an `Exchange` and for messages or settings that the chosen wire
    format cannot carry.
    """


@attrs.frozen(kw_only=True, eq=False, str=False)
class ProviderError(Exception):
    """A failure outside the caller's program. Always one of the five subclasses below.

    Attributes:
        message: What happened, in one line, scrubbed of credentials and bounded.
        provider: The endpoint's name, or that of its wire format.
        status: HTTP status of the answer, None where there was none or it is not known.
        code: The provider's machine-readable code as sent, for instance ``"invalid_api_key"``.
        request_id: The provider's id of the request, for its support.
        retry_after: Seconds that the provider asks to wait, None if it did not say.
        in_stream: The failure came after a successful response head.
        tokens_emitted: How many tokens of this answer came before it.
        sent: How much of the request had been written: nothing, partly or all.
        retryable: The same request may succeed later. Says nothing about duplicated output: see
            `tokens_emitted` and `sent`.
    """

    label: ClassVar[str] = "provider"

    message: str
    provider: str = ""
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    in_stream: bool = False
    tokens_emitted: int = 0
    sent: Sent = "all"
    retryable: bool = False

    def __str__(self) -> str:
        # A success that failed later is no news to whoever reads this.
        status = f"HTTP {self.status}" if self.status and self.status >= 300 else ""
        # Some servers give the status as their code as well.
        code = self.code if self.code and self.code != str(self.status) else ""
        origin = " ".join(part for part in (self.provider, status, code) if part)
        return f"{origin}: {self.message}" if origin else self.message

    def facts(self) -> dict[str, str | int | float | bool | None]:
        """Return every attribute by name, ``error`` (the kind's label) first: what logs want."""
        return {"error": self.label, **attrs.asdict(self)}

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle by positional arguments by default; ours are all by keyword.
        return (_rebuild, (type(self), attrs.asdict(self)))


def _rebuild(kind: type[ProviderError], facts: dict[str, object]) -> ProviderError:
    return kind(**facts)  # type: ignore[arg-type]  # the facts came from an instance of this kind


@final
@attrs.frozen(kw_only=True, eq=False, str=False)
class NetworkError(ProviderError):
    """The connection could not be made, broke, or missed a deadline.

    Attributes:
        phase: Where it happened: waiting for a connection (pool), dns, tcp, proxy, tls, send, head
            or body of the response.
        timeout: Name of the `Deadlines` field that ran out, None if it was no deadline.
    """

    label: ClassVar[str] = "network"

    phase: Phase
    timeout: DeadlineName | None = None


@final
@attrs.frozen(kw_only=True, eq=False, str=False)
class AuthError(ProviderError):
    """The provider refused the credential, or the credential may not do this."""

    label: ClassVar[str] = "auth"


@final
@attrs.frozen(kw_only=True, eq=False, str=False)
class RateLimitError(ProviderError):
    """Too many requests or tokens, or a quota or balance is used up.

    Attributes:
        scope: What ran out. ``quota`` (credit, spending limit, daily allowance) does not come back
            by waiting a moment, so such an error is not retryable. ``requests`` where the provider
            did not say.
    """

    label: ClassVar[str] = "rate_limit"

    scope: RateLimitScope = "requests"


@final
@attrs.frozen(kw_only=True, eq=False, str=False)
class MalformedResponseError(ProviderError):
    """The peer sent something that is no answer of this API, or stopped before its end.

    Attributes:
        reason: What is wrong with it; ``truncated`` is a clean end without a terminal marker.
        excerpt: The offending bytes as text, bounded and scrubbed; empty where there are none.
    """

    label: ClassVar[str] = "malformed"

    reason: MalformedReason
    excerpt: str = ""


@final
@attrs.frozen(kw_only=True, eq=False, str=False)
class OtherError(ProviderError):
    """Every other refusal or failure that the provider reported.

    Attributes:
        kind: ``overloaded``, ``server``, ``timeout`` and ``conflict`` may pass; ``rejected``,
            ``context_length``, ``content_filter``, ``not_found`` and ``redirect`` will not without
            another request or configuration.
    """

    label: ClassVar[str] = "other"

    kind: OtherKind = field(default="unknown")


#: The closed union of what a `ProviderError` can be: ``match`` over it ends in ``assert_never``.
AnyProviderError: TypeAlias = (
    NetworkError | AuthError | RateLimitError | MalformedResponseError | OtherError
)
