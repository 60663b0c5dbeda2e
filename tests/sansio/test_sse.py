"""Event streams: each rule of the standard, each limit, and what the decoder adds."""

import pytest

from tokenwire.endpoint import Limits
from tokenwire.sse import LimitExceeded, ServerSentEvent, SSEDecoder, SSEItem

BOM = b"\xef\xbb\xbf"


def decode(
    body: bytes, limits: Limits | None = None, *, error_field: bool = False
) -> list[SSEItem]:
    """Decode a body at once, and check that it gives the same cut anywhere and byte by byte."""
    items = SSEDecoder(limits, error_field=error_field).receive_data(body)
    for cut in range(len(body) + 1):
        decoder = SSEDecoder(limits, error_field=error_field)
        assert decoder.receive_data(body[:cut]) + decoder.receive_data(body[cut:]) == items
    decoder = SSEDecoder(limits, error_field=error_field)
    assert [i for n in range(len(body)) for i in decoder.receive_data(body[n : n + 1])] == items
    return items


def data_of(body: bytes) -> list[bytes]:
    """Return the data of each event of a body."""
    return [item.data for item in decode(body) if isinstance(item, ServerSentEvent)]


def tail_of(body: bytes, limits: Limits | None = None) -> ServerSentEvent | None:
    """Return what the end of a body that ends without a blank line holds."""
    decoder = SSEDecoder(limits)
    decoder.receive_data(body)
    by_bytes = SSEDecoder(limits)
    for number in range(len(body)):
        by_bytes.receive_data(body[number : number + 1])
    tail = decoder.receive_eof()
    assert by_bytes.receive_eof() == tail
    return tail


def test_a_block_is_an_event() -> None:
    """The plain case: one line of data, and a blank line."""
    assert decode(b"data: hello\n\n") == [ServerSentEvent(b"hello", "message", "", None)]


def test_blocks_are_events_in_order() -> None:
    """One read may bring many."""
    assert data_of(b"data: a\n\ndata: b\n\ndata: c\n\n") == [b"a", b"b", b"c"]


def test_named_blocks_are_events_in_order() -> None:
    """One read may bring many of those too, also with an empty name."""
    assert decode(b"event: x\ndata: a\n\nevent: \ndata: b\n\nevent: \xff\ndata: c\n\n") == [
        ServerSentEvent(b"a", "x"),
        ServerSentEvent(b"b", "message"),
        ServerSentEvent(b"c", "\ufffd"),
    ]


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"event: x\ndata: a\ndata: b\n\nevent: x\n\n", [b"a\nb"]),
        (b"event: x\n\nevent: x\ndata: a\ndata: b\n\n", [b"a\nb"]),
        (b"event: x\nid: 1\n\nevent: x\ndata: a\n\n", [b"a"]),
        (b"event: x\ndata: a\n\ndata: b\n\nevent: x\ndata: c\n\n", [b"a", b"b", b"c"]),
        (b"data: a\n\nevent: x\ndata: b\n\ndata: c\n\n", [b"a", b"b", b"c"]),
        (b"event: x\ndata: a\n\n\n\nevent: x\ndata: b\n\n", [b"a", b"b"]),
    ],
)
def test_blocks_of_several_kinds_are_told_apart(body: bytes, data: list[bytes]) -> None:
    """A read whose blocks are nearly all alike is read as exactly as any other."""
    assert data_of(body) == data


def test_the_last_id_goes_with_plain_blocks_that_have_none() -> None:
    """Also where several come in one read."""
    decoder = SSEDecoder()
    decoder.receive_data(b"id: 7\n\n")
    items = decoder.receive_data(b"data: a\n\ndata: b\n\n")
    assert [item.id for item in items if isinstance(item, ServerSentEvent)] == ["7", "7"]


def test_the_last_id_goes_with_named_blocks_that_have_none() -> None:
    """It holds until another one comes."""
    items = decode(b"id: 7\ndata: a\n\nevent: x\ndata: b\n\nevent: x\ndata: c\n\n")
    assert [item.id for item in items if isinstance(item, ServerSentEvent)] == ["7", "7", "7"]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_end_in_three_ways(end: bytes) -> None:
    """LF, CR and CRLF are all line ends, and CRLF is one."""
    assert data_of(b"data: a" + end + end + b"data: b" + end + end) == [b"a", b"b"]


def test_line_ends_may_be_mixed() -> None:
    """Proxies rewrite some of them."""
    assert data_of(b"data: a\r\n\ndata: b\n\r\ndata: c\r\rdata: d\n\n") == [b"a", b"b", b"c", b"d"]


def test_lf_behind_cr_at_the_start_of_a_read_is_one_end() -> None:
    """The line end that was cut in two is not a blank line."""
    decoder = SSEDecoder()
    assert decoder.receive_data(b"data: a\r") == []
    assert decoder.receive_data(b"") == []
    assert decoder.receive_data(b"\ndata: b\r\n") == []
    assert decoder.receive_data(b"\r") == [ServerSentEvent(b"a\nb")]
    assert decoder.receive_data(b"\n\ndata: c\n\n") == [ServerSentEvent(b"c")]


def test_cr_that_ends_no_read_is_forgotten() -> None:
    """An LF later on is a line end of its own."""
    decoder = SSEDecoder()
    assert decoder.receive_data(b"data: a\rdata: b") == []
    assert decoder.receive_data(b"\n\n") == [ServerSentEvent(b"a\nb")]


@pytest.mark.parametrize(
    "character", ["\u0085", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1e"]
)
def test_nothing_else_ends_a_line(character: str) -> None:
    """What `str.splitlines` would break at is ordinary text inside JSON."""
    body = f"data: a{character}b\n\n"
    assert data_of(body.encode()) == [f"a{character}b".encode()]


def test_several_data_lines_are_joined_by_lf() -> None:
    """JSON may be spread over lines."""
    assert data_of(b"data: {\ndata: }\n\n") == [b"{\n}"]
    assert data_of(b"data\ndata\n\n") == [b"\n"]
    assert data_of(b"data: a\ndata:\ndata: b\n\n") == [b"a\n\nb"]


@pytest.mark.parametrize(
    ("line", "data"),
    [
        (b"data:a", b"a"),
        (b"data: a", b"a"),
        (b"data:  a", b" a"),
        (b"data:\ta", b"\ta"),
        (b"data: a ", b"a "),
        (b"data: a: b", b"a: b"),
        (b"data:", b""),
        (b"data: ", b""),
        (b"data", b""),
    ],
)
def test_one_space_behind_the_colon_is_dropped(line: bytes, data: bytes) -> None:
    """Exactly one, and only a space; a field without a colon is empty."""
    assert data_of(line + b"\n\n") == [data]


@pytest.mark.parametrize(
    "line", [b" data: a", b"Data: a", b"dat: a", b"datas: a", b"data : a", b"unknown: a", b"a"]
)
def test_other_fields_are_ignored(line: bytes) -> None:
    """Names are compared byte for byte, and an event without data is none."""
    assert decode(line + b"\n\n") == []


def test_comments_are_ignored() -> None:
    """Keep-alives begin with a colon, inside a block and between blocks."""
    assert data_of(b": ping\n\n:\n:data: x\ndata: a\n: ping\ndata: b\n\n") == [b"a\nb"]


@pytest.mark.parametrize("body", [b"\n", b"\n\n\n", b"event: x\n\n", b"id: 1\n\n", b"retry: 1\n\n"])
def test_a_block_without_data_is_no_event(body: bytes) -> None:
    """Blank lines and lone fields dispatch nothing."""
    assert decode(body) == []


def test_the_event_type_belongs_to_one_event() -> None:
    """The next block begins as a message again."""
    assert decode(b"event: a\ndata: 1\n\ndata: 2\n\n") == [
        ServerSentEvent(b"1", "a"),
        ServerSentEvent(b"2", "message"),
    ]


def test_the_last_event_type_of_a_block_counts() -> None:
    """An empty one is the default."""
    assert decode(b"event: a\nevent: b\ndata: 1\n\n") == [ServerSentEvent(b"1", "b")]
    assert decode(b"event: a\nevent\ndata: 1\n\n") == [ServerSentEvent(b"1", "message")]


def test_the_event_type_is_forgotten_without_data() -> None:
    """A block that dispatches nothing leaves nothing behind."""
    assert decode(b"event: a\n\ndata: 1\n\n") == [ServerSentEvent(b"1", "message")]


def test_an_id_stays_until_the_next() -> None:
    """Unlike the type it belongs to the stream, also from a block without data."""
    assert decode(b"id: 1\ndata: a\n\ndata: b\n\nid: 2\n\ndata: c\n\nid\ndata: d\n\n") == [
        ServerSentEvent(b"a", id="1"),
        ServerSentEvent(b"b", id="1"),
        ServerSentEvent(b"c", id="2"),
        ServerSentEvent(b"d", id=""),
    ]


def test_an_id_counts_from_the_end_of_its_block() -> None:
    """A client that reconnects in the middle of a block asks for what came before it."""
    decoder = SSEDecoder()
    decoder.receive_data(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
    assert decoder.last_event_id == "1"
    decoder.receive_data(b"\n")
    assert decoder.last_event_id == "2"


def test_an_id_with_nul_is_ignored() -> None:
    """The one before it stays."""
    assert decode(b"id: 1\ndata: a\n\nid: 2\x00\ndata: b\n\n")[1] == ServerSentEvent(b"b", id="1")


def test_invalid_utf8_becomes_the_replacement_character() -> None:
    """In types and ids as in data, whose bytes are kept."""
    [event] = decode(b"event: \xff\nid: \xfe\ndata: \xc3\n\n")
    assert isinstance(event, ServerSentEvent)
    assert (event.event, event.id, event.text) == ("\ufffd", "\ufffd", "\ufffd")
    assert event.data == b"\xc3"


def test_a_character_may_be_cut_in_two() -> None:
    """Lines are split before anything is decoded."""
    [event] = decode("data: é😀\n\n".encode())
    assert isinstance(event, ServerSentEvent)
    assert event.text == "é😀"


@pytest.mark.parametrize(
    ("value", "retry"),
    [
        (b"0", 0),
        (b"1500", 1500),
        (b"007", 7),
        (b"9" * 64, int("9" * 64)),
        (b"9" * 65, None),
        (b"-1", None),
        (b"+1", None),
        (b"1.5", None),
        (b"1 ", None),
        (b" 1", None),
        (b"1s", None),
        (b"", None),
        ("\u0661".encode(), None),  # a digit, but no ASCII digit
    ],
)
def test_retry_takes_digits_only(value: bytes, retry: int | None) -> None:
    """Everything else is ignored, numbers without end as well."""
    assert decode(b"retry: " + value + b"\ndata: a\n\n") == [ServerSentEvent(b"a", retry=retry)]


def test_retry_belongs_to_its_block_and_to_the_stream() -> None:
    """An event tells what its block set; the decoder remembers the last."""
    decoder = SSEDecoder()
    assert decoder.reconnection_time is None
    events = decoder.receive_data(b"retry: 5\ndata: a\n\ndata: b\n\nretry: 6\n\ndata: c\n\n")
    assert events == [
        ServerSentEvent(b"a", retry=5),
        ServerSentEvent(b"b", retry=None),
        ServerSentEvent(b"c", retry=None),
    ]
    assert decoder.reconnection_time == 6


def test_one_leading_byte_order_mark_is_dropped() -> None:
    """Only the first, and only at the start."""
    assert data_of(BOM + b"data: a\n\n") == [b"a"]
    assert data_of(BOM + BOM + b"data: a\n\n") == []
    assert data_of(b"data: a\n\n" + BOM + b"data: b\n\n") == [b"a"]
    assert data_of(b"\n" + BOM + b"data: a\n\n") == []


@pytest.mark.parametrize("beginning", [BOM[:1], BOM[:2]])
def test_half_a_byte_order_mark_is_no_mark(beginning: bytes) -> None:
    """Its bytes belong to the first line."""
    assert data_of(beginning + b"data: a\n\ndata: b\n\n") == [b"b"]


def test_empty_reads_change_nothing() -> None:
    """Also inside a byte order mark."""
    decoder = SSEDecoder()
    assert decoder.receive_data(b"") == []
    assert decoder.receive_data(BOM[:1]) == []
    assert decoder.receive_data(b"") == []
    assert decoder.receive_data(BOM[1:]) == []
    assert decoder.receive_data(b"data: a\n\n") == [ServerSentEvent(b"a")]


def test_plain_blocks_behind_others_are_the_same() -> None:
    """The short way and the long way give the same events, in any order."""
    body = b"event: x\ndata: 1\n\ndata: 2\n\ndata: 3\n\n: c\n\ndata: 4\n\ndata:5\n\ndata: 6\n\n\n"
    assert data_of(body) == [b"1", b"2", b"3", b"4", b"5", b"6"]


@pytest.mark.parametrize(
    "body",
    [
        b"data: a\ndata: b\n\ndata: c\n\n",
        b"data: a\n\n\ndata: c\n\n",
        b"data: a\n\nevent: x\ndata: c\n\n",
        b"data: a\nid: 1\n\ndata: c\n\n",
        b"data: a\n: x\n\ndata: c\n\n",
    ],
)
def test_a_read_that_begins_plain_may_hold_anything(body: bytes) -> None:
    """Blocks of several lines are not mistaken for blocks of one."""
    assert data_of(body)[-1] == b"c"
    assert data_of(body)[0] in (b"a", b"a\nb")


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b"data: a", ServerSentEvent(b"a")),
        (b"data: a\n", ServerSentEvent(b"a")),
        (b"data: a\r", ServerSentEvent(b"a")),
        (b"data: a\ndata: b", ServerSentEvent(b"a\nb")),
        (b"event: x\nid: 1\nretry: 5\ndata: a", ServerSentEvent(b"a", "x", "1", 5)),
        (b"data: x\n\ndata", ServerSentEvent(b"")),
        (b"", None),
        (b"data: a\n\n", None),
        (b"event: x", None),
        (b": comment", None),
        (b"dat", None),
    ],
)
def test_the_block_at_the_end_is_handed_over(body: bytes, event: ServerSentEvent | None) -> None:
    """The standard discards what no blank line ended; the caller may judge."""
    assert tail_of(body) == event


def test_the_end_is_handed_over_once() -> None:
    """Asking again gives nothing."""
    decoder = SSEDecoder()
    decoder.receive_data(b"data: a")
    assert decoder.receive_eof() == ServerSentEvent(b"a")
    assert decoder.receive_eof() is None


def test_a_discarded_block_leaves_no_trace() -> None:
    """A client that reconnects asks for what the standard says that it saw."""
    decoder = SSEDecoder()
    decoder.receive_data(b"id: 1\nretry: 5\ndata: a\n\nid: 2\ndata: b\nretry: 6")
    decoder.receive_eof()
    assert (decoder.last_event_id, decoder.reconnection_time) == ("1", 5)


def test_an_error_field_is_ignored_by_default() -> None:
    """The standard does not know it."""
    assert decode(b"error: boom\n\n") == []


def test_an_error_field_can_be_reported() -> None:
    """At once, with the id so far, and without ending the block around it."""
    body = b"id: 1\n\ndata: a\nerror: boom\ndata: b\n\n"
    assert decode(body, error_field=True) == [
        ServerSentEvent(b"boom", "error", "1"),
        ServerSentEvent(b"a\nb", id="1"),
    ]


def test_an_error_field_at_the_end_is_reported() -> None:
    """A server that fails closes the connection behind it."""
    decoder = SSEDecoder(error_field=True)
    decoder.receive_data(b"error: boom")
    assert decoder.receive_eof() == ServerSentEvent(b"boom", "error")


@pytest.mark.parametrize(
    "line", [b"data: 7890", b": 34567890", b"event: 890", b"1234567890", b"data:67890"]
)
def test_a_line_may_be_as_long_as_its_limit(line: bytes) -> None:
    """Its end does not count."""
    limits = Limits(line_bytes=10)
    for end in (b"\n", b"\r", b"\r\n"):
        assert LimitExceeded("line_bytes", 10) not in decode(line + end, limits)
        assert decode(line + b"x" + end, limits) == [LimitExceeded("line_bytes", 10)]


def test_a_line_without_end_is_cut_off_at_its_limit() -> None:
    """It need not end to be too long."""
    assert decode(b"x" * 10, Limits(line_bytes=10)) == []
    assert decode(b"x" * 11, Limits(line_bytes=10)) == [LimitExceeded("line_bytes", 10)]


def test_events_before_a_limit_still_come() -> None:
    """What was whole was whole."""
    body = b"data: a\n\ndata: b\n\ndata: too long\n\n"
    assert decode(body, Limits(line_bytes=10)) == [
        ServerSentEvent(b"a"),
        ServerSentEvent(b"b"),
        LimitExceeded("line_bytes", 10),
    ]


def test_plain_blocks_behind_a_limit_in_the_same_read_are_nothing() -> None:
    """The limit was passed by the rest of a block that an earlier read began."""
    decoder = SSEDecoder(Limits(line_bytes=10))
    assert decoder.receive_data(b"data: a\n") == []
    items = decoder.receive_data(b"data: 34567890\n\ndata: b\n\n")
    assert items == [LimitExceeded("line_bytes", 10)]


@pytest.mark.parametrize(
    "limits", [Limits(line_bytes=10), Limits(event_bytes=10), Limits(silent_bytes=20)]
)
def test_nothing_comes_behind_a_limit(limits: Limits) -> None:
    """It is the last item, whatever follows, and in whichever pieces."""
    body = b"data: " + b"x" * 11 + b"\n\n" + b": y\n" * 11 + b"data: a\n\ndata: b\n\ndata: c"
    items = decode(body, limits)
    assert isinstance(items[-1], LimitExceeded)
    assert len([item for item in items if isinstance(item, LimitExceeded)]) == 1
    assert tail_of(body, limits) is None


@pytest.mark.parametrize(
    "body",
    [
        b"data: 123456789\n\n",
        b"data: 1234\ndata: 6789\n\n",
        b"data\n" * 10 + b"\n",
        b"data:\n" * 10 + b"\n",
    ],
)
def test_an_event_may_be_as_large_as_its_limit(body: bytes) -> None:
    """All its lines count, each with its end."""
    [event] = decode(body, Limits(event_bytes=10))
    assert isinstance(event, ServerSentEvent)
    assert decode(body, Limits(event_bytes=9)) == [LimitExceeded("event_bytes", 9)]


def test_the_event_limit_is_for_each_event() -> None:
    """Many small events are not one large one."""
    body = b"data: 123456789\n\n" * 3
    assert len(decode(body, Limits(event_bytes=10))) == 3


@pytest.mark.parametrize(
    "body", [b": 345678\n", b"x\n" * 4 + b"\n", b"\n" * 9, b"event: 8\n", b"id: 5678\n"]
)
def test_silence_may_be_as_long_as_its_limit(body: bytes) -> None:
    """Comments, blank lines and fields count with their ends; data does not."""
    assert len(body) == 9
    assert decode(body + b"data: a\n", Limits(silent_bytes=9)) == []
    assert decode(body, Limits(silent_bytes=8)) == [LimitExceeded("silent_bytes", 8)]


def test_an_event_ends_the_silence() -> None:
    """Keep-alives between events may go on for ever."""
    body = b": ping\n\ndata: a\n\n" * 10
    assert len(decode(body, Limits(silent_bytes=9))) == 10


@pytest.mark.parametrize("block", [b"data: a\n\n", b"event: x\ndata: a\n\n"])
def test_plain_blocks_end_the_silence(block: bytes) -> None:
    """Also where they are split the short way; what follows has all of the limit."""
    limit = 8 + len(block)
    decoder = SSEDecoder(Limits(silent_bytes=limit))
    for _ in range(5):
        assert decoder.receive_data(b": ping\n\n") == []
        assert len(decoder.receive_data(block)) == 1
    assert decoder.receive_data(b":" * (limit - 1) + b"\n") == []


@pytest.mark.parametrize("block", [b"data: a\n\n", b"data: a\n: 3\n\n", b"data: a\r\n\r\n"])
def test_the_silence_behind_an_event_begins_at_nothing(block: bytes) -> None:
    """All of the limit is left for what follows."""
    assert len(decode(block + b": 345678\n", Limits(silent_bytes=9))) == 1
    assert decode(block + b": 3456789\n", Limits(silent_bytes=9))[1:] == [
        LimitExceeded("silent_bytes", 9)
    ]


def test_the_name_of_an_event_is_silent() -> None:
    """As long as its data has not come, it could be anything; also where many come at once."""
    body = b"event: x\ndata: a\n\n" * 3
    assert len(decode(body, Limits(silent_bytes=9))) == 3
    assert decode(body, Limits(silent_bytes=8)) == [LimitExceeded("silent_bytes", 8)]


@pytest.mark.parametrize("count", [1, 2])
def test_the_name_of_the_first_event_of_a_read_is_silent_as_well(count: int) -> None:
    """What is read together counts as if it had come line by line."""
    blocks = b"event: x\ndata: a\n\n" * count
    limit = len(blocks)
    decoder = SSEDecoder(Limits(silent_bytes=limit))
    assert len(decoder.receive_data(blocks)) == count
    assert decoder.receive_data(b":" * (limit - 10) + b"\n\n") == []
    assert decoder.receive_data(blocks) == [LimitExceeded("silent_bytes", limit)]


def test_a_blank_line_that_dispatches_is_not_silent() -> None:
    """The limit is checked behind the event, not before it."""
    assert decode(b"data: a\n\n", Limits(silent_bytes=1)) == [ServerSentEvent(b"a")]


def test_a_blank_line_that_passes_the_limit_dispatches_first() -> None:
    """Silence inside a block ends with the block."""
    body = b"data: a\n:\n\n"
    assert decode(body, Limits(silent_bytes=2)) == [ServerSentEvent(b"a")]
    assert decode(body, Limits(silent_bytes=1)) == [LimitExceeded("silent_bytes", 1)]


def test_a_limit_at_the_end_is_no_event() -> None:
    """A last line that is too much gives nothing."""
    assert tail_of(b"data: 123456789", Limits(event_bytes=9)) is None
    assert tail_of(b"data: 123456789", Limits(event_bytes=10)) == ServerSentEvent(b"123456789")


def test_limits_of_the_documentation_apply_by_default() -> None:
    """A decoder without arguments is bounded, too."""
    decoder = SSEDecoder()
    line_bytes = Limits().line_bytes
    assert decoder.receive_data(b"x" * line_bytes) == []
    assert decoder.receive_data(b"x") == [LimitExceeded("line_bytes", line_bytes)]


@pytest.mark.parametrize("limits", [Limits(line_bytes=20), Limits(event_bytes=20)])
def test_a_read_may_be_larger_than_a_limit(limits: Limits) -> None:
    """Limits are for lines and events, not for reads."""
    assert len(decode(b"data: a\n\n" * 10, limits)) == 10


def test_events_are_values() -> None:
    """Equal events are equal, and cannot be changed."""
    assert ServerSentEvent(b"a") == ServerSentEvent(b"a", "message", "", None)
    assert hash(ServerSentEvent(b"a")) == hash(ServerSentEvent(b"a"))
    with pytest.raises(AttributeError):
        ServerSentEvent(b"a").data = b"b"  # type: ignore[misc]  # what is tested


def test_an_error_field_is_nothing_to_a_decoder_without_options() -> None:
    """Out of the box the decoder is the standard's."""
    assert SSEDecoder().receive_data(b"error: boom\n\n") == []


def test_a_crlf_near_the_end_of_a_read_is_one_end() -> None:
    """Wherever the decoder divides its work, it does so between lines."""
    assert decode(b"data: a\r\nid") == []


def test_a_crlf_at_the_start_of_a_stream_is_one_end() -> None:
    """What follows in the same read shows that the line end was whole."""
    assert decode(b"\r\ndata: a\n\n") == [ServerSentEvent(b"a")]
