"""What a request authenticates with: a fixed secret, or what a callable says at the moment."""

from __future__ import annotations

from typing import final

import trio

from tokenwire.errors import AuthError, NetworkError
from tokenwire.secret import CredentialSource, Secret
from tokenwire_trio.deadlines import CallClock


@final
class Credentials:
    """Knows where a provider's credential comes from.

    Args:
        source: The credential, or who is asked for it.
        provider: What errors call the provider.
    """

    def __init__(self, source: Secret | CredentialSource | None, provider: str) -> None:
        self._source = source
        self._provider = provider

    async def ask(self, clock: CallClock) -> Secret | None:
        """Return what to authenticate with now. The time that takes is the call's.

        Raises:
            NetworkError: The call's total deadline ran out meanwhile.
            TypeError: The callable returned something else.
        """
        if self._source is None or isinstance(self._source, Secret):
            return self._source
        limit = clock.call_limit()
        with trio.CancelScope(deadline=limit.at):
            credential = await self._source()
            if not isinstance(credential, Secret):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
                raise TypeError(
                    f"the credential callable must return a Secret, not {type(credential).__name__}"
                )
            return credential
        raise NetworkError(
            message=f"the {limit.name} deadline ran out while waiting for the credential callable",
            provider=self._provider,
            phase="pool",
            timeout=limit.name,
            sent="nothing",
            retryable=True,
        )

    def may_have_expired(self, error: AuthError) -> bool:
        """Tell whether a refusal may be due to a credential for which there is a new one by now.

        Status 403 is for one that was recognised, but not allowed (RFC 9110 section 15.5.4).
        """
        return error.status == 401 and not isinstance(self._source, Secret | None)
