"""`tokenwire chat` with a person: a real terminal, keys, Ctrl-C, and a window that changes."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import pytest
import trio

from tests.gguf import ANSWER, THOUGHT
from tests.patience import HANGS_S
from tests.trio_backend.cli_process import COMMAND, child_environment
from tests.trio_backend.servers import (
    DONE_EVENT,
    FINISH_EVENT,
    LAST_CHUNK,
    STREAM_HEAD,
    ServerSide,
    answer,
    chunk,
    replies,
    socket_server,
    text_event,
)

_THINK = 'chat_template_kwargs={"think": true}'
#: Makes the terminal named first the controlling one, which sends the signals of its keys.
_ON_TERMINAL = 'exec "$@" <>"$0" >&0 2>&0'


class Terminal:
    """A terminal, and what a person does at it.

    Attributes:
        output: All that it got so far.
    """

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        self._descriptor = descriptor
        self._process = process
        self.output = ""
        # What is read at a time may end within a character.
        self._decode = codecs.getincrementaldecoder("utf-8")().decode

    def type(self, keys: str) -> None:
        """Type; from now on `wait_for` looks at what follows."""
        self.output = ""
        os.write(self._descriptor, keys.encode())

    def wait_for(self, pattern: str) -> str:
        """Wait until something is seen; return all since the last keys, without styles."""
        deadline = time.monotonic() + HANGS_S
        while True:
            shown = re.sub("\x1b\\[[0-9;?]*[mhl]", "", self.output).replace("\r\n", "\n")
            if re.search(pattern, shown):
                return shown
            left = deadline - time.monotonic()
            assert left > 0, f"waited for {pattern!r}, got {self.output!r}"
            if select.select([self._descriptor], [], [], left)[0]:
                self.output += self._decode(os.read(self._descriptor, 65536))

    def interrupt_line(self) -> None:
        """Press Ctrl-C in a line that is half typed, until it is noticed.

        Python's readline misses the key between two characters, which no person can aim at.
        """
        self.type("half a line")
        self.wait_for("half a line$")
        self.type("\x03")
        # A busy machine has its time to notice the first: a second one would be another Ctrl-C.
        while not select.select([self._descriptor], [], [], 10)[0]:
            os.write(self._descriptor, b"\x03")

    def resize(self, columns: int) -> None:
        """Change the width of the window."""
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, size)

    @property
    def echoes(self) -> bool:
        """Whether it shows at once what is typed."""
        flags = termios.tcgetattr(self._descriptor)[3]
        assert isinstance(flags, int)
        return bool(flags & termios.ECHO)

    def exit_code(self) -> int:
        """Wait for the end of the program."""
        return self._process.wait(HANGS_S)


@contextmanager
def chat_on_terminal(
    *options: str, columns: int = 80, variables: Mapping[str, str] = MappingProxyType({})
) -> Generator[Terminal, None, None]:
    """Run the command on a terminal of its own."""
    ours, theirs = pty.openpty()
    command = ["sh", "-c", _ON_TERMINAL, os.ttyname(theirs), *COMMAND, "chat", *options]
    environment = child_environment(**variables)
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    terminal = Terminal(ours, process)
    terminal.resize(columns)
    try:
        yield terminal
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_a_conversation_at_a_terminal(llama_url: str) -> None:
    """Formatted answers, reasoning in one line, timings below, and Ctrl-D leaves."""
    with chat_on_terminal("--base-url", llama_url, "--extra", _THINK, columns=40) as terminal:
        assert "/help lists\n  commands" in terminal.wait_for("> $")
        terminal.type("Hi\r")
        shown = terminal.wait_for(r"(?s)first token.*> $")
        assert "thought for 0 s, 7 words" in shown
        assert THOUGHT not in shown
        assert ANSWER in shown.replace("\n", " ")
        assert max(map(len, shown.split("\n"))) <= 40  # nothing is torn at the edge
        terminal.type("/help\r")
        shown = terminal.wait_for(r"(?s)stops an answer.*> $").replace("\r", "")
        assert "ask another model from now\n  on\n" in shown
        assert max(map(len, shown.split("\n"))) <= 40
        terminal.type("/reasoning\r")
        assert THOUGHT in " ".join(terminal.wait_for("(?s)/reasoning.*> $").split())
        terminal.type("\x04")
        assert terminal.exit_code() == 0


async def test_ctrl_c_stops_the_answer_and_not_the_chat() -> None:
    """What came of it stays in the conversation."""
    requests: list[bytes] = []

    async def handler(peer: ServerSide) -> None:
        requests.append(await peer.read_request())
        if len(requests) == 1:
            await peer.send(STREAM_HEAD + chunk(text_event("Once upon")))
        else:
            await peer.send(answer("Again"))
        await peer.wait_until_client_leaves()

    def person(base_url: str) -> None:
        with chat_on_terminal("--base-url", base_url) as terminal:
            terminal.wait_for("> $")
            terminal.type("Tell\r")
            terminal.wait_for("Once upon")
            terminal.type("\x03")
            terminal.wait_for(r"(?s)^(?!.*Traceback).*stopped: first token.*> $")
            terminal.type("go on\r")
            terminal.wait_for(r"(?s)Again.*> $")
            terminal.interrupt_line()
            terminal.wait_for(r"Ctrl-C again.*\n> $")
            terminal.interrupt_line()
            assert terminal.exit_code() == 0

    async with socket_server(handler) as base_url:
        await trio.to_thread.run_sync(person, base_url)
    assert b'{"role":"assistant","content":"Once upon"}' in requests[1]
    assert b'"go on"' in requests[1]


async def test_what_is_typed_during_an_answer_is_the_next_line() -> None:
    """It appears at the next prompt, and not in the middle of the answer."""
    requests: list[bytes] = []
    typed = trio.Event()

    async def handler(peer: ServerSide) -> None:
        while await peer.receive_request():
            requests.append(peer.request)
            await peer.send(STREAM_HEAD + chunk(text_event("Once")))
            await typed.wait()
            await peer.send(chunk(FINISH_EVENT + DONE_EVENT) + LAST_CHUNK)

    def person(base_url: str) -> None:
        with chat_on_terminal("--base-url", base_url) as terminal:
            terminal.wait_for("> $")
            terminal.type("Tell\r")
            terminal.wait_for("Once")
            assert not terminal.echoes
            terminal.type("And then?")
            trio.from_thread.run_sync(typed.set)
            shown = terminal.wait_for(r"> And then\?$")
            assert shown.count("And then?") == 1
            terminal.type("\r")
            terminal.wait_for(r"(?s)Once.*> $")

    async with socket_server(handler) as base_url:
        await trio.to_thread.run_sync(person, base_url)
    assert b"And then?" in requests[1]


async def test_ctrl_c_before_the_first_word_withdraws_the_question() -> None:
    """Two questions in a row are refused by many models; `/retry` asks it again."""
    requests: list[bytes] = []

    async def handler(peer: ServerSide) -> None:
        requests.append(await peer.read_request())
        if len(requests) > 1:
            await peer.send(answer("Yes"))
        await peer.wait_until_client_leaves()

    def person(base_url: str) -> None:
        with chat_on_terminal("--base-url", base_url) as terminal:
            terminal.wait_for("> $")
            terminal.type("first\r")
            terminal.wait_for("waiting: 1 s")
            terminal.type("\x03")
            terminal.wait_for(r"(?s)stopped\n.*> $")
            terminal.type("second\r")
            terminal.wait_for(r"(?s)Yes.*> $")
            terminal.type("/quit\r")
            assert terminal.exit_code() == 0

    async with socket_server(handler) as base_url:
        await trio.to_thread.run_sync(person, base_url)
    assert b"first" not in requests[1]


def test_a_window_may_change_its_width(llama_url: str) -> None:
    """The next answer is as wide as the window is by then, and the line that is edited stays."""
    with chat_on_terminal("--base-url", llama_url, "--no-timings", columns=100) as terminal:
        terminal.wait_for("> $")
        terminal.type("Hi")
        terminal.wait_for("Hi")
        terminal.resize(30)
        terminal.type(" there\r")
        shown = terminal.wait_for(r"(?s)the end\..*> $")
        text = shown[shown.index("Hello") :]
        assert max(map(len, text.split("\n"))) <= 30
        terminal.type("/retry\r")
        assert "Hello there!" in terminal.wait_for(r"(?s)the end\..*> $")


def test_lines_that_are_pasted_are_one_question(llama_url: str) -> None:
    """A terminal marks them, and the chat asks for those marks."""
    with chat_on_terminal("--base-url", llama_url) as terminal:
        terminal.wait_for("> $")
        terminal.type("\x1b[200~one\ntwo\x1b[201~")
        terminal.wait_for("two")
        terminal.type("\r")
        terminal.wait_for(r"(?s)first token.*> $")
        assert terminal.output.count("first token") == 1


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_plain_terminal_gets_plain_text(llama_url: str, variables: dict[str, str]) -> None:
    """No escape sequences but those with which the line is edited."""
    with chat_on_terminal("--base-url", llama_url, variables=variables) as terminal:
        terminal.wait_for("> $")
        terminal.type("Hi\r")
        terminal.wait_for(r"(?s)first token.*> $")
        assert "\x1b" not in re.sub("\x1b\\[\\?2004[hl]", "", terminal.output)
        assert ANSWER in terminal.output


async def test_a_model_cannot_command_the_terminal() -> None:
    """Its control characters are shown, also where Markdown spells them."""
    handler = replies(answer("a\x1b]0;title\x07b ", "&#27;[2J `\x9b2J`\n\n```\n\x1b[5m\n```"))

    def person(base_url: str) -> None:
        with chat_on_terminal("--base-url", base_url) as terminal:
            terminal.wait_for("> $")
            terminal.type("Hi\r")
            shown = terminal.wait_for(r"(?s)first token.*> $")
            assert "a␛]0;title␇b �[2J �2J" in shown
            assert "␛[5m" in shown
            assert not re.search("\x1b(?!\\[[0-9;?]*[mhlAK])", terminal.output)
            assert "\x1b[5m" not in terminal.output

    async with socket_server(handler) as base_url:
        await trio.to_thread.run_sync(person, base_url)


async def test_a_failure_is_told_with_its_remedy() -> None:
    """As `ask` tells it, and the next line can be typed."""
    refused = b"HTTP/1.1 401 No\r\ncontent-length: 2\r\n\r\n{}"

    def person(base_url: str) -> None:
        with chat_on_terminal("--base-url", base_url) as terminal:
            terminal.wait_for("> $")
            terminal.type("Hi\r")
            shown = terminal.wait_for(r"(?s)Error: .*> $")
            assert "--key-env" in shown
            terminal.type("\x04")
            assert terminal.exit_code() == 0

    async with socket_server(replies(refused)) as base_url:
        await trio.to_thread.run_sync(person, base_url)
