"""OUT.jsonl: a result a line, appended as it comes, and read again when a run is resumed.

A line is handed to the system whole before the next one is begun, so a process that dies, however
suddenly, leaves whole lines behind, and at most a torn one at the end. That one is dropped when the
file is opened the next time, and so are failures that are to be asked again: the file is then
written anew beside the old one, which it replaces at once when it is complete.
"""

import os
import shutil
import stat
from collections.abc import Generator, Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, final

import msgspec

from tokenwire_trio.bulk.question import QuestionId
from tokenwire_trio.cli.refusal import Refusal

#: What ``error`` is in a result that has one.
FailureKind: TypeAlias = Literal["network", "auth", "rate_limit", "malformed", "other", "local"]

_ENCODER: Final = msgspec.json.Encoder()

#: Each line of ours begins like this; a torn one with a part of it.
_BEGINNING: Final = b'{"id":'


@final
class EarlierResult(msgspec.Struct, frozen=True, gc=False):
    """What a resumed run has to know of a result.

    Attributes:
        id: The question's.
        digest: Of the question's line.
        error: How it failed, None where it was answered.
    """

    id: QuestionId
    digest: str
    error: FailureKind | None = None


_DECODER: Final = msgspec.json.Decoder(EarlierResult)


@final
class ResultFile:
    """The file, opened and locked; see `result_file`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_new = not path.exists()
        self._descriptor: int | None = _open(path)
        self._torn = False

    @property
    def name(self) -> str:
        """What errors call it."""
        return str(self._path)

    def earlier(self) -> Iterator[EarlierResult]:
        """Read the results of earlier runs.

        Raises:
            Refusal: A line is none; the message names it.
        """
        return (result for _, result in self._lines())

    def _lines(self) -> Iterator[tuple[bytes, EarlierResult]]:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                self._torn = not line.endswith(b"\n")
                result = _result_on(line)
                if result is not None:
                    yield line, result
                elif not (self._torn and _may_be_cut_off(line)):
                    raise Refusal(
                        f"{self.name}: line {number} is no result of 'tokenwire batch': name"
                        " another file, this one would be added to"
                    )

    def drop(self, unwanted: Set[QuestionId]) -> None:
        """Drop some of the results of earlier runs, and what is torn.

        Args:
            unwanted: The ids of those.
        """
        if not unwanted and not self._torn:
            return
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            self._copy(beside, unwanted)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        self.close()
        beside.replace(self._path)
        self._descriptor = _open(self._path)

    def _copy(self, beside: Path, unwanted: Set[QuestionId]) -> None:
        with beside.open("wb") as file:
            shutil.copymode(self._path, beside)
            for line, result in self._lines():
                if result.id not in unwanted:
                    file.write(line if line.endswith(b"\n") else line + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def write(self, id_: QuestionId, digest: str, record: dict[str, Any]) -> None:
        """Append a result, now.

        Raises:
            OSError: If the disk is full, or whatever else keeps it from being written.
        """
        assert self._descriptor is not None
        line = _ENCODER.encode({"id": id_, "digest": digest, **record}) + b"\n"
        while line:
            line = line[os.write(self._descriptor, line) :]

    def discard_if_new(self) -> None:
        """Remove the file if this run made it: where nothing is asked, none is to be left."""
        if self._is_new:
            self._path.unlink()

    def close(self) -> None:
        """Close the file and give up its lock; may be called again."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def result_file(path: Path, questions: Path) -> Generator[ResultFile, None, None]:
    """Open OUT.jsonl for as long as the block lasts, for this process alone.

    Raises:
        Refusal: It is no file, it is IN.jsonl, its folder is missing, or another run is writing to
            it.
    """
    if path.exists() and questions.exists() and path.samefile(questions):
        raise Refusal(f"{path} is the file of questions: name another one for the results")
    real = path.resolve()  # a link stays one where the file is written anew
    if not real.parent.is_dir():
        raise Refusal(f"{path}: there is no folder {real.parent}: make it, or name another")
    file = ResultFile(real)
    try:
        yield file
    finally:
        file.close()


def _result_on(line: bytes) -> EarlierResult | None:
    try:
        return _DECODER.decode(line)
    except (ValueError, RecursionError):
        return None


def _may_be_cut_off(line: bytes) -> bool:
    """Tell a line of ours that was not written to its end from somebody else's whole document."""
    if not _BEGINNING.startswith(line[: len(_BEGINNING)]):
        return False
    try:
        msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return True
    return False


def _open(path: Path) -> int:
    binary = getattr(os, "O_BINARY", 0)  # for Windows, which would add to each line feed
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | binary, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refusal(f"{path} is no file that could be read again to resume a run")
        _lock(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int, path: Path) -> None:
    """Keep other runs from the file, until it is closed or the process ends."""
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        locked = False
    else:
        # The run that had the lock may have put another file in this one's place meanwhile.
        locked = os.path.samestat(os.fstat(descriptor), path.stat())
    if not locked:
        raise Refusal(f"another run is writing to {path}: wait for it, or end it")
