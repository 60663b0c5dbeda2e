"""What the conventions call things: from our facts to attributes.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ and
https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, cast

from tokenwire.completion import Completion
from tokenwire.config import ProviderSection
from tokenwire.errors import AnyProviderError, NetworkError, OtherError, ProviderError
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio.origin import Origin

Value: TypeAlias = str | int | float | bool | Sequence[str]
Attributes: TypeAlias = dict[str, Value]

OPERATION: Final = "chat"

#: Whose API a wire format is, in the conventions' words. They have none for Ollama.
_PROVIDER_NAMES: Final[Mapping[str, str]] = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "openai-responses-ws": "openai",
    "openai-realtime": "openai",
    "azure-chat": "azure.ai.openai",
    "anthropic": "anthropic",
    "gemini": "gcp.gemini",
    "ollama": "ollama",
}

#: Settings that this library leaves to `ProviderConfig.extra`, and the conventions name.
_NAMED_EXTRAS: Final = ("top_k", "frequency_penalty", "presence_penalty")


def identity(section: ProviderSection | None, name: str | None, model: str | None) -> Attributes:
    """Say who is asked: what spans and metrics have in common, from the start.

    Args:
        section: Whom it describes, None where that is not known.
        name: The provider's name, in place of the one that its wire format suggests.
        model: The model that is asked.
    """
    attributes: Attributes = {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": name or _provider_name(section),
    }
    if model is not None:
        attributes["gen_ai.request.model"] = model
    if section is not None:
        origin = Origin.from_url(section.endpoint.base_url)
        attributes |= {"server.address": origin.host, "server.port": origin.port}
    return attributes


def _provider_name(section: ProviderSection | None) -> str:
    if section is None:
        return "_OTHER"
    return _PROVIDER_NAMES.get(section.kind, section.kind)


def request_attributes(config: ProviderConfig) -> Attributes:
    """Say with which settings, as far as they are set and give nothing of the prompt away."""
    extras = {name: config.extra.get(name) for name in _NAMED_EXTRAS}
    settings: dict[str, object] = {
        "gen_ai.request.max_tokens": config.max_output_tokens,
        "gen_ai.request.temperature": config.temperature,
        "gen_ai.request.top_p": config.top_p,
        "gen_ai.request.seed": config.seed,
        "gen_ai.request.choice.count": config.n if config.n != 1 else None,
        "gen_ai.output.type": None if config.response_schema is None else "json",
        **{f"gen_ai.request.{name}": value for name, value in extras.items()},
    }
    return {
        "gen_ai.request.stream": True,
        **{name: value for name, value in settings.items() if isinstance(value, str | int | float)},
    }


def answer_attributes(answer: Completion) -> Attributes:
    """Say what came: nothing before the answer's end has."""
    end = answer.end
    if end is None:
        return {}
    usage = end.usage
    counts: dict[str, object] = {
        "gen_ai.response.model": end.model,
        "gen_ai.response.id": end.response_id,
    }
    if usage is not None:
        counts |= {
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        }
    finishes = [end.finishes[choice] for choice in sorted(end.finishes)]
    reasons = [finish.raw or finish.reason for finish in finishes]
    return {
        "gen_ai.response.finish_reasons": reasons or [end.raw_finish or end.finish],
        **{name: value for name, value in counts.items() if isinstance(value, str | int)},
    }


def error_type(error: BaseException) -> str:
    """Name a failure in one of few words: a provider's, or what the exception is called."""
    if not isinstance(error, ProviderError):
        return type(error).__qualname__
    match cast("AnyProviderError", error):
        case NetworkError(timeout=str()):
            return "timeout"
        case OtherError(kind=kind):
            return kind
        case known:
            return known.label
