"""Let a model call tools over one socket, and compare the bytes sent with those over HTTP.

    TOKENWIRE_PROVIDER_PRESET=openai TOKENWIRE_PROVIDER_MODEL=some-model \
    TOKENWIRE_PROVIDER_CREDENTIAL_ENV=OPENAI_API_KEY \
    python examples/socket_tool_loop.py "What is the weather like in Oslo?" "And in Paris?"

Over HTTP each turn sends the whole conversation again. A socket remembers it, so that each turn
sends what is new: the results of tools, or the next question. The program is the same for both.
"""

import json
import os
import sys
from collections.abc import Sequence

import attrs
import trio

import tokenwire
from tokenwire import Message, ToolCall, ToolResult
from tokenwire_trio import open_provider

#: A model that calls tools for ever costs money for ever.
MAX_TURNS = 8

WEATHER = tokenwire.Tool(
    name="get_weather",
    description="Tell the weather of a city.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}},
)
CONFIG = tokenwire.ProviderConfig(tools=[WEATHER], max_output_tokens=1000)


class Meter:
    """Counts the bytes that a provider sends over all of its connections."""

    sent_bytes = 0

    async def dial(self, host: str, port: int) -> trio.abc.Stream:
        """Connect by TCP."""
        stream = await trio.open_tcp_stream(host, port)
        return trio.StapledStream(Counted(self, stream), stream)


class Counted(trio.abc.SendStream):
    """The sending half of one connection."""

    def __init__(self, meter: Meter, stream: trio.SocketStream) -> None:
        self.meter = meter
        self.stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes, and count them."""
        self.meter.sent_bytes += len(data)
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until sending might not block."""
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the connection."""
        await self.stream.aclose()


def run_tool(call: ToolCall) -> ToolResult:
    """Return what the tool says; a real program would look it up."""
    return ToolResult(call_id=call.id, text=json.dumps({"celsius": 21}), name=call.name)


async def answer(provider: tokenwire.Provider, messages: list[Message]) -> None:
    """Answer the last question, with as many calls of tools as it takes."""
    for _ in range(MAX_TURNS):
        async with provider.complete(messages, CONFIG) as stream:
            completion = await stream.collect()
            how = "only what is new" if stream.response.continued else "the whole conversation"
        print(f"[sent {how}] {completion.text}")
        messages.append(completion.message)
        if not completion.tool_calls:
            return
        messages.append(Message.tool(*map(run_tool, completion.tool_calls)))


async def hold(section: tokenwire.ProviderSection, questions: Sequence[str]) -> int:
    """Hold a whole conversation, and return how many bytes that sent."""
    meter = Meter()
    messages: list[Message] = []
    async with open_provider(section, dial=meter.dial) as provider:
        for question in questions:
            messages.append(Message.user(question))
            await answer(provider, messages)
    return meter.sent_bytes


async def main(questions: Sequence[str]) -> None:
    """Hold the conversation over a socket and over HTTP."""
    section = tokenwire.Config.from_env(os.environ).provider
    for kind in ("openai-responses-ws", "openai-responses"):
        sent_bytes = await hold(attrs.evolve(section, kind=kind), questions)
        print(f"{kind}: {sent_bytes} bytes sent")


if __name__ == "__main__":
    asked = sys.argv[1:] or sys.exit("usage: python socket_tool_loop.py QUESTION [QUESTION ...]")
    try:
        trio.run(main, asked)
    except (tokenwire.ProviderError, tokenwire.ConfigError) as error:
        sys.exit(str(error))
