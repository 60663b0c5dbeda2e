"""llama.cpp's own HTTP server as a child process that can't outlive its parent.

The parent starts this file as a script (see `command`), holds the child's standard input open and
reads one line from its standard output: the address, once the server accepts connections. When
standard input ends, the child exits. The kernel closes that pipe however the parent ends, `kill -9`
included, and does so on every platform.

A process of its own, because the server holds the interpreter's lock while it loads a model and
ends only when every answer under way has ended; a file of its own that imports nothing of ours,
because the child then starts in half the time.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import xllamacpp


def command(gguf: Path, *options: str) -> list[str]:
    """Return the command line that starts the server.

    Args:
        gguf: The model's file.
        *options: Further options of this script, see `_parser`.

    Returns:
        Arguments for a child process whose standard input must be a pipe. `-P` keeps this package's
        folder off the child's import path, where our module names could shadow others.
    """
    return [sys.executable, "-P", __file__, "--model", str(gguf), *options]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="llama.cpp's server until standard input ends")
    parser.add_argument("--model", required=True, help="a GGUF file")
    parser.add_argument("--slots", type=int, default=4, help="answers at the same time")
    parser.add_argument("--context", type=int, default=4096, help="tokens for each answer")
    parser.add_argument("--api-key", action="append", default=[], help="a key to ask for")
    return parser


def _start(options: argparse.Namespace) -> "xllamacpp.Server":
    """Load the model and start the server's threads, which serve as long as the returned object."""
    import xllamacpp  # the parent, which imports this file, has no need of it

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {Path(options.model).stem}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # the kernel chooses a free one
    params.n_parallel = options.slots
    params.n_ctx = options.slots * options.context
    # Threads that share a layer wait for each other, which costs more than it gains as soon as one
    # core is busy elsewhere.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.api_keys = options.api_key
    params.verbosity = 1  # errors only: the parent shows them where the server can't start
    return xllamacpp.Server(params)


def _take_stdout() -> TextIO:
    """Keep standard output for the address: what llama.cpp prints goes to standard error."""
    stdout = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return stdout


def main() -> None:
    """Serve until standard input ends."""
    # Ctrl-C in a terminal reaches every process of the group; this one ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    options = _parser().parse_args()
    with _take_stdout() as stdout:
        server = _start(options)
        stdout.write(server.listening_address + "\n")
    sys.stdin.buffer.read()
    os._exit(0)  # answers under way must not hold the process back


if __name__ == "__main__":
    main()
