"""The options that say which provider to ask and with which settings, the same for each command."""

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, final

import attrs
import click

from tokenwire.presets import preset_names
from tokenwire.provider_config import Tool
from tokenwire.wire import SOCKET_KINDS, WIRE_KINDS
from tokenwire_trio.cli.key_values import header_lines, json_items, text_items
from tokenwire_trio.cli.tool_file import tools_from_files

_P = ParamSpec("_P")
_R = TypeVar("_R")


@final
@attrs.frozen(kw_only=True)
class ProviderOptions:
    """What the options of `provider_options` were given, None or empty where they were not."""

    config: Path | None
    preset: str | None
    preset_value: Mapping[str, str]
    wire: str | None
    base_url: str | None
    key_env: str | None
    header: list[tuple[str, str]] = attrs.field(repr=False)
    query: Mapping[str, str] = attrs.field(repr=False)
    quirk: Mapping[str, object]
    ca_file: str | None
    proxy: str | None
    unix_socket: str | None
    allow_plaintext: bool
    timeout: float | None
    model: str | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: tuple[str, ...] = attrs.field(repr=False)
    seed: int | None
    reasoning: str | None
    tool: tuple[Tool, ...]
    extra: Mapping[str, object] = attrs.field(repr=False)

    @property
    def name_an_address(self) -> bool:
        """Whether they say whom to ask."""
        return any(option is not None for option in (self.config, self.preset, self.base_url))

    @property
    def name_a_provider(self) -> bool:
        """Whether they say whom to ask, or how."""
        return self.name_an_address or any((self.wire, self.key_env))


def _preset_names(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """Complete what a shell has of a name."""
    return [name for name in preset_names() if name.startswith(begun)]


#: Needed by `tokenwire decode` too, which has no provider.
wire_option: Final = click.option(
    "--wire",
    type=click.Choice((*WIRE_KINDS, *SOCKET_KINDS)),
    metavar="NAME",  # the list is too long for a line
    help=f"Wire format, see 'tokenwire wires'.  [default: {WIRE_KINDS[0]}]",
)
quirk_option: Final = click.option(
    "--quirk",
    multiple=True,
    metavar="KEY=JSON",
    callback=json_items,
    help="What this server wants otherwise, see 'tokenwire wires'.  [repeatable]",
)

#: For commands that can do without a provider of somebody else's; see `whom_to_ask`.
local_option: Final = click.option(
    "--local", is_flag=True, help="Ask a small model that runs on this machine."
)

_OPTIONS: Final = (
    click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="TOML file with a [provider] table. The other options override it.",
    ),
    click.option(
        "--preset",
        metavar="NAME",
        shell_complete=_preset_names,
        help="Well-known server, see 'tokenwire presets'. The other options override it. The key"
        " comes from the variable that the preset names, unless --key-env names another.",
    ),
    click.option(
        "--preset-value",
        multiple=True,
        metavar="NAME=VALUE",
        callback=text_items,
        help="What the preset's URL has in braces, e.g. region=north.  [repeatable]",
    ),
    wire_option,
    click.option(
        "--base-url", metavar="URL", help="Where the API begins, e.g. https://host.example/v1."
    ),
    click.option("--model", help="Model to ask, in the provider's words."),
    click.option(
        "--key-env",
        metavar="NAME",
        help="Environment variable that holds the key. The key itself is no argument, because"
        " everybody on a machine sees the arguments of its programs.",
    ),
    click.option(
        "--max-tokens", type=int, metavar="N", help="Most model tokens for the answer to have."
    ),
    click.option("--temperature", type=float, metavar="T", help="Sampling temperature, from 0."),
    click.option("--top-p", type=float, metavar="P", help="Nucleus sampling, up to 1."),
    click.option(
        "--stop", multiple=True, metavar="TEXT", help="Text that ends the answer.  [repeatable]"
    ),
    click.option("--seed", type=int, metavar="N", help="For repeatable answers."),
    click.option("--reasoning", metavar="EFFORT", help="How much to reason, e.g. low or high."),
    click.option(
        "--tool",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE.json",
        callback=tools_from_files,
        help='Tool that the model may call: {"name": …, "description": …, "parameters": SCHEMA}, or'
        " a JSON schema whose title is the name.  [repeatable]",
    ),
    click.option(
        "--extra",
        multiple=True,
        metavar="KEY=JSON",
        callback=json_items,
        help="Member to add to the request body, e.g. top_k=40.  [repeatable]",
    ),
    click.option(
        "--header",
        multiple=True,
        metavar="'NAME: VALUE'",
        callback=header_lines,
        help="Request header to add.  [repeatable]",
    ),
    click.option(
        "--query",
        multiple=True,
        metavar="NAME=VALUE",
        callback=text_items,
        help="Query parameter to add to the URL.  [repeatable]",
    ),
    quirk_option,
    click.option(
        "--ca-file",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="PEM file with certificate authorities to trust besides the system's.",
    ),
    click.option(
        "--proxy",
        metavar="URL",
        help="Proxy to go through, e.g. http://host.example:3128 or socks5h://…; 'env' for the one"
        " that HTTPS_PROXY and its like name.",
    ),
    click.option(
        "--unix-socket",
        metavar="PATH",
        help="Unix socket to connect to, in place of the URL's host and port.",
    ),
    click.option(
        "--allow-plaintext",
        is_flag=True,
        help="Send the key over http:// to other machines too.",
    ),
    click.option(
        "--timeout", type=float, metavar="SECONDS", help="Most time for the whole answer to take."
    ),
)


def provider_options(
    command: Callable[Concatenate[ProviderOptions, _P], _R],
) -> Callable[_P, _R]:
    """Add the options to a command, which gets them as its first argument."""

    @wraps(command)
    def with_options(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        # What click gives has the types of the options above, which no type checker sees.
        given: dict[str, Any] = {
            field.name: kwargs.pop(field.name) for field in attrs.fields(ProviderOptions)
        }
        return command(ProviderOptions(**given), *args, **kwargs)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options
