"""A tiny language model written by hand, which llama.cpp loads and runs like any other.

Its tokenizer, chat template, sampling, grammars and event stream are the server's real ones. Only
the weights are made instead of trained: attention and feed-forward layer are zero, so the last
token alone decides the next one. `_followers` says how; `_matrices` turns that into weights.

It answers every conversation with `ANSWER`. Offered a tool, it calls one, with `TOOL_TEXT` and
`TOOL_NUMBER` as arguments; so it does wherever a JSON schema is asked for. Asked to think, with
`"chat_template_kwargs": {"think": true}`, it thinks `THOUGHT` first. Told to
`"ignore_eos"`, it repeats its answer, a line each, until `max_tokens`.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

# No word may occur twice in these, since a word decides the next one.
ANSWER = "Hello there! Small models say little: naïve words, 日本語, and a wave 👋 at the end."
THOUGHT = "Every question like this one deserves thought."
TOOL_TEXT = "Oslo"
TOOL_NUMBER = 7

CONTEXT_TOKENS = 16384

_BYTES = [f"<0x{value:02X}>" for value in range(256)]
_NEWLINE, _TAB = _BYTES[ord("\n")], _BYTES[ord("\t")]
_UNKNOWN, _BEGIN, _TURN, _END_TURN = "<unk>", "<s>", "<|im_start|>", "<|im_end|>"
_THINK, _END_THINK, _CALL, _END_CALL = "<think>", "</think>", "<tool_call>\n", "</tool_call>"
_JSON_TEXT, _JSON_NUMBER = f'"{TOOL_TEXT}"', str(TOOL_NUMBER)

# A prompt ends in a newline to ask for an answer, in a tab to ask for a tool call.
_CHAT_TEMPLATE = """\
{%- if tools -%}
  {{- '<|im_start|>system\\n<tools>' -}}
  {%- for tool in tools -%}{{- '\\n' + (tool | tojson) -}}{%- endfor -%}
  {{- '\\n</tools><|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {%- if message.role == 'tool' -%}
    {{- '<|im_start|>user\\n<tool_response>\\n' + message.content -}}
    {{- '\\n</tool_response><|im_end|>\\n' -}}
  {%- else -%}
    {{- '<|im_start|>' + message.role + '\\n' -}}
    {%- if message.reasoning_content -%}
      {{- '<think>' + message.reasoning_content + '</think>\\n' -}}
    {%- endif -%}
    {{- message.content or '' -}}
    {%- for call in message.tool_calls or [] -%}
      {{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' -}}
      {{- (call.function.arguments | tojson) + '}\\n</tool_call>' -}}
    {%- endfor -%}
    {{- '<|im_end|>\\n' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant' -}}
  {%- if tools and messages[-1].role != 'tool' -%}{{- '\\t' -}}
  {%- elif think -%}{{- '\\n<think>' -}}
  {%- else -%}{{- '\\n' -}}
  {%- endif -%}
{%- endif -%}
"""

# How the format numbers the types of metadata values and of tensors.
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_TENSOR_FLOAT32, _TENSOR_FLOAT16 = 0, 1
_ALIGNMENT = 32

# How llama.cpp numbers the types of tokens.
_NORMAL, _UNDEFINED, _CONTROL, _USER_DEFINED, _BYTE = 1, 2, 3, 4, 6

# Numbers in a token's vector. The vectors are orthogonal, so as many tokens can be told apart.
_WIDTH = 64

# The score of the best follower, and how far behind it each next one is: at any usual temperature,
# the best that is allowed is as good as certain.
_BEST_SCORE, _SCORE_STEP = 96, 8


def write_model(path: Path) -> None:
    """Write the model to a file, in some hundredths of a second and about 200 KiB."""
    followers, vocabulary = _followers(), _vocabulary()
    metadata = _metadata(vocabulary)
    tensors = _tensors(followers, list(vocabulary))
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))
    header += b"".join(_string(key) + value for key, value in metadata.items())
    data = b""
    for name, (shape, kind, numbers) in tensors.items():
        header += _string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        header += struct.pack("<IQ", kind, len(data))
        data += _aligned(numbers)
    path.write_bytes(_aligned(header) + data)


def _pieces(sentence: str) -> list[str]:
    """Cut a sentence into tokens: a word each, an emoji byte by byte.

    A character in several tokens makes the server hold back text until the character is whole.
    """
    pieces: list[str] = []
    for word in sentence.replace(" ", " ▁").split(" "):  # "▁" is this tokenizer's space
        if word.lstrip("▁") > "\uffff":
            pieces += ["▁", *(_BYTES[value] for value in word.lstrip("▁").encode())]
        else:
            pieces.append(word)
    return pieces


def _followers() -> dict[str, list[str]]:
    """Return what may follow each token, the likeliest first; "" stands for all other tokens."""
    answer, thought = _pieces(ANSWER), _pieces(THOUGHT)
    chains = [
        [_NEWLINE, *answer, _END_TURN],
        [_THINK, *thought, _END_THINK, _NEWLINE],
        [_TAB, _CALL],
        [_END_CALL, _END_TURN],
    ]
    pairs = [pair for chain in chains for pair in pairwise(chain)]
    followers = {token: [follower] for token, follower in pairs}
    assert len(followers) == len(pairs), "a word occurs twice"
    followers[answer[-1]].append(_NEWLINE)  # where the server forbids the end
    # JSON is written under a grammar. Of what it allows, this makes the shortest values.
    ends = [_END_TURN, _END_CALL, *(_BYTES[ord(mark)] for mark in '"}],:')]
    followers[_JSON_TEXT] = followers[_JSON_NUMBER] = ends
    followers[""] = [_JSON_TEXT, _JSON_NUMBER, *ends, *(_BYTES[ord(mark)] for mark in "{[t")]
    followers[_NEWLINE].append(_END_CALL)
    return followers


def _vocabulary() -> dict[str, int]:
    """Return each token's type, in the order of their numbers."""
    words = [*_pieces(ANSWER), *_pieces(THOUGHT), _CALL, _END_CALL, _JSON_TEXT, _JSON_NUMBER]
    return {
        _UNKNOWN: _UNDEFINED,
        **dict.fromkeys([_BEGIN, _TURN, _END_TURN], _CONTROL),
        **dict.fromkeys([_THINK, _END_THINK], _USER_DEFINED),
        **dict.fromkeys([word for word in words if word not in _BYTES], _NORMAL),
        **dict.fromkeys(_BYTES, _BYTE),
    }


def _tensors(
    followers: Mapping[str, Sequence[str]], tokens: Sequence[str]
) -> dict[str, tuple[tuple[int, ...], int, bytes]]:
    """Return each tensor's shape, type and numbers."""
    embedding, output = _matrices(followers, tokens)
    ones = ((_WIDTH,), _TENSOR_FLOAT32, struct.pack(f"<{_WIDTH}f", *[1.0] * _WIDTH))
    zeros = ((_WIDTH, _WIDTH), _TENSOR_FLOAT16, bytes(2 * _WIDTH * _WIDTH))
    silent = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
    return {
        "token_embd.weight": ((_WIDTH, len(tokens)), _TENSOR_FLOAT16, _float16(embedding)),
        "output.weight": ((_WIDTH, len(tokens)), _TENSOR_FLOAT16, _float16(output)),
        "output_norm.weight": ones,
        "blk.0.attn_norm.weight": ones,
        "blk.0.ffn_norm.weight": ones,
        **{f"blk.0.{name}.weight": zeros for name in silent},
    }


def _matrices(
    followers: Mapping[str, Sequence[str]], tokens: Sequence[str]
) -> tuple[list[list[float]], list[list[float]]]:
    """Return the embedding and the output matrix, a row for each token.

    A token that has followers of its own gets an embedding of its own, and the others share one.
    A token's score is its output row times the last token's embedding. Embeddings are orthogonal,
    so an output row that adds up `score * embedding / width` of all tokens that it may follow
    gives just those scores, and zero after any other token.
    """
    vectors = {token: _walsh(number) for number, token in enumerate(followers)}
    embedding = [vectors.get(token, vectors[""]) for token in tokens]
    output = {token: [0.0] * _WIDTH for token in tokens}
    for token, vector in vectors.items():
        for rank, follower in enumerate(followers[token]):
            score = _BEST_SCORE - rank * _SCORE_STEP
            row = output[follower]
            output[follower] = [
                old + score * element / _WIDTH for old, element in zip(row, vector, strict=True)
            ]
    return embedding, list(output.values())


def _walsh(number: int) -> list[float]:
    """Return one of `_WIDTH` vectors of 1 and -1 that are orthogonal to each other."""
    assert number < _WIDTH
    return [-1.0 if (number & column).bit_count() % 2 else 1.0 for column in range(_WIDTH)]


def _metadata(vocabulary: Mapping[str, int]) -> dict[str, bytes]:
    """Return the model's description, each value in the file's form."""
    tokens = list(vocabulary)
    # The tokenizer merges what scores highest first. Prompts mean nothing here, so all are equal.
    scores = [0.0] * len(tokens)
    return {
        "general.architecture": _text("llama"),
        "general.name": _text("tokenwire-test"),
        "llama.context_length": _uint32(CONTEXT_TOKENS),
        "llama.embedding_length": _uint32(_WIDTH),
        "llama.feed_forward_length": _uint32(_WIDTH),
        "llama.block_count": _uint32(1),
        "llama.attention.head_count": _uint32(1),
        "llama.attention.layer_norm_rms_epsilon": struct.pack("<If", _FLOAT32, 1e-6),
        "llama.rope.dimension_count": _uint32(_WIDTH),
        "tokenizer.ggml.model": _text("llama"),
        "tokenizer.ggml.tokens": _array(_STRING, map(_string, tokens)),
        "tokenizer.ggml.scores": _array(_FLOAT32, (struct.pack("<f", score) for score in scores)),
        "tokenizer.ggml.token_type": _array(
            _INT32, (struct.pack("<i", kind) for kind in vocabulary.values())
        ),
        "tokenizer.ggml.bos_token_id": _uint32(tokens.index(_BEGIN)),
        "tokenizer.ggml.eos_token_id": _uint32(tokens.index(_END_TURN)),
        "tokenizer.ggml.unknown_token_id": _uint32(tokens.index(_UNKNOWN)),
        "tokenizer.ggml.add_space_prefix": struct.pack("<I?", _BOOL, False),
        "tokenizer.chat_template": _text(_CHAT_TEMPLATE),
    }


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)


def _float16(rows: Iterable[Sequence[float]]) -> bytes:
    return b"".join(struct.pack(f"<{len(row)}e", *row) for row in rows)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _text(text: str) -> bytes:
    return struct.pack("<I", _STRING) + _string(text)


def _uint32(number: int) -> bytes:
    return struct.pack("<II", _UINT32, number)


def _array(kind: int, items: Iterable[bytes]) -> bytes:
    elements = list(items)
    return struct.pack("<IIQ", _ARRAY, kind, len(elements)) + b"".join(elements)
