"""What a call may leave behind: nothing."""

from __future__ import annotations

import gc
import os
import socket
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import trio

from tests.patience import HANGS_S

_DESCRIPTORS = Path("/dev/fd")


def open_descriptors() -> int:
    """Count this process's open descriptors, without the one that counting takes."""
    return len(os.listdir(_DESCRIPTORS)) - 1  # noqa: PTH208  # one call, no objects


def connections_to(base_url: str) -> int:
    """Count this process's open sockets that are connected to a server's port."""
    return len(sockets_to(base_url))


async def news_from(base_url: str) -> None:
    """Wait until there is something to read on each connection to a server's port.

    What a task of this process has sent over a real socket comes a moment later.
    """
    with trio.fail_after(HANGS_S):
        await trio.lowlevel.checkpoint()
        for descriptor in sockets_to(base_url):
            await trio.lowlevel.wait_readable(descriptor)


def sockets_to(base_url: str) -> list[int]:
    """Return the descriptors of this process's sockets that are connected to a server's port."""
    port = urlsplit(base_url).port
    descriptors = map(int, os.listdir(_DESCRIPTORS))  # noqa: PTH208
    return [each for each in descriptors if _peer_port(each) == port]


def _peer_port(descriptor: int) -> int | None:
    with suppress(OSError, ValueError):  # not connected, or not by TCP
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            with socket.socket(fileno=os.dup(descriptor)) as copy:
                _, port, *_ = copy.getpeername()
                return int(port)
    return None


def living_tasks() -> int:
    """Count trio's tasks."""
    return trio.lowlevel.current_statistics().tasks_living


@contextmanager
def nothing_left_behind() -> Generator[None, None, None]:
    """Check that a block leaves no descriptor and no task, nor garbage that warns when collected.

    Warnings are errors in this suite, and pytest reports those of the garbage collector.
    """
    tasks, descriptors = living_tasks(), open_descriptors()
    yield
    gc.collect()
    assert living_tasks() == tasks
    assert open_descriptors() <= descriptors  # of earlier tests, some may have been garbage
