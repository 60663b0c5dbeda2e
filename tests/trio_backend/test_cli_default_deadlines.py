"""The deadlines of commands that were given none."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio
from click.testing import Result

from tests.patience import HANGS_S, longer_and_longer
from tests.trio_backend.cli_process import invoke
from tests.trio_backend.servers import ServerSide, socket_server
from tokenwire.endpoint import Deadlines
from tokenwire_trio.cli import default_deadlines
from tokenwire_trio.cli.default_deadlines import with_end


async def _says_nothing(peer: ServerSide) -> None:
    """Wait for the end of a client that speaks TLS, as a server without it may."""
    async for _ in peer.stream:
        pass


@pytest.mark.parametrize("command", ["ask", "chat", "batch"])
async def test_a_server_that_speaks_no_tls_ends_the_command(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for a request, and the command for its side of the handshake; the cause is said."""
    questions = tmp_path / "in.jsonl"
    questions.write_text('{"prompt": "Hi"}\n')
    arguments = {
        "ask": ("Hi",),
        "chat": (),
        "batch": (str(questions), str(tmp_path / "out.jsonl"), "--attempts", "1"),
    }
    async with socket_server(_says_nothing) as url:
        options = (*arguments[command], "--base-url", url.replace("http://", "https://"))
        run = partial(invoke, command, *options, stdin=b"Hi\n")

        async def run_within(connect_s: float) -> Result:
            monkeypatch.setattr(default_deadlines, "_CONNECT_S", connect_s)
            with trio.fail_after(HANGS_S):
                return await trio.to_thread.run_sync(run, abandon_on_cancel=True)

        result = await longer_and_longer(run_within, struck=lambda result: "TLS" in result.stderr)
    assert result.exit_code == 10
    told = " ".join(result.stderr.split())
    assert "the connect deadline ran out while agreeing on TLS" in told
    assert "should base_url begin with http://?" in told


def test_what_a_configuration_sets_stays() -> None:
    """The rest is completed."""
    own = Deadlines(connect=60.0, send=61.0, first_token=62.0, gap=63.0, pool=64.0)
    assert with_end(own) == own
    assert with_end(Deadlines(gap=1.0)) == Deadlines(
        connect=10.0, send=600.0, first_token=600.0, gap=1.0
    )


def test_a_deadline_of_the_whole_call_bounds_its_silence() -> None:
    """Who allows an hour may wait that long for the first token, but not to connect."""
    assert with_end(Deadlines(total=3600.0)) == Deadlines(total=3600.0, connect=10.0)


def test_a_head_that_may_take_longer_takes_the_first_token_along() -> None:
    """It comes before any token."""
    assert with_end(Deadlines(first_byte=900.0)).first_token == 900.0
