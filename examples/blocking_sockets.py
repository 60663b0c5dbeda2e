"""Streams an answer over a blocking socket; see docs/how-to/other-io.md for how to run it."""

import os
import socket
import ssl
import sys
from collections.abc import Callable
from time import monotonic
from urllib.parse import SplitResult, urlsplit

import h11

import tokenwire as tw


class Call:
    """One call in one thread; ``call.line.shutdown(socket.SHUT_RDWR)`` in another one ends it."""

    def __init__(self, section: tw.ProviderSection, show: Callable[[tw.Events], object]) -> None:
        self.section, self.show, self.http = section, show, h11.Connection(h11.CLIENT)
        self.exchange = tw.Exchange(tw.wire_by_kind(section.kind), section.endpoint)
        self.tls = ssl.create_default_context(cafile=section.endpoint.tls.ca_file)
        self.ends_at = monotonic() + (section.endpoint.deadlines.total or 3600)

    def ask(self, *messages: tw.Message) -> None:
        """Show tokens as they come, at last the error if there is one; `show` must not fail."""
        request, events = self.exchange.send(messages, self.section.defaults), tw.Events()
        try:
            with self._connect(urlsplit(request.url)) as self.line:
                self._carry(request, urlsplit(request.url))
        except (OSError, h11.RemoteProtocolError) as error:  # a TimeoutError is an OSError
            events = self.exchange.receive_failure(self._failure(error))
        self.show(events)  # not in `except`, from where tracebacks lead to the request

    def _connect(self, url: SplitResult) -> socket.socket:
        secure, host = url.scheme == "https", url.hostname
        address = (host, url.port or (443 if secure else 80))
        line = socket.create_connection(address, self.ends_at - monotonic())
        return self.tls.wrap_socket(line, server_hostname=host) if secure else line

    def _carry(self, request: tw.HTTPRequest, url: SplitResult) -> None:
        target = url.path + (f"?{url.query}" if url.query else "")
        headers = [("host", url.netloc), *request.headers]
        start = self.http.send(h11.Request(method="POST", target=target, headers=headers))
        self.line.sendall(start + self.http.send(h11.Data(data=request.body)))
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
                    self.line.settimeout(max(self.ends_at - monotonic(), 1e-6))
                    self.http.receive_data(self.line.recv(65536))

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
    Call(tw.Config.from_env(os.environ).provider, _print).ask(question)
