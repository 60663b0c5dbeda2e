"""What comes back from asking in bulk: an answer, or why there is none."""

from __future__ import annotations

from typing import TypeAlias, final

import attrs

from tokenwire.completion import Completion
from tokenwire.errors import LocalProtocolError, ProviderError
from tokenwire.response import ResponseInfo
from tokenwire_trio.bulk.question import QuestionId

#: What may go wrong with one question and says nothing about the others.
Failure: TypeAlias = ProviderError | LocalProtocolError


@final
@attrs.frozen(kw_only=True)
class Answered:
    """A question and its whole answer.

    Attributes:
        id: The question's.
        completion: The answer.
        response: The response around it: request id, rate limits, timings.
        deltas: How many tokens the stream brought, its `End` not counted. One need not be one model
            token: `Completion.usage` has those, where the provider counts them.
    """

    id: QuestionId
    completion: Completion = attrs.field(repr=False)
    response: ResponseInfo
    deltas: int


@final
@attrs.frozen(kw_only=True)
class Failed:
    """A question that got no whole answer.

    Attributes:
        id: The question's.
        error: Why. A `LocalProtocolError` where the wire format cannot carry the question: then
            nothing was sent.
        partial: What had come of the answer, empty where nothing had.
    """

    id: QuestionId
    error: Failure
    partial: Completion = attrs.field(repr=False)


#: The closed union of what can become of a question: ``match`` over it ends in ``assert_never``.
Result: TypeAlias = Answered | Failed
