"""What a body is, whatever its Content-Type says, and how a stream of events ends."""

import pytest

from fuzz.invariants import retained_bytes
from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError
from tokenwire.sse import ServerSentEvent
from tokenwire.tokens import End, TextDelta, Token
from tokenwire.wire.event_stream import EventStreamAnswer

BOM = b"\xef\xbb\xbf"


class Reader:
    """Takes the data of each event for text; one event ends the answer, one finishes it."""

    def __init__(self) -> None:
        """Begin without a terminal marker."""
        self.complete = False

    def receive_event(self, event: ServerSentEvent, tokens: list[Token]) -> None:
        """Append a token, unless the event says nothing."""
        match event.data:
            case b"end":
                self.finish(tokens)
            case b"finish":
                self.complete = True
            case b"nothing" | b"":
                pass
            case data:
                tokens.append(TextDelta(f"{event.event}:{data.decode()}"))

    def is_whole(self, event: ServerSentEvent) -> bool:
        """Take half of an event for what begins with it."""
        return not event.data.startswith(b"half")

    def receive_document(self, document: bytes, tokens: list[Token]) -> None:
        """Append all of it."""
        tokens.append(TextDelta(f"document:{document.decode()}"))
        self.finish(tokens)

    def finish(self, tokens: list[Token]) -> None:
        """Append the end."""
        tokens.append(End("stop"))


def read(
    *pieces: bytes, limits: Limits | None = None
) -> tuple[list[Token], MalformedResponseError | None]:
    """Return the tokens and the error of a body in pieces with a clean end."""
    answer = EventStreamAnswer(Reader(), limits or Limits())
    tokens: list[Token] = []
    try:
        for piece in pieces:
            answer.receive_data(piece, tokens)
            if tokens and isinstance(tokens[-1], End):
                return tokens, None
        answer.receive_eof(tokens)
    except MalformedResponseError as error:
        return tokens, error
    return tokens, None


def tokens_of(body: bytes, limits: Limits | None = None) -> list[Token]:
    """Return the tokens of a body that is a whole answer, wherever it is cut."""
    tokens, error = read(body, limits=limits)
    assert error is None
    for cut in range(len(body) + 1):
        assert read(body[:cut], body[cut:], limits=limits) == (tokens, None)
    assert read(*(body[n : n + 1] for n in range(len(body))), limits=limits) == (tokens, None)
    return tokens


def error_of(body: bytes, limits: Limits | None = None) -> MalformedResponseError:
    """Return the error of a body that is none, wherever it is cut."""
    tokens, error = read(body, limits=limits)
    assert error is not None
    splits = [[body[:cut], body[cut:]] for cut in range(len(body) + 1)]
    for pieces in [*splits, [body[n : n + 1] for n in range(len(body))]]:
        same_tokens, same_error = read(*pieces, limits=limits)
        assert same_tokens == tokens
        assert same_error is not None
        assert same_error.facts() == error.facts()
    return error


def test_events_reach_the_reader_up_to_the_end() -> None:
    """What comes behind the end is not read."""
    body = b"data: a\n\nevent: x\ndata: b\n\ndata: end\n\ndata: c\n\n"
    assert tokens_of(body) == [TextDelta("message:a"), TextDelta("x:b"), End("stop")]


@pytest.mark.parametrize(
    "beginning",
    [b"", BOM, b"\n", b"\r\n\r\n", b" \t", BOM + b"\n", b": comment\n\n", b"\n: comment\n"],
)
def test_a_stream_may_begin_with_white_space_or_a_comment(beginning: bytes) -> None:
    """And with a byte order mark before anything else."""
    assert tokens_of(beginning + b"data: a\n\ndata: end\n\n") == [
        TextDelta("message:a"),
        End("stop"),
    ]


@pytest.mark.parametrize("beginning", [b"", BOM, b"\n", b" ", BOM + b" \r\n"])
@pytest.mark.parametrize("document", [b'{"a": 1}', b"[1]", b"{", b"[\n\n"])
def test_json_in_place_of_a_stream_is_a_document(beginning: bytes, document: bytes) -> None:
    """It is handed over whole at the end of the body, white space before it left out."""
    text = f"document:{document.decode()}"
    assert tokens_of(beginning + document) == [TextDelta(text), End("stop")]


@pytest.mark.parametrize("beginning", [b"", BOM, b"\n "])
@pytest.mark.parametrize("length", [1, 255, 256, 300])
def test_markup_is_no_answer(beginning: bytes, length: int) -> None:
    """A proxy's page is told with its beginning, at the latest when that is known."""
    page = b"<" + b"x" * (length - 1)
    error = error_of(beginning + page)
    assert error.reason == "content_type"
    assert error.excerpt == page[:256].decode()
    assert not error.retryable


def test_a_long_page_is_told_without_waiting_for_its_end() -> None:
    """Nobody needs more than the excerpt shows."""
    answer = EventStreamAnswer(Reader(), Limits())
    answer.receive_data(b"<" + b"x" * 254, [])
    with pytest.raises(MalformedResponseError, match="neither an event stream nor JSON"):
        answer.receive_data(b"x", [])


@pytest.mark.parametrize("body", [b"Bad Gateway", b"upstream connect error\n\nreset", b"x: y\n\n"])
def test_plain_text_is_no_answer(body: bytes) -> None:
    """It is quoted, because nothing else tells what went wrong."""
    error = error_of(body)
    assert (error.reason, error.excerpt) == ("content_type", body.decode())


def test_what_is_no_answer_is_told_in_one_sentence() -> None:
    """With what to look at first."""
    assert error_of(b"Bad Gateway").message == (
        "the response is neither an event stream nor JSON: is base_url the API's?"
    )


def test_the_excerpt_of_plain_text_is_bounded() -> None:
    """Its beginning says enough."""
    assert error_of(b"x" * 300).excerpt == "x" * 256


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n\t ", BOM, BOM + b"\n"])
def test_nothing_is_an_empty_answer(body: bytes) -> None:
    """White space is nothing."""
    error = error_of(body)
    assert (error.reason, error.message) == ("empty", "the response body is empty")
    assert error.retryable


@pytest.mark.parametrize(
    "body", [b": ping\n\n: ping\n\n", b"event: x\n\n", b"id: 1\n", b"retry: 5\n\n", b":"]
)
def test_a_stream_without_events_is_an_empty_answer(body: bytes) -> None:
    """The server began to stream, and closed."""
    error = error_of(body)
    assert (error.reason, error.message) == ("empty", "the event stream holds no event")
    assert error.retryable


@pytest.mark.parametrize(
    "body",
    [b"data: a\n\n", b"data: a\n\ndata: half", b"data: nothing\n\n", b"data: half", b"data: a"],
)
def test_events_without_an_end_are_a_truncated_answer(body: bytes) -> None:
    """Half an event at the end shows that there were to be more."""
    error = error_of(body)
    assert error.reason == "truncated"
    assert "cut off" in error.message
    assert error.retryable


def test_a_terminal_marker_ends_the_answer_with_the_body() -> None:
    """The end may wait for what comes behind the marker."""
    assert tokens_of(b"data: a\n\ndata: finish\n\n") == [TextDelta("message:a"), End("stop")]
    assert tokens_of(b"data: finish\n\ndata: b\n\n") == [TextDelta("message:b"), End("stop")]


@pytest.mark.parametrize("end", [b"data: end", b"data: end\n", b"data: finish"])
def test_a_last_event_needs_no_blank_line(end: bytes) -> None:
    """If it is whole, it counts."""
    assert tokens_of(b"data: a\n\n" + end) == [TextDelta("message:a"), End("stop")]


def test_half_an_event_does_not_spoil_a_finished_answer() -> None:
    """What was cut off came behind the terminal marker."""
    assert tokens_of(b"data: finish\n\ndata: half") == [End("stop")]


def test_complete_is_what_the_reader_says() -> None:
    """From the terminal marker on the body may stop anywhere."""
    answer = EventStreamAnswer(Reader(), Limits())
    tokens: list[Token] = []
    before = answer.complete
    answer.receive_data(b"data: a\n\ndata: finish\n\n", tokens)
    assert (before, answer.complete) == (False, True)
    answer.receive_cut(tokens)
    assert tokens == [TextDelta("message:a"), End("stop")]


def test_an_error_field_reaches_the_reader() -> None:
    """Older llama.cpp servers report failures in it."""
    assert tokens_of(b"error: boom\n\ndata: end\n\n") == [TextDelta("error:boom"), End("stop")]


def test_a_document_may_be_as_large_as_its_limit() -> None:
    """White space before it does not count."""
    limits = Limits(document_bytes=10)
    assert tokens_of(b" \n{" + b"x" * 9, limits)[-1] == End("stop")
    error = error_of(b"{" + b"x" * 10, limits)
    assert error.reason == "limit"
    assert "limits.document_bytes (10)" in error.message
    assert not error.retryable


def test_white_space_may_go_on_up_to_its_limit() -> None:
    """Some servers send it while they think."""
    limits = Limits(silent_bytes=10)
    assert tokens_of(b" " * 10 + b"{", limits)[-1] == End("stop")
    for body in (b"\n" * 11, b"\n" * 11 + b"{", b"\n" * 11 + b"data: end\n\n"):
        error = error_of(body, limits)
        assert error.reason == "limit"
        assert "limits.silent_bytes (10)" in error.message


def test_a_limit_of_the_stream_is_told_behind_its_events() -> None:
    """Tokens that were whole before it still count."""
    tokens, error = read(b"data: a\n\ndata: " + b"x" * 100, limits=Limits(line_bytes=50))
    assert tokens == [TextDelta("message:a")]
    assert error is not None
    assert (error.reason, "limits.line_bytes (50)" in error.message) == ("limit", True)
    assert error_of(b"data: a\n\ndata: " + b"x" * 50, Limits(line_bytes=50)).reason == "limit"


def test_a_limit_behind_the_end_does_not_matter() -> None:
    """Nothing behind the end does."""
    assert tokens_of(b"data: end\n\ndata: " + b"x" * 100, Limits(line_bytes=50)) == [End("stop")]


def test_events_without_tokens_may_go_on_up_to_a_limit() -> None:
    """Their data counts, and seven bytes for what there is around it."""
    limits = Limits(silent_bytes=40)
    quiet = b"data: nothing\n\n"
    assert tokens_of(quiet * 2 + b"data: a\n\n" + quiet * 2 + b"data: end\n\n", limits)[1:] == [
        End("stop")
    ]
    error = error_of(quiet * 3 + b"data: end\n\n", limits)
    assert "limits.silent_bytes (40)" in error.message
    assert tokens_of(quiet * 3 + b"data: end\n\n", Limits(silent_bytes=42)) == [End("stop")]


def test_silence_counts_behind_a_token_of_the_same_read() -> None:
    """The token ends the silence before it, not the one behind it."""
    body = b"data: a\n\n" + b"data: nothing\n\n" * 4
    tokens, error = read(body, limits=Limits(silent_bytes=40))
    assert tokens == [TextDelta("message:a")]
    assert error is not None
    assert "limits.silent_bytes (40)" in error.message


def test_events_without_data_may_not_go_on_for_ever() -> None:
    """They are silence as well, although there is nothing in them."""
    limits = Limits(silent_bytes=20)
    assert tokens_of(b"data:\n\n" * 2 + b"data: end\n\n", limits) == [End("stop")]
    assert error_of(b"data:\n\n" * 3 + b"data: end\n\n", limits).reason == "limit"


def test_many_values_in_an_event_or_a_document_are_refused() -> None:
    """Decoded, they would take many times their size."""
    limits = Limits(json_values=10)
    assert tokens_of(b"data: " + b"," * 10 + b"\n\ndata: end\n\n", limits)[-1] == End("stop")
    for body in (b"data: " + b"," * 11 + b"\n\n", b"data: " + b"," * 11, b"[" + b"," * 10):
        assert "limits.json_values (10)" in error_of(body, limits).message
    assert tokens_of(b"[" + b"," * 9, limits)[-1] == End("stop")


def test_the_silence_behind_a_token_may_be_as_long_as_its_limit() -> None:
    """A token ends the silence before it, and is no part of the next."""
    limits = Limits(silent_bytes=28)
    body = b"data: a\n\n" + b"data: nothing\n\n" * 2 + b"data: end\n\n"
    assert tokens_of(body, limits)[-1] == End("stop")


def test_a_body_that_is_no_answer_is_told_in_one_sentence() -> None:
    """It says what is wrong, and where to look first."""
    assert error_of(b"Bad gateway\n").message == (
        "the response is neither an event stream nor JSON: is base_url the API's?"
    )


def test_comments_in_front_of_the_first_event_are_not_kept() -> None:
    """A server may say for hours that it is still there."""
    answer = EventStreamAnswer(Reader(), Limits())
    answer.receive_data(b": ping\n", [])
    before = retained_bytes(answer)
    for _ in range(1_000):
        answer.receive_data(b":" + b" ping" * 200 + b"\n", [])
    assert retained_bytes(answer) < before + 2_000
