"""What `import tokenwire` offers, and what it costs."""

import subprocess
import sys

import pytest

import tokenwire


def test_every_public_name_is_there() -> None:
    """A name that is imported when it is first used is none too few."""
    for name in tokenwire.__all__:
        assert getattr(tokenwire, name) is not None
    assert set(tokenwire.__all__) <= set(dir(tokenwire))


def test_another_name_is_told_as_python_does() -> None:
    """As for every module."""
    with pytest.raises(AttributeError, match="module 'tokenwire' has no attribute 'Mesage'"):
        tokenwire.Mesage  # type: ignore[attr-defined]  # noqa: B018  # type checkers see it too


def test_the_import_alone_brings_nothing_else() -> None:
    """Whoever imports the library for one of its names waits for that one only."""
    code = (
        "import sys, tokenwire; print(*{'attrs', 'msgspec', 'tokenwire.tokens'} & {*sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
