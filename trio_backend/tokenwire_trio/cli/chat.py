"""`tokenwire chat`: a conversation, in a terminal or through pipes."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenwire_trio.cli.answer_text import AnswerText
from tokenwire_trio.cli.conversation import messages_before, messages_option, system_option
from tokenwire_trio.cli.ending import ends_with_exit_code
from tokenwire_trio.cli.exit_codes import EXPLANATION, ExitCode
from tokenwire_trio.cli.outlet import Outlet, standard_outlets
from tokenwire_trio.cli.provider_options import ProviderOptions, local_option, provider_options
from tokenwire_trio.cli.provider_section import Target

if TYPE_CHECKING:
    from tokenwire_trio.cli.asking import Presentation
    from tokenwire_trio.cli.chat_commands import ChatState


@click.command(epilog=EXPLANATION)
@ends_with_exit_code
@provider_options
@local_option
@click.option(
    "--timings/--no-timings",
    default=None,
    help="Tell how long each answer took.  [default: on a terminal, and with --local]",
)
@system_option
@messages_option
def chat(
    options: ProviderOptions,
    *,
    local: bool,
    timings: bool | None,
    system: str | None,
    messages: Path | None,
) -> ExitCode:
    """Hold a conversation, a line and an answer at a time.

    On a terminal answers are formatted as they come, reasoning is one line, Ctrl-C stops an answer,
    and /help lists what else there is. Elsewhere each line of standard input is a question, and
    standard output gets the answers alone, as plain text; the exit code is then that of the last
    failure.
    """
    # Only now, as in `ask`.
    from tokenwire_trio.cli.chat_commands import ChatState
    from tokenwire_trio.cli.chat_dialogue import Dialogue
    from tokenwire_trio.cli.chat_lines import PipedLines, TerminalLines, keyboard_unheard
    from tokenwire_trio.cli.chat_session import Chat, open_asked
    from tokenwire_trio.cli.chat_thread import ResourceThread
    from tokenwire_trio.cli.whom_to_ask import whom_to_ask

    stdout, stderr = standard_outlets(verbatim=False)
    person = sys.stdin is not None and sys.stdin.isatty()
    state = ChatState(
        dialogue=Dialogue.of(messages_before(system=system, file=messages)),
        model=options.model,
        own_files=set() if messages is None else {messages.absolute()},
    )
    whom = whom_to_ask(options, stderr, local=local)
    with ResourceThread(partial(open_asked, whom)) as asked:
        _, target = asked.resource
        state.model = target.section.defaults.model
        if person:
            _greet(target, state, stderr)
        result = Chat(
            asked=asked,
            state=state,
            lines=TerminalLines(stdout, stderr) if person else PipedLines(),
            present=_presenting(stdout, stderr),
            answering=keyboard_unheard if person else nullcontext,
            stderr=stderr,
            timings=timings if timings is not None else local or stderr.terminal,
            person=person,
        ).run()
    return ExitCode.COMPLETE if person else result


def _greet(target: Target, state: "ChatState", stderr: Outlet) -> None:
    model = target.section.defaults.model or "the server's model"
    base_url = target.section.endpoint.base_url
    stderr.notice(f"{model} at {base_url}, /help lists commands", dim=True)
    if state.dialogue.waits_for_answer:
        stderr.notice("the last question has no answer: /retry asks it", dim=True)


def _presenting(stdout: Outlet, stderr: Outlet) -> Callable[[], "Presentation"]:
    """Return what makes the presentation of an answer."""
    if not stdout.styled:
        return partial(AnswerText, stdout, stderr)
    # Not for those who see plain text.
    from rich.console import Console

    from tokenwire_trio.cli.chat_markdown import MarkdownAnswer

    return partial(MarkdownAnswer, Console(highlight=False))
