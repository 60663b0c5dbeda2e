"""`tokenwire chat` without a terminal: lines in, answers out; and what its commands do."""

import io
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import pytest
import trio

from tests.gguf import ANSWER
from tests.trio_backend.cli_process import invoke, run_process
from tests.trio_backend.servers import (
    Handler,
    ServerSide,
    answer,
    answers_each,
    refusal,
    socket_server,
)
from tokenwire.messages import Image, Message, Reasoning, Text, ToolCall, ToolResult
from tokenwire_trio.cli.answer_text import AnswerText
from tokenwire_trio.cli.chat_commands import ChatState
from tokenwire_trio.cli.chat_dialogue import Dialogue
from tokenwire_trio.cli.chat_lines import PipedLines
from tokenwire_trio.cli.chat_session import Asked, Chat
from tokenwire_trio.cli.chat_thread import ResourceThread
from tokenwire_trio.cli.outlet import Outlet
from tokenwire_trio.messages_file import read_messages, write_messages


def _bodies_to(requests: list[bytes], *responses: bytes) -> Handler:
    """Make a handler that answers one request after the other, and keeps what was asked."""
    left = iter(responses)

    async def handler(peer: ServerSide) -> None:
        while await peer.receive_request():
            requests.append(peer.request.partition(b"\r\n\r\n")[2])
            await peer.send(next(left))

    return handler


def _conversations(requests: list[bytes]) -> list[list[tuple[str, str]]]:
    return [
        [(message["role"], message["content"]) for message in json.loads(body)["messages"]]
        for body in requests
    ]


async def _chat(
    handler: Handler, *lines: str, options: tuple[str, ...] = ()
) -> tuple[int, str, str]:
    """Hold a conversation with a server; return the exit code, the answers and the rest."""
    stdin = "".join(f"{line}\n" for line in lines).encode()
    async with socket_server(handler) as base_url:
        arguments = ("chat", "--base-url", base_url, *options)
        result = await trio.to_thread.run_sync(lambda: invoke(*arguments, stdin=stdin))
    return result.exit_code, result.stdout, result.stderr


async def test_each_line_is_a_question_and_the_next_one_knows_the_answer() -> None:
    """All that was said goes along, in one connection, and each answer ends its line."""
    requests: list[bytes] = []
    handler = _bodies_to(requests, answer("On", "e"), answer("Two\n"))
    code, stdout, stderr = await _chat(handler, "first", "", "second", options=("--system", "Be"))
    assert (code, stdout, stderr) == (0, "One\nTwo\n", "")
    assert _conversations(requests) == [
        [("system", "Be"), ("user", "first")],
        [("system", "Be"), ("user", "first"), ("assistant", "One"), ("user", "second")],
    ]


async def test_a_failure_is_told_and_the_chat_goes_on() -> None:
    """What got no answer is forgotten, and the exit code remembers the failure."""
    requests: list[bytes] = []
    handler = _bodies_to(requests, refusal(500), answer("Two"))
    code, stdout, stderr = await _chat(handler, "first", "second")
    assert (code, stdout) == (14, "Two\n")
    assert stderr.startswith("Error: ")
    assert stderr.count("\n") == 1
    assert _conversations(requests)[1] == [("user", "second")]


async def test_a_question_is_asked_again() -> None:
    """Its answer, or its failure, makes room for another one."""
    requests: list[bytes] = []
    handler = _bodies_to(requests, refusal(500), answer("One"), answer("Uno"), answer("Two"))
    lines = ("first", "/retry", "/retry", "second")
    _, stdout, _ = await _chat(handler, *lines)
    assert stdout == "One\nUno\nTwo\n"
    first, second, third, last = _conversations(requests)
    assert first == second == third == [("user", "first")]
    assert last == [("user", "first"), ("assistant", "Uno"), ("user", "second")]


async def test_model_and_instructions_can_be_changed() -> None:
    """From the next question on; without a text a command tells what it is."""
    requests: list[bytes] = []
    handler = _bodies_to(requests, answer("One"), answer("Two"))
    lines = ("/model", "first", "/model big", "/system Be kind", "second", "/system -", "/system")
    code, _, stderr = await _chat(handler, *lines, options=("--model", "small"))
    assert code == 0
    assert [json.loads(body)["model"] for body in requests] == ["small", "big"]
    assert _conversations(requests)[1][0] == ("system", "Be kind")
    told = ["model: small", "model: big", "system: Be kind", "system: none", "system: none"]
    assert stderr.splitlines() == told


async def test_a_new_conversation_keeps_the_instructions() -> None:
    """Nothing else that was said goes along."""
    requests: list[bytes] = []
    handler = _bodies_to(requests, answer("One"), answer("Two"))
    await _chat(handler, "first", "/new", "second", options=("--system", "Be"))
    assert _conversations(requests)[1] == [("system", "Be"), ("user", "second")]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/hlep", "there is no command /hlep (did you mean '/help'?); /help lists them"),
        ("/", "/help lists them"),
        ("/retry", "nothing was asked yet"),
        ("/save", "/save needs the name of a file"),
        ("/save /no/such/folder/file", "No such file or directory"),
    ],
)
def test_a_command_that_fails_says_why(line: str, told: str) -> None:
    """And is no question to the model."""
    result = invoke("chat", "--base-url", "http://localhost:1/v1", stdin=f"{line}\n".encode())
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert result.stderr.startswith("Error: ")


def test_help_lists_every_command_and_quit_leaves() -> None:
    """What comes after it is not read."""
    lines = b"/help\n/reasoning\n/quit\nHi\n"
    result = invoke("chat", "--base-url", "http://localhost:1/v1", stdin=lines)
    assert (result.exit_code, result.stdout) == (0, "")
    for command in ("/model", "/system", "/retry", "/reasoning", "/save", "/new", "/quit"):
        assert command in result.stderr
    assert "without reasoning" in result.stderr


async def test_lines_can_be_joined_and_begin_with_a_slash() -> None:
    """A text of several lines is one question; so is one that looks like a command."""
    requests: list[bytes] = []
    handler = _bodies_to(requests, answer("One"), answer("Two"), answer("Three"))
    await _chat(handler, "one\\", "two\\", "three", "//etc", "end\\")
    assert [talk[-1] for talk in _conversations(requests)] == [
        ("user", "one\ntwo\nthree"),
        ("user", "/etc"),
        ("user", "end"),
    ]


async def test_what_is_saved_is_taken_up_again(tmp_path: Path) -> None:
    """By `ask` as well, and it may be saved to the same file once more."""
    file = tmp_path / "talk.json"
    requests: list[bytes] = []
    handler = _bodies_to(requests, answer("One"))
    await _chat(handler, "first", f"/save {file}", options=("--system", "Be"))
    system, first, one = read_messages(file)
    assert (system, first, one) == (
        Message.system("Be"),
        Message.user("first"),
        Message.assistant("One"),
    )
    handler = _bodies_to(requests, answer("Two"))
    lines = ("second", f"/save {file}", f"/save {tmp_path / 'other.json'}")
    code, _, _ = await _chat(handler, *lines, options=("--messages", str(file)))
    assert code == 0
    assert _conversations(requests)[1][:3] == [
        ("system", "Be"),
        ("user", "first"),
        ("assistant", "One"),
    ]
    assert len(read_messages(file)) == len(read_messages(tmp_path / "other.json")) == 5


def test_every_part_of_a_message_survives_saving(tmp_path: Path) -> None:
    """Pictures become part of the file."""
    messages = [
        Message.user("a", Image(data=b"\x89PNG", media_type="image/png", detail="low")),
        Message.user(Image(url="https://host.example/a.png")),
        Message.assistant(
            Reasoning("Hm", "sig"), ToolCall(id="c", name="f", arguments="{}", signature="s")
        ),
        Message.tool(ToolResult(call_id="c", name="f", text="no", is_error=True)),
        Message.assistant(Text("b"), Text("c")),
    ]
    write_messages(tmp_path / "talk.json", messages)
    assert read_messages(tmp_path / "talk.json") == messages


def test_a_file_of_others_is_not_overwritten(tmp_path: Path) -> None:
    """A slip of the keyboard costs nobody their work."""
    file = tmp_path / "thesis.json"
    file.write_text("mine")
    lines = f"/save {file}\n".encode()
    result = invoke("chat", "--base-url", "http://localhost:1/v1", stdin=lines)
    assert "exists" in result.stderr
    assert file.read_text() == "mine"


_CALL = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c1",'
    b' "function": {"name": "look_up", "arguments": "{}"}}]}}]}\n\n'
    b'data: {"choices": [{"index": 0, "finish_reason": "tool_calls"}]}\n\ndata: [DONE]\n\n'
)


async def test_the_line_after_a_tool_call_is_its_result(tmp_path: Path) -> None:
    """So tools can be tried before they are written; after a failure it is asked for again."""
    tool = tmp_path / "tool.json"
    tool.write_text('{"name": "look_up", "parameters": {"type": "object"}}')
    requests: list[bytes] = []
    handler = _bodies_to(requests, _CALL, refusal(500), answer("It is 7."))
    lines = ("What is it?", "6", "7")
    code, stdout, stderr = await _chat(handler, *lines, options=("--tool", str(tool)))
    assert (code, stdout) == (14, "It is 7.\n")
    assert "tool call: look_up {}" in stderr
    result = json.loads(requests[2])["messages"][-1]
    assert (result["role"], result["content"], result["tool_call_id"]) == ("tool", "7", "c1")


@pytest.mark.parametrize(
    ("lines", "code"), [(b"\xff\n", 2), (b"Hi\n\xff\n", 2)], ids=["first", "second"]
)
async def test_a_line_that_is_no_text_is_refused(lines: bytes, code: int) -> None:
    """What encoding it has is not guessed."""
    async with socket_server(answers_each(iter((answer("One"),)))) as base_url:
        arguments = ("chat", "--base-url", base_url)
        result = await trio.to_thread.run_sync(lambda: invoke(*arguments, stdin=lines))
    assert result.exit_code == code
    assert "no UTF-8 text" in result.stderr


def test_without_standard_input_there_is_nothing_to_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A caller may have closed it."""
    monkeypatch.setattr(sys, "stdin", None)
    assert PipedLines().read("> ") is None


def test_pipes_get_plain_text(llama_url: str) -> None:
    """No escape codes, and the timings where they are asked for."""
    process = run_process(
        *("chat", "--base-url", llama_url, "--timings"), stdin="Hi\n¿Qué?\n".encode()
    )
    assert process.returncode == 0
    assert process.stdout.decode() == f"{ANSWER}\n{ANSWER}\n"
    lines = process.stderr.decode().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("first token ") for line in lines)


async def test_an_empty_answer_is_told() -> None:
    """It can't be a part of the conversation."""
    code, stdout, stderr = await _chat(answers_each(iter((answer(),))), "Hi")
    assert (code, stdout, stderr) == (0, "", "the answer is empty\n")


def test_a_local_model_is_a_provider_of_its_own() -> None:
    """Naming another one as well is a mistake."""
    result = invoke("chat", "--local", "--base-url", "http://localhost:1/v1")
    assert result.exit_code == 2
    assert "leave out the other one" in result.stderr


def test_a_local_model_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install, and without a traceback from another thread."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    result = invoke("chat", "--local")
    assert result.exit_code == 2
    assert "pip install" in result.stderr


def test_results_belong_to_the_calls_of_the_last_answer() -> None:
    """In their order, with the names that some APIs want."""
    calls = (ToolCall(id="a", name="one"), ToolCall(id="b", name="two"))
    dialogue = Dialogue.of([Message.user("Hi"), Message.assistant(*calls)])
    assert dialogue.open_calls == calls
    dialogue.give_results(["1", "2"])
    assert dialogue.messages[-1] == Message.tool(
        ToolResult(call_id="a", name="one", text="1"), ToolResult(call_id="b", name="two", text="2")
    )
    dialogue.answer(Message.assistant("Three"))
    assert not dialogue.open_calls


def test_a_conversation_may_end_with_a_question() -> None:
    """It waits to be asked again, and a new question takes its place."""
    dialogue = Dialogue.of([Message.user("a"), Message.assistant("b"), Message.user("c")])
    assert dialogue.waits_for_answer
    dialogue.retry()
    assert len(dialogue.messages) == 3
    dialogue.ask(Message.user("d"))
    assert [message.text for message in dialogue.messages] == ["a", "b", "d"]


def test_a_conversation_may_have_no_question() -> None:
    """Such as one that begins with a greeting."""
    dialogue = Dialogue.of([Message.assistant("Hello!")])
    with pytest.raises(ValueError, match="nothing was asked"):
        dialogue.retry()
    dialogue.ask(Message.user("Hi"))
    assert [message.text for message in dialogue.messages] == ["Hello!", "Hi"]


class _Pressed:
    """A terminal at which Ctrl-C is pressed when an answer has just ended."""

    def __init__(self) -> None:
        self.resource = None
        self._lines = iter(("Hi", None))

    def read(self, prompt: str) -> str | None:
        """Say something once."""
        return next(self._lines)

    def run(self, work: object) -> object:
        """Be late."""
        raise KeyboardInterrupt


@pytest.mark.parametrize("person", [True, False])
def test_ctrl_c_that_comes_too_late_does_not_end_the_chat(*, person: bool) -> None:
    """Who wanted to stop an answer finds the conversation still there; a script ends."""
    pressed = _Pressed()
    chat = Chat(
        asked=cast("ResourceThread[Asked]", pressed),
        state=ChatState(dialogue=Dialogue(), model=None),
        lines=pressed,
        present=lambda: AnswerText(Outlet(io.StringIO()), Outlet(io.StringIO())),
        answering=nullcontext,
        stderr=Outlet(io.StringIO()),
        timings=False,
        person=person,
    )
    if person:
        assert chat.run() == 0
        return
    with pytest.raises(KeyboardInterrupt):
        chat.run()
