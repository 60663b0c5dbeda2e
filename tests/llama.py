"""llama.cpp's server for tests: the transport's own launcher, without trio around it."""

import importlib.util
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tokenwire_trio import llama_server


@contextmanager
def running_llama(gguf: Path, *options: str) -> Generator[str, None, None]:
    """Run llama.cpp's server with a model for as long as the block lasts.

    Args:
        gguf: The model's file.
        *options: Options of `tokenwire_trio.llama_server`.

    Yields:
        The server's address, `http://127.0.0.1:PORT`.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("needs xllamacpp, which the extra `local` installs")
    # pytest captures what the server says on standard error, and shows it where a test fails.
    with subprocess.Popen(
        llama_server.command(gguf, *options), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().decode().strip()
            assert address, "llama.cpp's server did not start"
            yield address
        finally:
            process.kill()
