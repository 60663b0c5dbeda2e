"""Exchanges written to a file while they happen, and played back from it.

`Recording` wraps a provider and writes, `Replaying` is a provider that answers from the file;
`file_format` is what both agree on, and docs/how-to/recording.md describes it for others. Nothing
is imported here: who only reads a file needs no network.
"""
