"""`tokenwire ask`: a prompt in, the answer out, token by token."""

from functools import partial
from pathlib import Path

import click

from tokenwire.messages import Message
from tokenwire_trio.cli.answer_text import AnswerText
from tokenwire_trio.cli.conversation import conversation_options
from tokenwire_trio.cli.ending import ends_with_exit_code
from tokenwire_trio.cli.exit_codes import EXPLANATION, ExitCode
from tokenwire_trio.cli.outlet import standard_outlets
from tokenwire_trio.cli.provider_options import ProviderOptions, local_option, provider_options
from tokenwire_trio.json_lines import JSONLines


@click.command(epilog=EXPLANATION)
@ends_with_exit_code
@conversation_options
@provider_options
@local_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each token.")
@click.option(
    "--timings/--no-timings",
    default=None,
    help="End with a line of timings.  [default: on a terminal, and with --local]",
)
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Add all that is sent and received to FILE, without the key: for a report of a bug.",
)
def ask(
    options: ProviderOptions,
    messages: list[Message],
    *,
    local: bool,
    as_json: bool,
    timings: bool | None,
    record: Path | None,
) -> ExitCode:
    """Ask PROMPT and print the answer as it comes.

    Without PROMPT, or with '-', the prompt is read from standard input.

    The text of the answer goes to standard output and everything else to standard error: errors,
    timings, tool calls and refusals. The model's reasoning appears dimmed before the text on a
    terminal; where standard output is none, it goes to standard error as well, so that
    'tokenwire ask … > FILE' stores the answer alone.
    """
    # Only now: trio takes longer to import than all the rest, and --help needs none of it.
    import trio

    from tokenwire_trio.cli import asking
    from tokenwire_trio.cli.whom_to_ask import whom_to_ask

    stdout, stderr = standard_outlets()
    show_timings = timings if timings is not None else local or stderr.terminal
    presentation = JSONLines() if as_json else AnswerText(stdout, stderr)
    whom = whom_to_ask(options, stderr, local=local)
    return trio.run(
        partial(
            asking.ask, whom, messages, presentation, stderr, timings=show_timings, record=record
        )
    )
