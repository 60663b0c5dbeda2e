"""`import tokenwire_trio`: cheap, and complete."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tokenwire_trio


def test_every_public_name_is_there() -> None:
    """What `__all__` and `dir` promise can be imported."""
    for name in tokenwire_trio.__all__:
        assert getattr(tokenwire_trio, name).__name__ == name
    assert set(tokenwire_trio.__all__) <= set(dir(tokenwire_trio))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = tokenwire_trio.no_such_name


def test_importing_it_imports_nothing_heavy() -> None:
    """What it needs is imported when it is first used."""
    script = "import tokenwire_trio, sys; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"h11", "trio", "msgspec", "tokenwire"} & set(ran.stdout.split())
