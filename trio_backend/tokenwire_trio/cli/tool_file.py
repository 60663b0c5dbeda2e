"""Tools as JSON, for ``--tool FILE.json``.

```json
{"name": "weather", "description": "Tell the weather of a city.", "parameters": {
  "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
```

What has neither ``name`` nor ``parameters`` is taken for a bare JSON schema, as many tools write
them: its ``title`` is the tool's name, and its ``description`` the tool's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import click
import msgspec

from tokenwire.provider_config import Tool
from tokenwire_trio.misspelt_member import with_nearest

_Schema: TypeAlias = dict[str, Any]


class _Tool(msgspec.Struct, forbid_unknown_fields=True):
    """A misspelt member is an error, not a member that is silently left out."""

    name: str
    description: str | None = None
    parameters: _Schema = {}  # msgspec copies it for each
    strict: bool | None = None


class _TitledSchema(msgspec.Struct):
    """The members of a JSON schema that say something of the tool."""

    title: str
    description: str | None = None


def tools_from_files(
    _: click.Context, __: click.Parameter, files: Sequence[Path]
) -> tuple[Tool, ...]:
    """Read what was given to a repeatable option."""
    tools: dict[str, Tool] = {}
    for file in files:
        tool = _read_tool(file)
        if tool.name in tools:
            raise click.BadParameter(f"{file}: another tool is called {tool.name!r:.100} already")
        tools[tool.name] = tool
    return tuple(tools.values())


def _read_tool(file: Path) -> Tool:
    try:
        # Untyped first: of a TOML file msgspec would say that it is an array.
        return _tool(msgspec.convert(msgspec.json.decode(file.read_bytes()), _Schema))
    except msgspec.ValidationError as error:
        complaint = with_nearest(error, _Tool)
    except msgspec.DecodeError as error:
        complaint = f"it is no JSON: {error}"
    except (ValueError, OSError, RecursionError) as error:
        complaint = str(error)
    raise click.BadParameter(f"{file}: {complaint}")


def _tool(document: _Schema) -> Tool:
    if "name" in document or "parameters" in document:
        tool = msgspec.convert(document, _Tool)
        return Tool(
            name=tool.name,
            description=tool.description,
            parameters=tool.parameters,
            strict=tool.strict,
        )
    if "title" not in document:
        raise ValueError("a tool needs a `name`, a JSON schema in its place a `title`")
    schema = msgspec.convert(document, _TitledSchema)
    return Tool(name=schema.title, description=schema.description, parameters=document)
