r"""Questions and results as JSON objects: a line each for `tokenwire batch`, an item for an engine.

A question:

```json
{"id": "q1", "prompt": "Why is the sea salty?", "system": "Be brief.", "settings": {"seed": 1}}
{"id": "q2", "messages": [{"role": "user", "content": "Why is the sea salty?"}]}
```

``messages`` has the form of ``tokenwire ask --messages`` and stands in place of ``prompt``;
``system`` goes before either. ``settings`` are those of a `ProviderConfig` under the same names.

A result is told by whether it has an ``error``:

```json
{"id": "q1", "text": "Rivers carry salt.", "finish": "stop", "usage": null, "total_s": 0.52}
{"id": "q2", "error": "rate_limit", "message": "slow down", "status": 429, "retryable": true}
```

An answer has ``text`` and, where the model gave them, ``reasoning``, ``refusal`` and
``tool_calls``; then what ``tokenwire ask --json`` says of the end, and timings. An error has its
`ProviderError.facts`, and the text that had come before it as ``partial``. Where the question could
not be asked at all, because the wire format cannot carry it, ``error`` is ``local``.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, assert_never

import msgspec

from tokenwire import _validation as check
from tokenwire.completion import Choice, Completion
from tokenwire.errors import ProviderError
from tokenwire.messages import Message, ToolCall
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio.bulk.question import Question, QuestionId
from tokenwire_trio.bulk.result import Answered, Failed, Failure, Result
from tokenwire_trio.json_lines import event_object
from tokenwire_trio.messages_file import decode_messages
from tokenwire_trio.misspelt_member import with_nearest

#: A JSON object.
Record: TypeAlias = dict[str, Any]

#: The ``error`` of what no request could be made of.
LOCAL: Final = "local"

#: For those whose document is another one altogether.
_EXPECTED: Final = 'a question is an object such as {"prompt": "Hi"}'

#: How msgspec says that the document is a list, a number or a string.
_NO_OBJECT: Final = "Expected `object`,"

_NOTHING_SET: Final = ProviderConfig()

#: Longest complaint about a question: it may quote what was wrong, and that may be long.
_MAX_COMPLAINT_LENGTH: Final = 300


class _Question(msgspec.Struct, forbid_unknown_fields=True):
    """A misspelt member is an error, not a member that is silently left out."""

    id: QuestionId | None = None
    prompt: str | None = None
    messages: msgspec.Raw = msgspec.Raw()
    system: str | None = None
    settings: Record | None = None


_DECODER: Final = msgspec.json.Decoder(_Question)


def read_question(document: bytes, folder: Path, *, default_id: QuestionId) -> Question:
    """Read a question.

    Args:
        document: The JSON object.
        folder: Where files that it names are.
        default_id: What to call it if it has no id.

    Raises:
        ValueError: If it has another form; the message says what is wrong with it.
        OSError: If an image that it names can't be read.
    """
    try:
        question = _DECODER.decode(document)
        return Question(
            id=default_id if question.id is None else question.id,
            messages=_messages(question, folder),
            config=_settings(question),
        )
    except msgspec.ValidationError as error:
        complaint = with_nearest(error, _Question)
        if complaint.startswith(_NO_OBJECT):
            complaint += f"; {_EXPECTED}"
    except msgspec.DecodeError as error:
        complaint = f"{error}; {_EXPECTED}"
    except (ValueError, TypeError) as error:
        complaint = str(error)
    except RecursionError:
        complaint = "it nests too deep"
    raise ValueError(complaint[:_MAX_COMPLAINT_LENGTH])


def _messages(question: _Question, folder: Path) -> tuple[Message, ...]:
    above = () if question.system is None else (Message.system(question.system),)
    has_messages = bool(bytes(question.messages))
    if question.prompt is None:
        if not has_messages:
            raise ValueError(f"it has neither prompt nor messages: {_EXPECTED}")
        return (*above, *_decoded(question.messages, folder))
    if has_messages:
        raise ValueError("it has both prompt and messages: a question has one of them")
    if not question.prompt:
        raise ValueError("prompt is empty")
    return (*above, Message.user(question.prompt))


def _decoded(document: msgspec.Raw, folder: Path) -> Sequence[Message]:
    try:
        messages = decode_messages(document, folder)
    except ValueError as error:
        raise ValueError(f"messages: {error}") from None
    if not messages:
        raise ValueError("messages is empty: it needs at least one")
    return messages


def _settings(question: _Question) -> ProviderConfig:
    if question.settings is None:
        return _NOTHING_SET
    return check.from_table(ProviderConfig, "settings", question.settings)


def result_record(result: Result) -> Record:
    """Return what stands for a result in JSON, without its id."""
    match result:
        case Answered():
            return {
                **_said(result.completion.first),
                **_choices(result.completion),
                **_end(result.completion),
                **_timings(result),
            }
        case Failed():
            partial = result.partial.text
            return {**failure_record(result.error), **({"partial": partial} if partial else {})}
        case _:
            assert_never(result)


def failure_record(error: Failure | ValueError | OSError) -> Record:
    """Return what stands for an error in JSON."""
    if isinstance(error, ProviderError):
        return dict(error.facts())
    return {"error": LOCAL, "message": str(error), "retryable": False}


def _said(choice: Choice) -> Record:
    said: Record = {"text": choice.text}
    if choice.reasoning:
        said["reasoning"] = choice.reasoning
    if choice.refusal:
        said["refusal"] = choice.refusal
    if choice.tool_calls:
        said["tool_calls"] = [dict(_tool_call(call)) for call in choice.tool_calls]
    return said


def _tool_call(call: ToolCall) -> Iterator[tuple[str, str]]:
    yield "id", call.id
    yield "name", call.name
    yield "arguments", call.arguments
    if call.signature is not None:
        yield "signature", call.signature


def _choices(completion: Completion) -> Record:
    """Give all answers where several were asked for."""
    if len(completion.choices) <= 1:
        return {}
    return {"choices": [_said(choice) for choice in completion.choices]}


def _end(completion: Completion) -> Record:
    if completion.end is None:  # a provider of somebody else's need not send one
        return {"finish": None}
    end = event_object(completion.end)
    del end["type"]
    end["response_id"] = end.pop("id")
    return end


def _timings(answered: Answered) -> Record:
    timings = answered.response.timings
    spans = {"first_token_s": timings.first_token, "total_s": timings.total}
    return {name: round(span, 4) for name, span in spans.items() if span is not None}
