"""`tokenwire_trio.wrapping`: what is no provider is refused by whatever would wrap it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.trio_backend.providers import provider_section
from tokenwire_trio import Fallback, Limited, Retrying
from tokenwire_trio.bulk import ask_all
from tokenwire_trio.telemetry import Traced
from tokenwire_trio.testing import ScriptedProvider


@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (Fallback, "each argument of Fallback"),
        (partial(Limited, concurrency=1), "what Limited wraps"),
        (Retrying, "what Retrying wraps"),
        (Traced, "what Traced wraps"),
    ],
)
def test_what_is_no_provider_is_refused_at_once(wrap: Callable[[Any], object], name: str) -> None:
    """A section is what providers are opened with, and easily taken for one."""
    with pytest.raises(TypeError) as caught:
        wrap(provider_section())
    assert str(caught.value) == (
        f"{name} must be a provider, such as open_provider(…) gives in its block, not"
        " ProviderSection"
    )


def test_a_number_of_attempts_is_no_policy() -> None:
    """The policy has the number."""
    policy: Any = 3
    with pytest.raises(TypeError, match=r"^policy must be a RetryPolicy, not int$"):
        Retrying(ScriptedProvider(), policy)


async def test_what_is_no_provider_is_asked_nothing() -> None:
    """Nor is a question taken for it."""
    section: Any = provider_section()
    with pytest.raises(TypeError, match=r"^what ask_all asks must be a provider"):
        async with ask_all(section, []):
            pass
