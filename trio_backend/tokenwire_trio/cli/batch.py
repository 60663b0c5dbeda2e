"""`tokenwire batch`: a file of questions in, a file of results out."""

from pathlib import Path

import click

from tokenwire_trio.cli.batch_options import BatchOptions, rate_option
from tokenwire_trio.cli.ending import ends_with_exit_code
from tokenwire_trio.cli.exit_codes import EXPLANATION, ExitCode
from tokenwire_trio.cli.outlet import standard_outlets
from tokenwire_trio.cli.provider_options import ProviderOptions, local_option, provider_options


@click.command(
    epilog=f"{EXPLANATION} Where lines failed, the code is that of most failures; 2 stands for"
    " lines that could not be asked at all."
)
@ends_with_exit_code
@provider_options
@click.argument(
    "questions",
    metavar="IN.jsonl",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
@click.argument("results", metavar="OUT.jsonl", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="Most answers to be under way at a time.",
)
@rate_option
@click.option(
    "--attempts",
    type=click.IntRange(min=1),
    default=6,
    show_default=True,
    metavar="N",
    help="Most attempts for a line. A request is tried again where it could not be sent, or was"
    " turned away because of load.",
)
@click.option(
    "--retry-sent",
    is_flag=True,
    help="Also try again after 500s, broken connections and deadlines, although the server may have"
    " worked on the request, and may bill it.",
)
@click.option(
    "--keep-failed",
    is_flag=True,
    help="Leave lines alone that failed in an earlier run. Without it they are asked again.",
)
@click.option(
    "--stop-after",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Stop when so many lines in a row failed; sooner where the key, the quota, the URL or the"
    " model is at fault.",
)
@local_option
@click.option("--quiet", is_flag=True, help="Show neither progress nor a summary.")
def batch(
    options: ProviderOptions,
    /,
    questions: Path,
    results: Path,
    *,
    local: bool,
    **batch_options: object,
) -> ExitCode:
    """Ask each line of IN.jsonl, and write each result to OUT.jsonl as it comes.

    A line is a JSON object: {"id": "q1", "prompt": "Hi"}. In place of a prompt it may have
    "messages", in the form of 'tokenwire ask --messages', and besides "system", which goes above
    either, and "settings" of its own, such as {"temperature": 0.5}. A line without an id is known
    by its number. IN may be '-', which is read to its end before anything is asked.

    Results carry the id of their line, and come in the order in which they are complete. A run may
    be interrupted in any way, and the same command goes on where it ended: what is answered in
    OUT.jsonl is not asked again. Ctrl-C waits 30 seconds for the answers under way, and when
    pressed again gives them up.
    """
    # Only now: trio takes longer to import than all the rest, and --help needs none of it.
    import trio

    from tokenwire_trio.cli import batch_run
    from tokenwire_trio.cli.whom_to_ask import whom_to_ask

    _, stderr = standard_outlets()
    settings = BatchOptions.of(batch_options)
    whom = whom_to_ask(options, stderr, local=local)
    with batch_run.opened(questions, results, keep_failed=settings.keep_failed) as job:
        return trio.run(batch_run.run, whom, job, settings, stderr)
