"""Spans and metrics of answers, by OpenTelemetry's conventions for generative AI.

    traced = Traced(provider, section=config.provider)
    async with traced.complete([Message.user("Hi")]) as stream:
        ...

Nothing here is used, or imported, unless a program asks for it. It needs the extra ``otel``, which
is the API alone: what becomes of the data is up to the SDK that the program sets up.

The names are those of the conventions' version 1.41, the last before they moved to a repository of
their own (https://github.com/open-telemetry/semantic-conventions-genai); all of them are still
marked as in development there.
"""

from __future__ import annotations

try:
    from tokenwire_trio.telemetry.operation import record_attempt
    from tokenwire_trio.telemetry.traced import Traced, TracedStream
except ModuleNotFoundError as _error:
    if not (_error.name or "").startswith("opentelemetry"):
        raise
    raise ImportError('opentelemetry is missing: pip install "tokenwire[otel]"') from None

__all__ = ["Traced", "TracedStream", "record_attempt"]
