"""What `tokenwire chat` does at a line that begins with a slash."""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Final, TypeAlias, final

import attrs

from tokenwire import _validation as check
from tokenwire.completion import Completion
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio.cli.chat_dialogue import Dialogue
from tokenwire_trio.cli.conversation import encodable
from tokenwire_trio.messages_file import write_messages

#: In place of a text: none.
_NONE: Final = "-"


@final
@attrs.define(kw_only=True)
class ChatState:
    """What commands look at and change.

    Attributes:
        dialogue: What was said.
        model: The model that is asked where `config` names none.
        config: Settings that were changed since the chat began.
        last: The last answer, as far as it came.
        own_files: What the chat was read from or saved to, and may save to again.
    """

    dialogue: Dialogue
    model: str | None
    config: ProviderConfig = attrs.field(factory=ProviderConfig)
    last: Completion = attrs.field(factory=Completion)
    own_files: set[Path] = attrs.field(factory=set[Path])


class Next(Enum):
    """What follows a command, besides another line."""

    ASK = auto()
    LEAVE = auto()


#: A command gets the state and the rest of its line. It returns what to tell, or what follows, and
#: raises `ValueError` or `OSError` where it can't do what it is told.
_Do: TypeAlias = Callable[[ChatState, str], str | Next]


def obey(line: str, state: ChatState) -> str | Next:
    """Do what a line says that begins with a slash.

    Returns:
        What to tell the person, or what follows.

    Raises:
        ValueError: If there is no such command, or it can't do that; the message says what can.
        OSError: If a file can't be written.
    """
    name, _, argument = line.partition(" ")
    command = _COMMANDS.get(name)
    if command is None:
        hint = check.nearest(name, _COMMANDS)
        raise ValueError(f"there is no command {name[:40]}{hint}; /help lists them")
    return command.do(state, argument.strip())


def _model(state: ChatState, name: str) -> str:
    if name:
        state.config = attrs.evolve(state.config, model=name)
    return f"model: {state.config.model or state.model or 'the server chooses'}"


def _system(state: ChatState, text: str) -> str:
    if text:
        system = [] if text == _NONE else [Message.system(encodable(text, "/system"))]
        state.dialogue.system = tuple(system)
    told = "\n".join(message.text for message in state.dialogue.system)
    return f"system: {told or 'none'}"


def _save(state: ChatState, name: str) -> str:
    if not name:
        raise ValueError("/save needs the name of a file")
    file = Path(name).expanduser().absolute()
    if file.exists() and file not in state.own_files:
        raise ValueError(f"{file} exists, and is not of this chat: choose another name")
    messages = state.dialogue.messages
    write_messages(file, messages)
    state.own_files.add(file)
    return f"saved {len(messages)} messages to {file}"


def _retry(state: ChatState, _: str) -> Next:
    state.dialogue.retry()
    return Next.ASK


def _reasoning(state: ChatState, _: str) -> str:
    return state.last.reasoning.strip() or "the last answer came without reasoning"


def _new(state: ChatState, _: str) -> str:
    state.dialogue.begin_anew()
    return "a new conversation"


def _help(state: ChatState, _: str) -> str:
    width = max(len(command.usage) for command in _COMMANDS.values())
    lines = [f"{command.usage:{width}}  {command.help}" for command in _COMMANDS.values()]
    return "\n".join([*lines, _HELP_ON_LINES])


def _quit(_state: ChatState, _: str) -> Next:
    return Next.LEAVE


@final
@attrs.frozen
class _Command:
    usage: str
    help: str
    do: _Do


_HELP_ON_LINES: Final = (
    "A line that ends in \\ goes on in the next.\n// begins what is no command.\n"
    "Ctrl-C stops an answer."
)

_COMMANDS: Final[Mapping[str, _Command]] = {
    command.usage.partition(" ")[0]: command
    for command in (
        _Command("/model NAME", "ask another model from now on", _model),
        _Command("/system TEXT", "change the instructions, - for none", _system),
        _Command("/retry", "ask the last question again", _retry),
        _Command("/reasoning", "show what the model thought", _reasoning),
        _Command("/save FILE", "write it all as JSON, for --messages", _save),
        _Command("/new", "forget all but the instructions", _new),
        _Command("/help", "show this", _help),
        _Command("/quit", "leave, as Ctrl-D does", _quit),
    )
}
