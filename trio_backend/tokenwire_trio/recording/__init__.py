"""Exchanges written to a file while they happen, and played back from it.

`Recording` wraps a provider and writes, `Replaying` is a provider that answers from the file;
`file_format` is what both agree on, and docs/how-to/recording.md describes it for others.
"""

from tokenwire_trio.recording.file_format import RecordingError
from tokenwire_trio.recording.recording import Recording
from tokenwire_trio.recording.replaying import Replaying

__all__ = ["Recording", "RecordingError", "Replaying"]
