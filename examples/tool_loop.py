"""Let a model call a tool, give it the result, and go on until it answers in words.

    TOKENWIRE_PROVIDER_PRESET=openai TOKENWIRE_PROVIDER_MODEL=some-model \
    TOKENWIRE_PROVIDER_CREDENTIAL_ENV=OPENAI_API_KEY \
    python examples/tool_loop.py "What will the weather be like in Oslo this week?"

Every wire format takes the same program: `tokenwire presets` lists the servers to choose from. The
answer goes back as it came, or, to servers that take no reasoning, `message.without_reasoning()`.
"""

import json
import os
import sys
from typing import Final

import trio

import tokenwire
from tokenwire import Message, ToolCall, ToolResult
from tokenwire_trio import open_provider

MAX_TURNS: Final = 8  # a model that calls tools for ever costs money for ever

WEATHER: Final = tokenwire.Tool(
    name="weather",
    description="Tell the weather of a city for the next days.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
)


def weather(city: str, days: int) -> object:
    """Tell the weather; a real program would look it up."""
    return [{"city": city, "day": day, "sky": "clear", "celsius": 20} for day in range(days)]


TOOLS: Final = {"weather": weather}


def run_tool(call: ToolCall) -> ToolResult:
    """Return what the tool says, or tell the model of its mistake, so that it can do better."""
    print(f"[{call.name} {call.arguments}]")
    try:
        text = json.dumps(TOOLS[call.name](**json.loads(call.arguments or "{}")))
    except (ValueError, TypeError, KeyError) as error:  # a model may write anything
        text = json.dumps({"error": f"{type(error).__name__}: {error}"})
    return ToolResult(call_id=call.id, text=text, name=call.name)


async def ask(provider: tokenwire.Provider, messages: list[Message]) -> tokenwire.Completion:
    """Print an answer while it comes, and return the whole."""
    config = tokenwire.ProviderConfig(tools=[WEATHER], max_output_tokens=1000)
    async with provider.complete(messages, config) as stream:
        async for token in stream:
            print(token.text, end="", flush=True)
        print(end="\n" if stream.partial().text else "")
        return stream.partial()


async def main(question: str) -> None:
    """Answer a question, with as many calls of tools as it takes."""
    messages = [Message.user(question)]
    async with open_provider(tokenwire.Config.from_env(os.environ).provider) as provider:
        for _ in range(MAX_TURNS):
            answer = await ask(provider, messages)
            if not answer.tool_calls:
                return
            messages += [answer.message, Message.tool(*map(run_tool, answer.tool_calls))]
        sys.exit(f"no answer after {MAX_TURNS} turns")


if __name__ == "__main__":
    try:
        trio.run(main, " ".join(sys.argv[1:]) or sys.exit("usage: python tool_loop.py QUESTION"))
    except (tokenwire.ProviderError, tokenwire.ConfigError) as error:
        sys.exit(str(error))
