"""What was said so far in `tokenwire chat`, and what becomes of it when an answer is missing."""

from collections.abc import Sequence
from typing import Self, final

from tokenwire.messages import Message, ToolCall, ToolResult


@final
class Dialogue:
    """Questions and answers in turn, below the system's instructions.

    Only a question that was answered counts as past. One that was not, because its answer failed or
    was stopped before its first word, makes room for the next question: many models refuse two
    questions in a row.

    Attributes:
        system: The instructions, mostly one message or none.
    """

    def __init__(self, system: Sequence[Message] = ()) -> None:
        self.system: tuple[Message, ...] = tuple(system)
        self._past: list[Message] = []
        self._question: Message | None = None
        self._answer: Message | None = None

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Self:
        """Take up a conversation where it was left, maybe with a question that has no answer."""
        turns = [message for message in messages if message.role != "system"]
        dialogue = cls([message for message in messages if message.role == "system"])
        if turns and turns[-1].role == "assistant":
            dialogue._answer = turns.pop()
        if turns and turns[-1].role != "assistant":
            dialogue._question = turns.pop()
        dialogue._past = turns
        return dialogue

    @property
    def messages(self) -> list[Message]:
        """All of it: what to send for the question that is open, and what to save."""
        last = [one for one in (self._question, self._answer) if one is not None]
        return [*self.system, *self._past, *last]

    @property
    def waits_for_answer(self) -> bool:
        """Whether the last question has none."""
        return self._question is not None and self._answer is None

    @property
    def open_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the last answer, which the model wants to see answered next."""
        last = self._answer
        if last is None and self._past:
            last = self._past[-1]
        parts = () if last is None else last.parts
        return tuple(part for part in parts if isinstance(part, ToolCall))

    def ask(self, question: Message) -> None:
        """Take the next question, in place of one that got no answer."""
        if self._answer is not None:
            self._past += [one for one in (self._question, self._answer) if one is not None]
        self._question, self._answer = question, None

    def give_results(self, texts: Sequence[str]) -> None:
        """Take what the tools answered, in the order of `open_calls`."""
        results = [
            ToolResult(call_id=call.id, name=call.name or None, text=text)
            for call, text in zip(self.open_calls, texts, strict=True)
        ]
        self.ask(Message.tool(*results))

    def answer(self, answer: Message) -> None:
        """Take the answer to the question."""
        self._answer = answer

    def retry(self) -> None:
        """Forget the answer to the last question.

        Raises:
            ValueError: If there was no question.
        """
        if self._question is None:
            raise ValueError("nothing was asked yet")
        self._answer = None

    def begin_anew(self) -> None:
        """Forget everything but the instructions."""
        self._past.clear()
        self._question = self._answer = None
