"""The function calls of one candidate, from parts to tokens.

A call comes whole, or, where that was asked for, in pieces: the name first, then arguments piece
by piece, and each part says whether the call goes on (``willContinue``). Pieces bear neither name
nor id; they belong to the call that is open.
"""

from __future__ import annotations

from typing import final

from tokenwire.tokens import ToolCallDelta
from tokenwire.wire.gemini.call_ids import made_up_id
from tokenwire.wire.gemini.chunks import FunctionCall, Part
from tokenwire.wire.gemini.partial_args import Allowance, PartialArgs
from tokenwire.wire.gemini.signatures import Signature
from tokenwire.wire.malformed import decode_json, limit_error


@final
class Calls:
    """The calls of one candidate.

    Args:
        choice: The candidate's index.
        answer_id: The API's id of the answer.
        allowance: Bounds on their size, shared by all candidates, and on their number.

    Attributes:
        count: How many have begun.
    """

    def __init__(self, choice: int, answer_id: str | None, allowance: Allowance) -> None:
        self.count: int = 0
        self._choice = choice
        self._answer_id = answer_id
        self._allowance = allowance
        self._limits = allowance.limits
        self._open: PartialArgs | None = None  # the last call's, while it goes on

    def receive(self, part: Part, call: FunctionCall) -> list[ToolCallDelta]:
        """Take a part that holds a function call.

        Raises:
            MalformedResponseError: If its arguments make no sense, or a limit is exceeded.
        """
        deltas: list[ToolCallDelta] = []
        if call.name:
            deltas += [*self.close(), self._begin(part, call)]
        elif self._open is not None and part.thought_signature:
            deltas.append(self._delta(signature=_pack(part)))
        if self._open is not None:
            for piece in call.partial_args or ():
                self._open.add(piece)
        return deltas if call.will_continue else [*deltas, *self.close()]

    def close(self) -> list[ToolCallDelta]:
        """Return the arguments of a call that came in pieces, and end it."""
        arguments = self._open.close() if self._open is not None else ""
        self._open = None
        return [self._delta(arguments=arguments)] if arguments else []

    def _begin(self, part: Part, call: FunctionCall) -> ToolCallDelta:
        if self.count >= self._limits.tool_calls:
            raise limit_error("tool_calls", self._limits.tool_calls)
        self.count += 1
        arguments = self._arguments(bytes(call.args))
        if not arguments:
            self._open = PartialArgs(self._allowance)
        return self._delta(
            call_id=call.id or made_up_id(self.count - 1, self._answer_id),
            name=call.name,
            arguments=arguments,
            signature=_pack(part),
        )

    def _arguments(self, args: bytes) -> str:
        """Return the arguments that came whole as JSON text, empty if none did."""
        value = decode_json(args, self._limits) if args else None
        return args.decode() if isinstance(value, dict) else ""

    def _delta(
        self,
        *,
        call_id: str | None = None,
        name: str | None = None,
        arguments: str = "",
        signature: str | None = None,
    ) -> ToolCallDelta:
        return ToolCallDelta(self.count - 1, call_id, name, arguments, self._choice, signature)


def _pack(part: Part) -> str | None:
    return Signature(part.thought_signature).pack() if part.thought_signature else None
