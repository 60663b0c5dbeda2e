"""An answer as people read it: the text on standard output, everything else beside it.

Reasoning appears dimmed before the text on a terminal. Where standard output leads to a file or
pipe, that holds the text alone, byte for byte, and reasoning goes to standard error like the rest.
"""

from collections.abc import Hashable
from typing import assert_never, final

from tokenwire.errors import ProviderError
from tokenwire.tokens import End, ReasoningDelta, RefusalDelta, TextDelta, Token, ToolCallDelta
from tokenwire_trio.cli.outlet import Outlet


def finish_note(end: End) -> str | None:
    """Say why an answer ended, None where that is no news."""
    if end.finish in ("stop", "tool_calls"):
        return None
    raw = "" if end.raw_finish in (None, end.finish) else f" ({end.raw_finish})"
    return f"finish reason: {end.finish}{raw}"


@final
class AnswerText:
    """Shows one answer, token by token."""

    def __init__(self, stdout: Outlet, stderr: Outlet) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._outlet = stdout
        self._block: Hashable = None
        self._hidden_choices: set[int] = set()

    def show(self, token: Token) -> None:
        """Show a token at once."""
        if token.choice != 0:
            # Answers that arrive side by side can't be read as they come.
            self._hidden_choices.add(token.choice)
            return
        match token:
            case TextDelta():
                self._show_text(token.text)
            case ReasoningDelta():
                outlet = self._stdout if self._stdout.terminal else self._stderr
                self._show_aside(outlet, "reasoning", token.text)
            case RefusalDelta():
                self._show_aside(self._stderr, "refusal", token.text, title="refusal: ")
            case ToolCallDelta():
                self._show_tool_call(token)
            case End():
                self._show_end(token)
            case _:
                assert_never(token)

    def fail(self, error: ProviderError) -> None:
        """Show nothing: an error is no part of the answer's text."""

    def close(self) -> None:
        """End the last line, but for a file, which gets the text and not a byte more."""
        self._outlet.fresh_line()

    def _show_text(self, text: str) -> None:
        if text and self._block != "text":
            self._begin(self._stdout, "text")
        self._stdout.write(text)

    def _show_aside(self, outlet: Outlet, block: Hashable, text: str, *, title: str = "") -> None:
        if self._block != block:
            self._begin(outlet, block)
            outlet.write(title, dim=True)
        outlet.write(text, dim=True)

    def _show_tool_call(self, token: ToolCallDelta) -> None:
        name = f"{token.name} " if token.name else ""
        self._show_aside(
            self._stderr,
            ("tool call", token.index),
            name + token.arguments,
            title="tool call: ",
        )

    def _begin(self, outlet: Outlet, block: Hashable) -> None:
        """Put what is no part of what came before on a line of its own."""
        self._outlet.fresh_line()
        outlet.fresh_line()
        self._outlet = outlet
        self._block = block

    def _show_end(self, end: End) -> None:
        if (note := finish_note(end)) is not None:
            self._stderr.notice(note)
        if self._hidden_choices:
            self._stderr.notice(f"{len(self._hidden_choices)} more in parallel: --json shows them")
