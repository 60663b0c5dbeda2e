"""What to ask: the prompt from the command line or standard input, and what stands before it."""

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar, cast

import click

from tokenwire.messages import Message
from tokenwire_trio.cli.os_refusal import told
from tokenwire_trio.cli.refusal import Refusal

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: In place of a prompt: read standard input.
_STDIN: Final = "-"

#: For `tokenwire chat` too.
system_option: Final = click.option(
    "--system", metavar="TEXT", help="Instructions above the conversation."
)
messages_option: Final = click.option(
    "--messages",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help='JSON list of {"role": …, "content": …} that stands before what is asked. The content is a'
    ' string, or a list of parts: {"type": "text", "text": …}, {"type": "image", "file": …}'
    " (or url), reasoning, tool_call and tool_result with the fields of tokenwire.messages.",
)

_PARAMETERS: Final = (
    # Several are taken, too, for the mistake that they are.
    click.argument("prompt", nargs=-1, metavar="[PROMPT]"),
    system_option,
    messages_option,
)


def conversation_options(
    command: Callable[Concatenate[list[Message], _P], _R],
) -> Callable[_P, _R]:
    """Add PROMPT and its options to a command, which gets the messages as its first argument."""

    @wraps(command)
    def with_messages(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        messages = _conversation(
            prompt=_only(cast("tuple[str, ...]", kwargs.pop("prompt"))),
            system=cast("str | None", kwargs.pop("system")),
            file=cast("Path | None", kwargs.pop("messages")),
        )
        return command(messages, *args, **kwargs)

    for parameter in reversed(_PARAMETERS):
        with_messages = parameter(with_messages)
    return with_messages


def _only(prompts: tuple[str, ...]) -> str | None:
    if len(prompts) > 1:
        raise click.UsageError("PROMPT is one argument: quote the prompt, as in 'Why is it so?'")
    return prompts[0] if prompts else None


def _conversation(*, prompt: str | None, system: str | None, file: Path | None) -> list[Message]:
    messages = messages_before(system=system, file=file)
    if prompt is None and file is None:
        prompt = _STDIN
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("Missing argument 'PROMPT'; '-' reads it from the terminal.")
    if prompt == _STDIN:
        messages.append(Message.user(_read_stdin()))
    elif prompt is not None:
        messages.append(Message.user(encodable(prompt, "PROMPT")))
    return messages


def messages_before(*, system: str | None, file: Path | None) -> list[Message]:
    """Return what stands before the prompt: what `system_option` and `messages_option` gave."""
    messages = [Message.system(encodable(system, "--system"))] if system is not None else []
    if file is not None:
        messages += _read_messages(file)
    return messages


def _read_messages(file: Path) -> Sequence[Message]:
    from tokenwire_trio.messages_file import read_messages

    try:
        return read_messages(file)
    except OSError as error:
        complaint = told(error)
    except ValueError as error:
        complaint = str(error)
    raise Refusal(f"--messages: {file}: {complaint}")


def _read_stdin() -> str:
    """Read all of standard input as UTF-8, whatever the locale, but for a last line's end."""
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("standard input is no UTF-8 text") from None
    return encodable(text.removesuffix("\n").removesuffix("\r"), "standard input")


def encodable(text: str, source: str) -> str:
    """Refuse what no request can carry: nothing, and bytes of the command line that are no text."""
    if not text:
        raise Refusal(f"{source} is empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refusal(f"{source} is no UTF-8 text") from None
    return text
