"""The programs in examples/ do what they say, against a real server."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gguf import ANSWER, TOOL_NUMBER, TOOL_TEXT
from tests.trio_backend.cli_process import child_environment
from tokenwire import ToolCall

_EXAMPLES = Path(__file__).parents[1] / "examples"

pytestmark = pytest.mark.skipif(not _EXAMPLES.is_dir(), reason="the examples are not here")


@pytest.fixture
def tool_loop() -> dict[str, Any]:
    """Give what the program defines, without running it."""
    return runpy.run_path(str(_EXAMPLES / "tool_loop.py"))


def test_the_tool_loop_ends_in_an_answer(llama_url: str) -> None:
    """The model calls the tool, gets its result, and answers in words."""
    result = subprocess.run(
        [sys.executable, "-W", "error", str(_EXAMPLES / "tool_loop.py"), "Weather in Oslo?"],
        env=child_environment(
            TOKENWIRE_PROVIDER_PRESET="llama.cpp",
            TOKENWIRE_PROVIDER_BASE_URL=llama_url,
            PYTHONIOENCODING="utf-8",
        ),
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
    call, _, answer = result.stdout.partition("]\n")
    assert call.startswith("[weather {")
    assert TOOL_TEXT in call
    assert str(TOOL_NUMBER) in call
    assert answer.strip() == ANSWER


@pytest.mark.parametrize(
    "call",
    [
        ToolCall(id="c", name="weather", arguments='{"city":'),
        ToolCall(id="c", name="weather", arguments='{"town": "Oslo"}'),
        ToolCall(id="c", name="weather"),
        ToolCall(id="c", name="whether", arguments="{}"),
        ToolCall(id="c", name="weather", arguments="[]"),
    ],
)
def test_the_tool_loop_tells_the_model_of_its_mistakes(
    tool_loop: dict[str, Any], call: ToolCall
) -> None:
    """A call that no tool can take is answered, not fatal."""
    result = tool_loop["run_tool"](call)
    assert result.call_id == "c"
    assert result.text.startswith('{"error"')


def test_the_tool_loop_is_short() -> None:
    """Eighty lines are what people read."""
    assert len((_EXAMPLES / "tool_loop.py").read_text("utf-8").splitlines()) <= 80
