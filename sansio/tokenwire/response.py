"""What a response says about itself besides the answer: status, ids, rate limits, timings."""

from __future__ import annotations

from typing import final

import attrs


@final
@attrs.frozen(kw_only=True)
class RateLimit:
    """One allowance as the provider reported it, None where it did not say.

    Attributes:
        name: What is counted, for instance ``"requests"`` or ``"tokens"``.
        limit: The whole allowance.
        remaining: What is left of it.
        reset_after: Seconds until it is whole again.
    """

    name: str
    limit: int | None = None
    remaining: int | None = None
    reset_after: float | None = None


@final
@attrs.frozen(kw_only=True)
class Timings:
    """When things happened, in seconds; None for what has not happened or was not needed.

    Attributes:
        connect: How long connecting took; None on a connection that was open already.
        first_byte: From the start of the call to the response head.
        first_token: From the start of the call to the first token.
        total: From the start of the call to its end.
    """

    connect: float | None = None
    first_byte: float | None = None
    first_token: float | None = None
    total: float | None = None


@final
@attrs.frozen(kw_only=True)
class ResponseInfo:
    """The response around an answer.

    Attributes:
        status: HTTP status, None before the response head has come.
        request_id: The provider's id of the request, for its support.
        rate_limits: Allowances by name, as far as the provider reports them.
        timings: Filled in by a transport; the core has no clock.
        continued: Only what was new of the conversation was sent, because the server held the rest.
    """

    status: int | None = None
    request_id: str | None = None
    rate_limits: tuple[RateLimit, ...] = ()
    timings: Timings = Timings()
    continued: bool = False
