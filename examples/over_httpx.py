"""Streams an answer with httpx; see docs/how-to/other-io.md for how to run it."""

import asyncio
import os
import ssl
import sys
from collections.abc import Callable

import httpx  # noqa: ASYNC127  # the one that most programs have

import tokenwire as tw


class Call:
    """One call; a task that is cancelled in `ask` closes the connection on its way out."""

    def __init__(self, section: tw.ProviderSection, show: Callable[[tw.Events], object]) -> None:
        self.section, self.show = section, show
        self.exchange = tw.Exchange(tw.wire_by_kind(section.kind), section.endpoint)

    async def ask(self, *messages: tw.Message) -> None:
        """Show tokens as they come, at last the error if there is one; `show` must not fail."""
        endpoint = self.section.endpoint
        tls = ssl.create_default_context(cafile=endpoint.tls.ca_file)
        request, events = self.exchange.send(messages, self.section.defaults), tw.Events()
        try:
            # A program keeps its client for many calls. The deadline is ours, not one for a read.
            async with (
                asyncio.timeout(endpoint.deadlines.total),
                httpx.AsyncClient(verify=tls, timeout=None, trust_env=False) as client,  # noqa: S113
            ):
                await self._carry(request, client)
        except (TimeoutError, httpx.TransportError) as error:
            events = self.exchange.receive_failure(self._failure(error))
        self.show(events)  # not in `except`, from where tracebacks lead to the request

    async def _carry(self, request: tw.HTTPRequest, client: httpx.AsyncClient) -> None:
        async with client.stream(
            request.method, request.url, headers=request.headers, content=request.body
        ) as response:
            headers = response.headers.multi_items()
            self.show(self.exchange.receive_head(response.status_code, headers))
            async for data in response.aiter_raw():
                self.show(self.exchange.receive_data(data))
                if self.exchange.state in (tw.State.DONE, tw.State.FAILED):
                    return  # some servers keep the connection open behind the end
            self.show(self.exchange.receive_eof(clean=True))

    def _failure(self, error: Exception) -> tw.ProviderError:
        # What httpx calls RemoteProtocolError is either no HTTP or an early end of it.
        broken = isinstance(error, httpx.RemoteProtocolError)
        if broken and not any(word in str(error) for word in ("closed", "disconnected")):
            return tw.MalformedResponseError(reason="framing", message="that is no HTTP/1.1")
        unsent, late = isinstance(error, httpx.ConnectError), isinstance(error, TimeoutError)
        return tw.NetworkError(
            message="the total deadline ran out" if late else f"the connection failed: {error}",
            phase="tcp" if unsent else "head" if self.exchange.state is tw.State.SENT else "body",
            timeout="total" if late else None,
            sent="nothing" if unsent else "all",
            retryable=True,
        )


def _print(events: tw.Events) -> None:
    for event in events:
        text = sys.exit(f"\n{event}") if isinstance(event, tw.ProviderError) else event.text
        print(text, end="", flush=True)


if __name__ == "__main__":
    question = tw.Message.user(" ".join(sys.argv[1:]) or sys.exit("usage: … QUESTION"))
    asyncio.run(Call(tw.Config.from_env(os.environ).provider, _print).ask(question))
