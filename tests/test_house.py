"""The house around the code: what the core may import, and what a wheel must carry."""

import importlib.metadata
import importlib.resources
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IO_MODULES = {"asyncio", "h11", "socket", "ssl", "trio"}

_IMPORT_ALL = """
import importlib, pkgutil, sys, tokenwire
for module in pkgutil.walk_packages(tokenwire.__path__, "tokenwire."):
    importlib.import_module(module.name)
print(*sys.modules)
"""


def _modules_after(program: str) -> set[str]:
    """Run a program in a fresh interpreter and return the names that it prints."""
    path = "import sys; sys.path[:] = " + repr(sys.path)
    # -S -I: nothing that this environment starts up with counts as imported by us.
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", f"{path}\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(finished.stdout.split())


def test_importing_the_core_imports_no_io() -> None:
    """`import tokenwire` loads neither an event loop nor a socket."""
    assert not _modules_after("import sys, tokenwire; print(*sys.modules)") & IO_MODULES


def test_no_module_of_the_core_imports_io() -> None:
    """Nor does any module that `import tokenwire` leaves for later."""
    assert not _modules_after(_IMPORT_ALL) & IO_MODULES


def _lint(source: str, path: str) -> str:
    """Return what ruff's import rule says about a file's text at a path of this checkout."""
    finished = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select=TID251", "--stdin-filename", path, "-"],
        input=source,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.stdout


@pytest.mark.parametrize(
    "module",
    [
        "asyncio",
        "h11",
        "logging",
        "os",
        "random",
        "socket",
        "ssl",
        "time",
        "tokenwire_trio",
        "trio",
        "trio_websocket",
    ],
)
def test_the_linter_keeps_io_out_of_the_core(module: str) -> None:
    """A module of the core that imports what does I/O fails the linter."""
    assert f"`{module}` is banned" in _lint(f"import {module}\n", "sansio/tokenwire/wire/new.py")


def test_the_linter_lets_the_transport_do_io() -> None:
    """The rule is the core's alone."""
    assert "passed" in _lint("import socket\n", "trio_backend/tokenwire_trio/new.py")


@pytest.mark.parametrize("package", ["tokenwire", "tokenwire_trio"])
def test_both_packages_are_typed(package: str) -> None:
    """A type checker reads our annotations only where `py.typed` says so."""
    assert (importlib.resources.files(package) / "py.typed").is_file()


@pytest.fixture
def distribution() -> importlib.metadata.Distribution:
    """Give what is installed under our name."""
    try:
        return importlib.metadata.distribution("tokenwire")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("tokenwire is not installed; `make test` installs it")


def test_the_distribution_carries_its_licence(
    distribution: importlib.metadata.Distribution,
) -> None:
    """Whoever gets the wheel gets the terms with it."""
    [licence] = [file for file in distribution.files or [] if file.name == "LICENSE"]
    assert "The tokenwire authors" in licence.read_text()


def test_the_core_needs_attrs_and_msgspec_alone(
    distribution: importlib.metadata.Distribution,
) -> None:
    """Whatever else there is to install is an extra."""
    always = [name for name in distribution.requires or [] if "extra ==" not in name]
    assert sorted(name.partition(">=")[0] for name in always) == ["attrs", "msgspec"]
