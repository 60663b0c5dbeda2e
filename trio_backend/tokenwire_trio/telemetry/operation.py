"""One answer as telemetry sees it: a span, and a value for each of the metrics.

The span is current only while the wrapped provider itself is at work, so that its retries find it;
never while the caller's code runs, where it would be the parent of spans that are none of the
answer's. Each time it is made current and given up within one call of one task: context variables
of trio's tasks allow nothing else.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, final

import trio
from opentelemetry import trace
from opentelemetry.metrics import Histogram, Meter, MeterProvider, get_meter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider, get_tracer

from tokenwire.completion import Completion
from tokenwire.retry_policy import Attempt
from tokenwire.tokens import Usage
from tokenwire_trio.telemetry.attributes import Attributes, answer_attributes, error_type

_SCOPE: Final = "tokenwire_trio"

#: What the conventions advise, in seconds and tokens.
_SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
_TOKENS: Final = tuple(4**power for power in range(14))


def record_attempt(attempt: Attempt) -> None:
    """Note an attempt that failed on the current span: for ``Retrying(on_attempt=…)``.

    Inside of a `Traced`, that is the span of the whole answer.
    """
    attributes: Attributes = {
        "tokenwire.attempt.number": attempt.number,
        "tokenwire.attempt.provider": attempt.provider,
        "error.type": error_type(attempt.error),
    }
    if attempt.delay_s is not None:
        attributes["tokenwire.attempt.delay"] = attempt.delay_s
    if attempt.gave_up is not None:
        attributes["tokenwire.attempt.gave_up"] = attempt.gave_up
    trace.get_current_span().add_event("tokenwire.attempt", attributes)


@final
class Instruments:
    """What measures answers.

    Args:
        tracer_provider: Whose spans; None for the program's global one.
        meter_provider: Whose metrics; None for the global one.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None, meter_provider: MeterProvider | None
    ) -> None:
        self.tracer: Final = get_tracer(_SCOPE, tracer_provider=tracer_provider)
        meter = get_meter(_SCOPE, meter_provider=meter_provider)
        self.tokens: Final = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self.duration: Final = _seconds(meter, "duration", "GenAI operation duration.")
        self.first_chunk: Final = _seconds(
            meter, "time_to_first_chunk", "Time from the request to the first token."
        )
        self.next_chunk: Final = _seconds(
            meter, "time_per_output_chunk", "Time from one token to the next."
        )


def _seconds(meter: Meter, name: str, description: str) -> Histogram:
    return meter.create_histogram(
        f"gen_ai.client.operation.{name}",
        unit="s",
        description=description,
        explicit_bucket_boundaries_advisory=_SECONDS,
    )


@final
class Operation:
    """An answer that was asked for, from now until it ends.

    Args:
        instruments: What measures it.
        identity: What spans and metrics have in common.
        request: What else the span says of the request.
    """

    __slots__ = (
        "_began",
        "_first_token_at",
        "_identity",
        "_instruments",
        "_last_token_at",
        "_over",
        "span",
    )

    def __init__(self, instruments: Instruments, identity: Attributes, request: Attributes) -> None:
        self._instruments = instruments
        self._identity = identity
        self._began = trio.current_time()
        self._first_token_at: float | None = None
        self._last_token_at = self._began
        self._over = False
        model = identity.get("gen_ai.request.model")
        operation = identity["gen_ai.operation.name"]
        self.span: Span = instruments.tracer.start_span(
            f"{operation} {model}" if model is not None else f"{operation}",
            kind=SpanKind.CLIENT,
            attributes={**identity, **request},
        )

    @contextmanager
    def current(self) -> Generator[None, None, None]:
        """Make the span current for a moment that does not yield to the caller."""
        with trace.use_span(
            self.span, end_on_exit=False, record_exception=False, set_status_on_exception=False
        ):
            yield

    @property
    def begun(self) -> bool:
        """Whether a token has come."""
        return self._first_token_at is not None

    def took_token(self) -> None:
        """Note that a token came."""
        now = trio.current_time()
        if self._first_token_at is None:
            self._first_token_at = now
        else:
            self._instruments.next_chunk.record(now - self._last_token_at, self._identity)
        self._last_token_at = now

    def end(self, answer: Completion, error: str | None = None) -> None:
        """End the span, and count; only the first time counts.

        Args:
            answer: As far as it came.
            error: How it failed, see `error_type`; None where it did not.
        """
        if self._over:
            return
        self._over = True
        attributes = answer_attributes(answer)
        self._measure(attributes, answer.usage, error)
        if self._first_token_at is not None:
            waited = self._first_token_at - self._began
            attributes["gen_ai.response.time_to_first_chunk"] = waited
        if error is not None:
            attributes["error.type"] = error
            # Without a description: what servers say of a request may quote it.
            self.span.set_status(Status(StatusCode.ERROR))
        self.span.set_attributes(attributes)
        self.span.end()

    def _measure(self, found: Attributes, usage: Usage | None, error: str | None) -> None:
        common = dict(self._identity)
        if "gen_ai.response.model" in found:
            common["gen_ai.response.model"] = found["gen_ai.response.model"]
        failed: Attributes = {} if error is None else {"error.type": error}
        instruments = self._instruments
        instruments.duration.record(trio.current_time() - self._began, {**common, **failed})
        if self._first_token_at is not None:
            instruments.first_chunk.record(self._first_token_at - self._began, common)
        if usage is None:
            return
        for kind, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if count is not None:
                instruments.tokens.record(count, {**common, "gen_ai.token.type": kind})
