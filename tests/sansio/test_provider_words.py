"""What belongs to one provider is named in its wire package or the presets, and nowhere else.

The words are found, not listed: every name of more than one word (``finish_reason``,
``usageMetadata``, ``x-request-id``) and every path that a wire package writes as a string or as the
field of a struct, and every name of a provider. Comments and docstrings may cite a provider as a
reason; code may not know it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

import tokenwire
from tokenwire.presets import preset, preset_names
from tokenwire.wire import SOCKET_KINDS, WIRE_KINDS

_CORE: Final = Path(tokenwire.__file__).parent
_WIRES: Final = _CORE / "wire"
_REGISTRY: Final = _WIRES / "__init__.py"

#: Parts of presets' names and hosts that name no provider; "together" is also plain English.
_NO_NAMES: Final = frozenset(
    re.findall(
        "[a-z]+",
        "ai api app aws chat classic cloud com compat cpp dev generativelanguage inference io lm"
        " localhost location mantle net region resource responses runtime studio together"
        " workspace xyz",
    )
)

#: Two or more words joined as APIs join them, or a path of their own.
_API_WORD: Final = re.compile(
    r"[a-z]+(?:_[a-z0-9]+)+|[a-z]+(?:-[a-z0-9]+)+|[a-z]+(?:[A-Z][a-z0-9]+)+|/[a-z]+(?:/[a-z]+)*"
)

#: Words of an API that are ours as well: settings, parts of messages, finish reasons, kinds of
#: errors, limits. A word enters here only with a meaning that every wire format shares.
_OUR_OWN: Final = frozenset(
    re.findall(
        r"\S+",
        "answer_bytes cache_write_tokens cached_tokens call_id content_filter context_length"
        " event_id image_url input_tokens is_error json_depth max_output_tokens"
        " max_tokens media_type not_found output_tokens rate_limits reasoning_tokens request_id"
        " response_id response_schema rotate_after tool_calls tool_choice top_p total_tokens utf-8"
        " x-request-id",
    )
)


def _strings(tree: ast.AST) -> Iterator[str]:
    """Find all string literals but docstrings."""
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            if isinstance(node.value, str):
                yield node.value
            elif isinstance(node.value, bytes):
                yield node.value.decode("latin-1")


def _names(tree: ast.AST) -> Iterator[str]:
    """Find all identifiers."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.keyword(arg=str(name)) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name):
                yield name
            case _:
                pass


def _struct_fields(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(
            "Struct" in ast.unparse(base) for base in node.bases
        ):
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    yield item.target.id


def _words_of_wires() -> frozenset[str]:
    """Find the words of every API."""
    return frozenset(
        word
        for file in _WIRES.glob("*/*.py")
        for tree in [ast.parse(file.read_text("utf-8"))]
        for word in (*_strings(tree), *_struct_fields(tree))
        if _API_WORD.fullmatch(word)
    )


def _provider_names() -> frozenset[str]:
    """Find the names of providers: in presets, their hosts, and wire formats."""
    known = [preset(name) for name in preset_names()]
    hosts = [urlsplit(server.base_url).hostname or "" for server in known]
    texts = [*WIRE_KINDS, *preset_names(), *hosts]
    words = {word for text in texts for word in re.findall("[a-z]{2,}", text)}
    return frozenset(words - _NO_NAMES) | {"claude", "google", "gpt"}


def _foreign_words(source: str, api_words: frozenset[str], names: frozenset[str]) -> set[str]:
    """Find what a module of the core must not say."""
    tree = ast.parse(source)
    said = {*_names(tree)}
    for text in _strings(tree):
        said.update(re.findall(r"[\w-]+|/[\w/]+", text))
    # ``OpenAIChat`` says OpenAI, too.
    simple = {part.lower() for word in said for part in re.findall("[A-Za-z]+", word)}
    return (said & api_words) | {name for name in names if any(name in word for word in simple)}


_API_WORDS: Final = _words_of_wires() - _OUR_OWN
_PROVIDERS: Final = _provider_names()
_MODULES: Final = sorted(
    str(file.relative_to(_CORE))
    for file in _CORE.rglob("*.py")
    if file.parent.parent != _WIRES and file != _REGISTRY
)


@pytest.mark.parametrize("module", _MODULES)
def test_the_core_knows_no_provider(module: str) -> None:
    """No word of one API, and no provider's name, stands in the code that all of them share."""
    source = (_CORE / module).read_text("utf-8")
    assert not _foreign_words(source, _API_WORDS, _PROVIDERS)


def test_the_registry_names_wire_formats_and_nothing_else() -> None:
    """It maps names to packages, and knows no word of an API."""
    kinds = frozenset((*WIRE_KINDS, *SOCKET_KINDS))
    assert not _foreign_words(_REGISTRY.read_text("utf-8"), _API_WORDS - kinds, frozenset())


def test_no_word_is_excused_in_vain() -> None:
    """What is no word of any API needs no excuse."""
    assert _words_of_wires() >= _OUR_OWN


@pytest.mark.parametrize(
    "source",
    [
        "x = body['finish_reason']",
        "def f(stop_reason): ...",
        "x = f'{base}/chat/completions'",
        "headers[b'x-api-key'] = key",
        "chunk.usageMetadata",
        "class AnthropicHeaders: ...",
        "if 'openrouter' in base_url: ...",
        "URL = 'https://api.x.example/v1/groq'",
        "from elsewhere import OllamaAnswer",
    ],
)
def test_a_word_of_one_provider_is_found(source: str) -> None:
    """The check above can fail: as a string, a name, a path, a header, in parts of either."""
    assert _foreign_words(source, _API_WORDS, _PROVIDERS)


def test_prose_may_cite_a_provider() -> None:
    """A reason for something shared is no knowledge of one."""
    source = '"""Openrouter sends finish_reason."""\nx = 1  # groq: x_groq\n'
    assert not _foreign_words(source, _API_WORDS, _PROVIDERS)
