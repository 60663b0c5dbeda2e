"""Function calls come whole or in pieces."""

from __future__ import annotations

import json

import pytest

from fuzz.exchanges import Response
from tests.recordings import outcome_of
from tests.sansio.wire.gemini.streams import call, chunk, piece, read, read_body, stream
from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError
from tokenwire.tokens import ToolCallDelta
from tokenwire.wire.gemini.signatures import Signature

PACKED = Signature("c2ln").pack()


def test_a_whole_call_is_one_token() -> None:
    """Its arguments are the JSON text as the model wrote it."""
    body = (
        b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"7bdf4dc4",'
        b'"name":"look","args":{ "x": 210.50 }},"thoughtSignature":"c2ln"}]},'
        b'"finishReason":"STOP"}]}\n\n'
    )
    assert read_body(body).events[0] == ToolCallDelta(
        0, "7bdf4dc4", "look", '{ "x": 210.50 }', signature=PACKED
    )


def test_calls_without_ids_are_named_by_their_place() -> None:
    """In the answer, and with its id where it has one."""
    calls = chunk(call("look", {}), call("look", {}), finish="STOP")
    assert [token.id for token in read(calls) if isinstance(token, ToolCallDelta)] == [
        "call_0",
        "call_1",
    ]
    named = read(calls | {"responseId": "r-1"})
    assert [token.id for token in named if isinstance(token, ToolCallDelta)] == [
        "call_0_r-1",
        "call_1_r-1",
    ]


@pytest.mark.parametrize("args", ["null", "[1]"])
def test_arguments_that_are_no_object_are_none(args: str) -> None:
    """A function without parameters may have them null."""
    body = (
        b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"look","args":%s}}]},'
        b'"finishReason":"STOP"}]}\n\n' % args.encode()
    )
    assert read_body(body).events[0] == ToolCallDelta(0, "call_0", "look")


def test_arguments_that_are_no_utf8_are_malformed() -> None:
    """They would not be text."""
    body = (
        b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"look",'
        b'"args":{"a":"\xff"}}}]}}]}\n\n'
    )
    [error] = read_body(body).events
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "utf8"


def test_half_a_character_in_arguments_is_replaced() -> None:
    """It could not be encoded again."""
    body = (
        b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"look","id":5,'
        b'"args":{"a":"\\ud83d"}}}]},"finishReason":"STOP"}]}\n\n'
    )
    assert read_body(body).events[0] == ToolCallDelta(
        0, "call_0", "look", '{"a":"\N{REPLACEMENT CHARACTER}"}'
    )


def test_a_call_in_pieces_ends_with_its_arguments() -> None:
    """The name comes at once, and a signature when it comes."""
    signed = piece("$.city", stringValue="Par", willContinue=True) | {"thoughtSignature": "c2ln"}
    tokens = read(
        chunk(call("look", willContinue=True)),
        chunk(signed),
        chunk(piece("$.city", stringValue="is", willContinue=True)),
        chunk(piece("$.city", stringValue="")),
        chunk({"functionCall": {}}, finish="STOP"),
    )
    assert tokens[:-1] == [
        ToolCallDelta(0, "call_0", "look"),
        ToolCallDelta(0, signature=PACKED),
        ToolCallDelta(0, arguments='{"city":"Paris"}'),
    ]


def test_pieces_have_their_places_in_the_arguments() -> None:
    """Objects and arrays of all kinds of values."""
    tokens = read(
        chunk(call("look", willContinue=True)),
        chunk(
            piece("$.a[0].b", numberValue=1.5),
            piece("$.a[0]['c d']", boolValue=True),
            piece('$.a[1]["e.f"]', nullValue="NULL_VALUE"),
            piece("$.g[0][0]", stringValue="h", last=True),
            finish="STOP",
        ),
    )
    assert isinstance(tokens[1], ToolCallDelta)
    assert json.loads(tokens[1].arguments) == {
        "a": [{"b": 1.5, "c d": True}, {"e.f": None}],
        "g": [["h"]],
    }


def test_a_new_name_ends_the_call_before() -> None:
    """Even if that did not say so."""
    tokens = read(
        chunk(call("look", willContinue=True), piece("$.a", stringValue="b")),
        chunk(call("listen", {}), finish="STOP"),
    )
    assert tokens[:-1] == [
        ToolCallDelta(0, "call_0", "look"),
        ToolCallDelta(0, arguments='{"a":"b"}'),
        ToolCallDelta(1, "call_1", "listen", "{}"),
    ]


def test_the_end_of_the_answer_ends_an_open_call() -> None:
    """Its arguments are not lost."""
    tokens = read(
        chunk(call("look", willContinue=True), piece("$.a", stringValue="b"), finish="STOP")
    )
    assert tokens[1] == ToolCallDelta(0, arguments='{"a":"b"}')


def test_pieces_without_a_call_are_passed_over() -> None:
    """They belong to nothing."""
    assert len(read(chunk(piece("$.a", stringValue="b"), finish="STOP"))) == 1


@pytest.mark.parametrize(
    "paths",
    [
        ["a"],
        ["$"],
        ["$.a b[x]"],
        ["$.a[1]"],
        ["$.a[9999999999]"],
        ["$[0]"],
        ["$.a", "$.a.b"],
        ["$.a[0]", "$.a.b"],
        [5],
    ],
)
def test_a_piece_without_a_place_is_malformed(paths: list[str]) -> None:
    """Guessing would give wrong arguments."""
    pieces = (piece(path, stringValue="x") for path in paths)
    *_, error = read(chunk(call("look", willContinue=True), *pieces))
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "schema"


@pytest.mark.parametrize(
    ("limits", "parts"),
    [
        (Limits(tool_calls=1), [call("a", {}), call("b", {})]),
        (Limits(json_depth=8), [call("a", willContinue=True), piece("$" + ".a" * 9, boolValue=1)]),
        (
            Limits(answer_bytes=2000),
            [call("a", willContinue=True), *[piece("$.a", stringValue="x" * 200)] * 3],
        ),
        (
            Limits(answer_bytes=2000),
            [call("a", willContinue=True), *[piece("$.a", stringValue="\N{SNOWMAN}" * 200)] * 2],
        ),
    ],
    ids=["tool_calls", "json_depth", "answer_bytes", "wide answer_bytes"],
)
def test_limits_hold(limits: Limits, parts: list[dict[str, object]]) -> None:
    """For the number of calls, the depth and the size of arguments."""
    body = stream(*(chunk(part) for part in parts))
    *_, error = outcome_of("gemini", Response(body), limits=limits).events
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "limit"


def test_open_calls_of_all_candidates_share_a_limit() -> None:
    """Each alone would be within it."""
    open_call = [call("a", willContinue=True), piece("$.a", stringValue="x" * 200)]
    candidates = [chunk(*open_call, index=index) for index in range(3)]
    *_, error = outcome_of(
        "gemini", Response(stream(*candidates)), limits=Limits(answer_bytes=2000)
    ).events
    assert isinstance(error, MalformedResponseError)
    assert "limits.answer_bytes" in error.message


def test_a_call_that_ends_gives_back_what_it_took() -> None:
    """Many calls in pieces are no reason to fail."""
    calls = [
        chunk(call("a", willContinue=True), piece("$.a", stringValue="x", last=True))
        for _ in range(20)
    ]
    tokens = read(*calls, chunk(finish="STOP"))
    assert len(tokens) == 41


def test_a_value_that_is_no_scalar_is_null() -> None:
    """However deep it nests."""
    tokens = read(
        chunk(call("look", willContinue=True)),
        chunk(piece("$.a", numberValue={"b": [1]}, last=True), finish="STOP"),
    )
    assert tokens[1] == ToolCallDelta(0, arguments='{"a":null}')
