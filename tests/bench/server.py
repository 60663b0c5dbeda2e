"""The server of the benchmarks: prepared bytes, many connections, one thread.

It is never what a client waits for: bytes are made before they are asked for, a firehose leaves in
large sends, and a paced token costs a clock reading, an insertion of 16 digits and a send. What it
does not do is HTTP in general: it knows the requests that the benchmarks' clients make.

    POST .../chat/completions   an answer; the model's name is the `Script`
    GET /begin/MODEL            all of a group of paced answers may go on
    GET /stats                  what it noticed since the last such request, see `Stats`

Run as ``python -m tests.bench.server FOLDER``, where `FOLDER` holds the certificate. It prints its
two ports as one line of JSON, and ends with its standard input.
"""

from __future__ import annotations

import gc
import heapq
import json
import resource
import selectors
import socket
import ssl
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from typing import Final, TypedDict, final

from tests.bench.formats import FORMATS
from tests.bench.script import STAMP_DIGITS, Script, text_of

_LOOPBACK: Final = "127.0.0.1"
_CHAT: Final = FORMATS["openai-chat"]

#: One send of a firehose.
_FIREHOSE_BYTES: Final = 256 * 1024

#: Sends for one connection before it is another one's turn.
_SENDS_IN_A_ROW: Final = 64

#: Longest pause between two looks at the sockets while a token is about to be due, in seconds.
_NAP_S: Final = 0.0001

#: How long a group waits when it may go on, so that all of it stands still.
_GROUP_PAUSE_NS: Final = 300_000_000

_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\nx-request-id: req_bench\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_CONTROL_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
)
_END: Final = b"0\r\n\r\n"


class Stats(TypedDict):
    """What the server noticed.

    Attributes:
        cpu_ns: CPU time of its process.
        left_ns: When it saw clients leave in mid-answer, by the monotonic clock.
        late_ms: By how much the latest paced token left after its time.
        refused: Paced tokens that the client's full buffers did not take.
    """

    cpu_ns: int
    left_ns: list[int]
    late_ms: float
    refused: int


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


_OPENING: Final = _HEAD + _framed(_CHAT.opening)
_CLOSING: Final = _framed(_CHAT.closing) + _END


@cache
def _chunk(text: str) -> bytes:
    return _framed(_CHAT.chunk(text))


@cache
def _around_stamp(text: str) -> tuple[bytes, bytes]:
    before, after = _chunk("#" * STAMP_DIGITS + text).split(b"#" * STAMP_DIGITS)
    return before, after


def _stamped(index: int) -> bytes:
    before, after = _around_stamp(text_of(index))
    return b"%s%0*d%s" % (before, STAMP_DIGITS, time.monotonic_ns(), after)


@cache
def _firehose(tokens: int) -> tuple[bytes, ...]:
    whole = b"".join([_OPENING, *(_chunk(text_of(index)) for index in range(tokens)), _CLOSING])
    return tuple(
        whole[begin : begin + _FIREHOSE_BYTES] for begin in range(0, len(whole), _FIREHOSE_BYTES)
    )


def _sends(script: Script) -> Iterator[bytes]:
    """Return what to send, one after the other, as fast as the client takes it."""
    if script.mode == "write":
        texts = (_chunk(text_of(index)) for index in range(script.tokens))
        return chain((_OPENING,), texts, (_CLOSING,))
    if script.tokens:
        return iter(_firehose(script.tokens))
    per_send = _FIREHOSE_BYTES // len(_chunk(text_of(0)))
    block = b"".join(_chunk(text_of(index)) for index in range(per_send))
    return chain((_OPENING,), repeat(block))


@final
class _Connection:
    """A client.

    Attributes:
        sends: What is still to be sent as fast as it goes; None between two answers.
        script: The answer that is under way.
        sent_tokens: Of a paced answer, how many have been sent.
    """

    __slots__ = ("_inbox", "_unsent", "script", "secured", "sends", "sent_tokens", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.secured = not isinstance(sock, ssl.SSLSocket)
        self.sends: Iterator[bytes] | None = None
        self.script: Script | None = None
        self.sent_tokens = 0
        self._inbox = b""
        self._unsent = memoryview(b"")

    def receive(self) -> tuple[bytes, bytes] | None:
        """Read, and return head and body of a request once it is complete.

        Raises:
            BlockingIOError, ssl.SSLWantReadError: Nothing has come.
            OSError: The client is gone.
        """
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionResetError
        self._inbox += data
        head, end, body = self._inbox.partition(b"\r\n\r\n")
        _, _, rest = head.lower().partition(b"content-length:")
        if not end or len(body) < int(rest.split(b"\r\n")[0] or 0):
            return None
        self._inbox = b""
        return head, body

    def push(self) -> bool:
        """Send as much as the client takes now, and tell whether that is all there is."""
        assert self.sends is not None
        for _ in range(_SENDS_IN_A_ROW):
            if not self._unsent:
                data = next(self.sends, None)
                if data is None:
                    self.sends = None
                    return True
                self._unsent = memoryview(data)
            try:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                return False
        return False


@final
class _Server:
    def __init__(self, certificate: Path) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate)
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[int, int, _Connection]] = []  # a heap
        self._number = 0
        self._groups: defaultdict[str, list[_Connection]] = defaultdict(list)
        self._left_ns: list[int] = []
        self._late_ns = 0
        self._refused = 0
        self._plain = self._listen()
        self._secure = self._listen()

    def _listen(self) -> socket.socket:
        listener = socket.create_server((_LOOPBACK, 0), backlog=4096)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        return listener

    @property
    def ports(self) -> dict[str, int]:
        return {"http": self._plain.getsockname()[1], "https": self._secure.getsockname()[1]}

    def serve(self) -> None:
        """Serve until standard input ends."""
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            ready = self._selector.select(self._pause_s())
            for key, events in ready:
                if key.fileobj is sys.stdin:
                    return
                if isinstance(key.data, _Connection):
                    self._attend(key.data, events)
                else:
                    self._accept(self._plain if key.fileobj is self._plain else self._secure)
            if not ready:
                time.sleep(min(_NAP_S, self._until_due_s()))
            self._send_due()

    def _until_due_s(self) -> float:
        due_ns = self._due[0][0] if self._due else 0
        return max(0.0, (due_ns - time.monotonic_ns()) / 1e9)

    def _pause_s(self) -> float | None:
        # epoll counts in milliseconds and rounds up: the last one is spent in naps.
        return max(0.0, self._until_due_s() - 0.001) if self._due else None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if listener is self._secure:
                sock = self._context.wrap_socket(
                    sock, server_side=True, do_handshake_on_connect=False
                )
            self._selector.register(sock, selectors.EVENT_READ, _Connection(sock))

    def _attend(self, connection: _Connection, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                self._read(connection)
            elif connection.push():
                connection.script = None
                self._selector.modify(connection.sock, selectors.EVENT_READ, connection)
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError:
            self._drop(connection)

    def _read(self, connection: _Connection) -> None:
        if not connection.secured and isinstance(connection.sock, ssl.SSLSocket):
            connection.sock.do_handshake()
            connection.secured = True
        request = connection.receive()
        if request is not None:
            self._answer(connection, *request)

    def _answer(self, connection: _Connection, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET "):
            content = json.dumps(self._control(head.split()[1].decode())).encode()
            connection.sock.sendall(_CONTROL_HEAD % len(content) + content)
            return
        connection.script = script = Script.of_model(json.loads(body)["model"])
        if script.mode != "paced":
            connection.sends = _sends(script)
            events = selectors.EVENT_READ | selectors.EVENT_WRITE
            self._selector.modify(connection.sock, events, connection)
            return
        connection.sock.sendall(_OPENING + _stamped(0))
        connection.sent_tokens = 1
        if script.group == 1:
            self._schedule(time.monotonic_ns() + script.interval_us * 1000, connection)
        else:
            self._groups[script.model].append(connection)

    def _control(self, path: str) -> Stats | None:
        if path == "/stats":
            return self._take_stats()
        self._begin(path.removeprefix("/begin/"))
        return None

    def _begin(self, model: str) -> None:
        group = self._groups.pop(model, [])  # one alone does not wait
        interval_ns = Script.of_model(model).interval_us * 1000
        first = time.monotonic_ns() + _GROUP_PAUSE_NS
        for place, connection in enumerate(group):
            self._schedule(first + place * interval_ns // len(group), connection)

    def _schedule(self, due_ns: int, connection: _Connection) -> None:
        self._number += 1  # a tie-breaker: connections have no order
        heapq.heappush(self._due, (due_ns, self._number, connection))

    def _send_due(self) -> None:
        now = time.monotonic_ns()
        while self._due and self._due[0][0] <= now:
            due_ns, _, connection = heapq.heappop(self._due)
            script = connection.script
            if script is None:
                continue  # it left
            self._late_ns = max(self._late_ns, now - due_ns)
            try:
                self._send_paced(connection, script, due_ns)
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._refused += 1
                self._drop(connection)
            except OSError:
                self._drop(connection)
            now = time.monotonic_ns()

    def _send_paced(self, connection: _Connection, script: Script, due_ns: int) -> None:
        if connection.sent_tokens < script.tokens:
            connection.sock.send(_stamped(connection.sent_tokens))
            connection.sent_tokens += 1
            self._schedule(due_ns + script.interval_us * 1000, connection)
        else:
            connection.script = None
            connection.sock.send(_CLOSING)

    def _drop(self, connection: _Connection) -> None:
        if connection.script is not None:
            self._left_ns.append(time.monotonic_ns())
            connection.script = None
        self._selector.unregister(connection.sock)
        connection.sock.close()

    def _take_stats(self) -> Stats:
        used = resource.getrusage(resource.RUSAGE_SELF)
        stats = Stats(
            cpu_ns=round((used.ru_utime + used.ru_stime) * 1e9),
            left_ns=self._left_ns,
            late_ms=self._late_ns / 1e6,
            refused=self._refused,
        )
        self._left_ns, self._late_ns, self._refused = [], 0, 0
        return stats


def main() -> None:
    """Serve until standard input ends."""
    gc.disable()  # a pause would show in the latencies, and nothing here makes cycles
    server = _Server(Path(sys.argv[1]) / "server.pem")
    sys.stdout.write(json.dumps(server.ports) + "\n")
    sys.stdout.flush()
    server.serve()


if __name__ == "__main__":
    main()
