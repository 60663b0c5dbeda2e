"""Streams an answer over asyncio's streams; see docs/how-to/other-io.md for how to run it."""

import asyncio
import os
import ssl
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import h11

import tokenwire as tw


class Call:
    """One call; a task that is cancelled in `ask` closes the connection on its way out."""

    def __init__(self, section: tw.ProviderSection, show: Callable[[tw.Events], object]) -> None:
        self.section, self.show = section, show
        self.exchange = tw.Exchange(tw.wire_by_kind(section.kind), section.endpoint)
        self.http = h11.Connection(h11.CLIENT)

    async def ask(self, *messages: tw.Message) -> None:
        """Show tokens as they come, at last the error if there is one; `show` must not fail."""
        request, events = self.exchange.send(messages, self.section.defaults), tw.Events()
        try:
            async with asyncio.timeout(self.section.endpoint.deadlines.total):
                await self._carry(request)
        except (OSError, h11.RemoteProtocolError) as error:  # a TimeoutError is an OSError
            events = self.exchange.receive_failure(self._failure(error))
        self.show(events)  # not in `except`, from where tracebacks lead to the request

    async def _carry(self, request: tw.HTTPRequest) -> None:
        url, ca_file = urlsplit(request.url), self.section.endpoint.tls.ca_file
        tls = ssl.create_default_context(cafile=ca_file) if url.scheme == "https" else None
        port = url.port or (443 if tls else 80)
        reader, writer = await asyncio.open_connection(url.hostname, port, ssl=tls)
        try:
            target = url.path + (f"?{url.query}" if url.query else "")
            headers = [("host", url.netloc), *request.headers]
            writer.write(self.http.send(h11.Request(method="POST", target=target, headers=headers)))
            writer.write(self.http.send(h11.Data(data=request.body)))
            self.http.send(h11.EndOfMessage())
            while self.exchange.state in (tw.State.SENT, tw.State.STREAMING):
                match self.http.next_event():
                    case h11.Response() | h11.InformationalResponse() as head:
                        fields = [(n.decode(), v.decode("latin-1")) for n, v in head.headers]
                        self.show(self.exchange.receive_head(head.status_code, fields))
                    case h11.Data(data=data):
                        self.show(self.exchange.receive_data(bytes(data)))
                    case h11.EndOfMessage():
                        self.show(self.exchange.receive_eof(clean=True))
                    case _:
                        self.http.receive_data(await reader.read(65536))
        finally:
            writer.transport.abort()  # at once, and most servers then stop the model

    def _failure(self, error: Exception) -> tw.ProviderError:
        if isinstance(error, h11.RemoteProtocolError) and not self.http.trailing_data[1]:
            return tw.MalformedResponseError(reason="framing", message="that is no HTTP/1.1")
        unsent, late = self.http.our_state is h11.IDLE, isinstance(error, TimeoutError)
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
