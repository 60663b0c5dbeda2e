"""A file to which several tasks and programs add lines."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import final


@final
class AppendedFile:
    """Adds whole lines to a file, each with one call of the system, so that none are mixed.

    Args:
        path: The file; made for its owner's eyes only if there is none.

    Attributes:
        failure: Why nothing is written any more, None as long as all was.

    Raises:
        OSError: If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o600)
        self._closed = False
        self.failure: OSError | None = None
        if self._breaks_off():
            self.write(b"\n")

    def _breaks_off(self) -> bool:
        """Whether the last line has no end, because its writer was interrupted."""
        status = os.fstat(self._descriptor)
        if not (stat.S_ISREG(status.st_mode) and status.st_size):
            return False
        os.lseek(self._descriptor, -1, os.SEEK_END)
        return os.read(self._descriptor, 1) != b"\n"

    def write(self, lines: bytes) -> None:
        """Add lines, unless the file is closed or an earlier write failed: see `failure`."""
        try:
            while lines and self.failure is None and not self._closed:
                lines = lines[os.write(self._descriptor, lines) :]
        except OSError as error:
            self.failure = error

    def close(self) -> None:
        """Close the file."""
        self._closed = True
        os.close(self._descriptor)
