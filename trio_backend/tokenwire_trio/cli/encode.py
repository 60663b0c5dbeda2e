"""`tokenwire encode`: what would be sent, without sending it."""

import os
import sys
from collections.abc import Iterator

import click
import msgspec

from tokenwire.endpoint import Endpoint
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.request import HTTPRequest
from tokenwire.secret import REDACTED, Scrubber, Secret, names_credential
from tokenwire.wire import SOCKET_KINDS, wire_by_kind
from tokenwire_trio.cli.conversation import conversation_options
from tokenwire_trio.cli.ending import ends_with_exit_code
from tokenwire_trio.cli.exit_codes import ExitCode
from tokenwire_trio.cli.provider_options import ProviderOptions, provider_options
from tokenwire_trio.cli.provider_section import load_target
from tokenwire_trio.cli.refusal import Refusal


@click.command()
@ends_with_exit_code
@conversation_options
@provider_options
def encode(options: ProviderOptions, messages: list[Message]) -> ExitCode:
    """Print the HTTP request for PROMPT as JSON, without sending it.

    The options are those of 'tokenwire ask'. Keys in headers and the URL are left out.
    """
    section = load_target(options, os.environ).section
    if section.kind in SOCKET_KINDS:
        raise Refusal(
            f"{section.kind} is spoken over a WebSocket: there is no HTTP request to print"
        )
    exchange = Exchange(wire_by_kind(section.kind), section.endpoint)
    request = exchange.send(messages, section.defaults)
    sys.stdout.buffer.write(_redacted_json(request, section.endpoint) + b"\n")
    sys.stdout.buffer.flush()
    return ExitCode.COMPLETE


def _redacted_json(request: HTTPRequest, endpoint: Endpoint) -> bytes:
    scrubber = Scrubber(_credentials(endpoint))
    document = {
        "method": request.method,
        "url": scrubber.scrub(request.url),
        "headers": {
            name: _redacted(name, scrubber.scrub(value)) for name, value in request.headers
        },
        "body": msgspec.Raw(request.body),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def _credentials(endpoint: Endpoint) -> Iterator[str]:
    """Find the values that are credentials by their type, and those that are so by their name."""
    if isinstance(endpoint.credential, Secret):
        yield endpoint.credential.reveal()
    for name, value in (*endpoint.headers.items(), *endpoint.query.items()):
        if isinstance(value, Secret):
            yield value.reveal()
        elif names_credential(name):
            yield value


def _redacted(header_name: str, value: str) -> str:
    """Hide a credential that is too short to be told from other text, but keep ``Bearer``."""
    if not names_credential(header_name):
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {REDACTED}" if space and header_name == "authorization" else REDACTED
