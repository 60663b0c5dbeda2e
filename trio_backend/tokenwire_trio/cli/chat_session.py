"""The conversation of `tokenwire chat`: lines in, answers out, until no more lines come."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from functools import partial
from typing import Protocol, TypeAlias, final, runtime_checkable

import attrs
import trio

from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Message
from tokenwire.provider import Provider
from tokenwire_trio import open_provider
from tokenwire_trio.cli.asking import Presentation, Shown, show_answer
from tokenwire_trio.cli.chat_commands import ChatState, Next, obey
from tokenwire_trio.cli.chat_lines import Lines, read_turn
from tokenwire_trio.cli.chat_thread import ResourceThread
from tokenwire_trio.cli.conversation import encodable
from tokenwire_trio.cli.exit_codes import ExitCode
from tokenwire_trio.cli.option_places import with_option
from tokenwire_trio.cli.os_refusal import told
from tokenwire_trio.cli.outlet import Outlet, visible
from tokenwire_trio.cli.provider_section import Target
from tokenwire_trio.cli.refusal import Refusal
from tokenwire_trio.nursery import brief_nursery


@runtime_checkable
class Drawn(Protocol):
    """A presentation that has something to draw between two tokens."""

    async def keep_drawing(self) -> None:
        """Draw until cancelled."""
        ...


#: What a chat keeps open: whom it asks, and how errors name the key.
Asked: TypeAlias = tuple[Provider, Target]


@asynccontextmanager
async def open_asked(whom: AbstractAsyncContextManager[Target]) -> AsyncGenerator[Asked, None]:
    """Open a provider for as long as the block lasts, see `whom_to_ask`."""
    async with whom as target, open_provider(target.section) as provider:
        yield provider, target


@final
@attrs.define(kw_only=True)
class Chat:
    """A conversation that goes on whatever becomes of an answer.

    Attributes:
        asked: Whom to ask.
        state: What was said, and the settings.
        lines: What is said next.
        present: Makes what shows one answer.
        answering: What to do for as long as an answer comes.
        stderr: Where everything else goes.
        timings: Whether to tell how long each answer took.
        person: Whether somebody is there, who stops answers with Ctrl-C and leaves in other ways.
    """

    asked: ResourceThread[Asked]
    state: ChatState
    lines: Lines
    present: Callable[[], Presentation]
    answering: Callable[[], AbstractContextManager[None]]
    stderr: Outlet
    timings: bool
    person: bool
    _results: list[str] = attrs.field(factory=list[str], init=False)  # of tools, so far
    _failure: ExitCode = attrs.field(default=ExitCode.COMPLETE, init=False)

    def run(self) -> ExitCode:
        """Go on until no more lines come.

        Returns:
            How the last answer that failed did so.
        """
        while True:
            try:
                text = read_turn(self.lines, self._prompt)
                follows = Next.LEAVE if text is None else self._take(text)
                if follows is Next.LEAVE:
                    return self._failure
                if follows is Next.ASK:
                    self._ask()
            except (LocalProtocolError, ValueError, Refusal) as error:
                self._complain(str(error))
            except KeyboardInterrupt:
                # Meant for an answer that ended in the same moment, or did not end at once.
                if not self.person:
                    raise

    @property
    def _prompt(self) -> str:
        calls = self.state.dialogue.open_calls
        return f"{visible(calls[len(self._results)].name)} returns> " if calls else "> "

    def _take(self, text: str) -> Next | None:
        """Take what was said, and find out what follows from it."""
        if text.startswith("/") and not text.startswith("//"):
            return self._obey(text)
        text = text.removeprefix("/")
        dialogue = self.state.dialogue
        if calls := dialogue.open_calls:
            self._results.append(text)
            if len(self._results) < len(calls):
                return None
            dialogue.give_results(self._results)
        elif not text.strip():
            return None
        else:
            dialogue.ask(Message.user(encodable(text, "the line")))
        return Next.ASK

    def _obey(self, text: str) -> Next | None:
        try:
            answer = obey(text, self.state)
        except OSError as error:
            self._complain(told(error))
            return None
        if isinstance(answer, Next):
            return answer
        for line in answer.splitlines():
            self.stderr.notice(line, dim=True)
        return None

    def _ask(self) -> None:
        """Ask what is open, show the answer, and keep it."""
        self._results.clear()
        presentation = self.present()
        with self.answering():
            shown = self.asked.run(partial(self._answer, presentation))
        self.state.last = shown.answer
        self._keep(shown)
        stopped = shown.code is ExitCode.INTERRUPTED
        if self.timings and shown.timings:
            self.stderr.notice(f"{'stopped: ' if stopped else ''}{shown.timings}", dim=True)
        elif stopped:
            self.stderr.notice("stopped", dim=True)
        if self.stderr.terminal:
            self.stderr.write("\n")

    async def _answer(self, presentation: Presentation, stop: trio.CancelScope) -> Shown:
        provider, target = self.asked.resource
        async with brief_nursery() as nursery:
            if isinstance(presentation, Drawn):
                nursery.start_soon(presentation.keep_drawing)
            shown = await show_answer(
                provider,
                self.state.dialogue.messages,
                presentation,
                self.stderr,
                config=self.state.config,
                key_variable=target.key_variable,
                stop=stop,
            )
            nursery.cancel_scope.cancel()
        return shown

    def _keep(self, shown: Shown) -> None:
        """Make the answer a part of the conversation, as far as it can be one."""
        match shown.code:
            case ExitCode.COMPLETE if shown.answer.first.parts or shown.answer.refusal:
                self.state.dialogue.answer(shown.answer.message)
            case ExitCode.COMPLETE:
                self.stderr.notice("the answer is empty", dim=True)
            case ExitCode.INTERRUPTED:
                # What people have read they may speak of. A thought or a call that was cut short
                # no provider takes back.
                if shown.answer.text:
                    self.state.dialogue.answer(Message.assistant(shown.answer.text))
            case code:
                self._failure = code

    def _complain(self, reason: str) -> None:
        self._failure = ExitCode.USAGE
        self.stderr.notice(f"Error: {with_option(reason)}")
