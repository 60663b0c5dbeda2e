"""Signatures go back on the very part that they came with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sansio.wire.gemini.streams import call, chunk, read_body, stream, text, thought
from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Message, Reasoning, Text, ToolCall
from tokenwire.provider_config import ProviderConfig
from tokenwire.wire.gemini import Gemini
from tokenwire.wire.gemini.signatures import Signature


def parts_of(message: Message) -> list[dict[str, Any]]:
    """Return the parts of a message as they are sent."""
    encoded = Gemini().encode([message], ProviderConfig(model="m"), {})
    parts: list[dict[str, Any]] = json.loads(encoded.body)["contents"][0]["parts"]
    return parts


@pytest.mark.parametrize(
    "parts",
    [
        [thought("Hm"), text("Hi")],
        [thought("Hm"), thought("!", thoughtSignature="a"), text("Hi", thoughtSignature="b")],
        [thought("Hm", thoughtSignature="a"), thought("So", thoughtSignature="b"), text("Hi")],
        [text("H"), text("i", thoughtSignature="a")],
        [text("Hi", thoughtSignature="a"), text("!", thoughtSignature="b")],
        [text("Hi"), text("", thoughtSignature="a")],
        [thought("Hm"), text("", thoughtSignature="a")],
        [text("", thoughtSignature="a"), text("Hi")],
        [call("look", {"a": 1}, id="7bdf4dc4") | {"thoughtSignature": "a"}, call("see", {})],
    ],
)
def test_an_answer_goes_back_as_it_came(parts: list[dict[str, Any]]) -> None:
    """Signed parts are neither joined with others nor cut."""
    answer = read_body(stream(*(chunk(part) for part in parts), chunk(finish="STOP")))
    assert parts_of(answer.partial.message) == parts


def test_a_shortened_text_keeps_its_signature() -> None:
    """The caller may have edited the answer."""
    signature = Signature("a", length=9).pack()
    assert parts_of(Message.assistant("Hi", Reasoning("", signature))) == [
        text("Hi", thoughtSignature="a")
    ]


@pytest.mark.parametrize("signature", ["ErUB", "[]", '{"google":{"thought_signature":"a"}}'])
def test_a_signature_of_another_api_is_refused(signature: str) -> None:
    """Here it proves nothing."""
    for part in (Reasoning("Hm", signature), ToolCall(id="c", name="f", signature=signature)):
        with pytest.raises(LocalProtocolError, match=r"messages\[0\].*from another API"):
            parts_of(Message.assistant(Text("Hi"), part))
