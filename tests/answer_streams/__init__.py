"""Hypothesis strategies of whole answers, with every oddity that servers of a wire format show.

An answer is built twice: as the bytes that some server would send, and as what must be read out of
them, so that the expectation owes nothing to the code under test.
"""

from __future__ import annotations

from typing import Final

from hypothesis.strategies import SearchStrategy

from tests.answer_streams.anthropic import message_streams
from tests.answer_streams.gemini import generated_streams
from tests.answer_streams.model import AnswerStream, Said
from tests.answer_streams.ollama import line_streams
from tests.answer_streams.openai_chat import chat_streams
from tests.answer_streams.openai_responses import response_streams

__all__ = ["ANSWER_STREAMS", "AnswerStream", "Said"]

#: The answers of each wire format.
ANSWER_STREAMS: Final[dict[str, SearchStrategy[AnswerStream]]] = {
    "openai-chat": chat_streams(),
    "openai-responses": response_streams(),
    "azure-chat": chat_streams(azure=True),
    "anthropic": message_streams(),
    "ollama": line_streams(),
    "gemini": generated_streams(),
}
