"""IN.jsonl: a question a line, read as a stream and as often as needed."""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, BinaryIO, Final, cast, final

import attrs

from tokenwire_trio.bulk.question import Question
from tokenwire_trio.bulk.records import read_question
from tokenwire_trio.cli.os_refusal import told
from tokenwire_trio.cli.refusal import Refusal

#: In place of a file: read standard input.
STDIN: Final = Path("-")

#: No conversation is as long, but a file that is no JSON Lines may be one line.
_MAX_LINE_BYTES: Final = 64 * 1024 * 1024

#: Windows' editors begin a file with it.
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

#: Enough to notice that a question was changed.
_DIGEST_BYTES: Final = 8


@final
@attrs.frozen(kw_only=True)
class Line:
    """A line with a question.

    Attributes:
        number: Which one of the file, from 1.
        question: What is on it.
        digest: Of its bytes, to notice a change.
    """

    number: int
    question: Question
    digest: str


@final
class QuestionFile:
    """The lines of a file, from its beginning each time that they are iterated.

    Args:
        name: What errors call it.
        file: The file, which can be read again.
        folder: Where files that questions name are.
    """

    def __init__(self, name: str, file: IO[bytes], folder: Path) -> None:
        self.name: Final = name
        self._file = file
        self._folder = folder

    def __iter__(self) -> Iterator[Line]:
        """Read every question.

        Raises:
            Refusal: A line is none; the message names it and says why.
        """
        for number, document in self.documents():
            yield self.read(number, document)

    def documents(self) -> Iterator[tuple[int, bytes]]:
        """Give the lines as they are, numbered from 1, but for empty ones.

        Raises:
            Refusal: A line is longer than any question.
        """
        self._file.seek(0)
        for number in count(1):
            data = self._file.readline(_MAX_LINE_BYTES + 1)
            if not data:
                return
            if len(data) > _MAX_LINE_BYTES:
                raise self.refusal(number, f"it is longer than {_MAX_LINE_BYTES} bytes")
            document = data.removeprefix(_BYTE_ORDER_MARK if number == 1 else b"").strip()
            if document:
                yield number, document

    def read(self, number: int, document: bytes) -> Line:
        """Read the question on a line.

        Raises:
            Refusal: It is none.
        """
        try:
            question = read_question(document, self._folder, default_id=number)
        except OSError as error:
            complaint = told(error)
        except ValueError as error:
            complaint = str(error)
        else:
            digest = hashlib.blake2b(document, digest_size=_DIGEST_BYTES).hexdigest()
            return Line(number=number, question=question, digest=digest)
        raise self.refusal(number, complaint)

    def refusal(self, number: int, complaint: str) -> Refusal:
        """Return the error that a line is to blame for."""
        return Refusal(f"{self.name}: line {number}: {complaint}")


@contextmanager
def question_file(path: Path) -> Generator[QuestionFile, None, None]:
    """Open IN.jsonl for as long as the block lasts; what can be read only once is copied first."""
    if path == STDIN:
        with _copied(cast("BinaryIO", sys.stdin.buffer)) as copy:
            yield QuestionFile("standard input", copy, Path())
        return
    with path.open("rb") as file:
        if file.seekable():
            yield QuestionFile(str(path), file, path.parent)
            return
        with _copied(file) as copy:
            yield QuestionFile(str(path), copy, Path())


@contextmanager
def _copied(source: IO[bytes]) -> Generator[IO[bytes], None, None]:
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(source, copy)
        yield copy
