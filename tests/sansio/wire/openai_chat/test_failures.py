"""What goes wrong, in every shape in which servers say it, before a stream and inside one."""

import json
from typing import Any

import pytest

from tests.sansio.exchanges import failure_of, read
from tests.sansio.wire.openai_chat.streams import DONE, body, choice, text
from tokenwire.errors import AuthError, OtherError, ProviderError, RateLimitError
from tokenwire.tokens import TextDelta
from tokenwire.wire.openai_chat import OpenAIChat

REJECTED: dict[str, object] = {"error": "other", "kind": "rejected", "retryable": False}
AUTH: dict[str, object] = {"error": "auth", "retryable": False}
QUOTA: dict[str, object] = {"error": "rate_limit", "scope": "quota", "retryable": False}
REQUESTS: dict[str, object] = {"error": "rate_limit", "scope": "requests", "retryable": True}
TOKENS: dict[str, object] = {"error": "rate_limit", "scope": "tokens", "retryable": True}


def other(kind: str) -> dict[str, object]:
    """Return what tells an error of this kind."""
    retryable = kind in ("server", "overloaded", "timeout", "conflict")
    return {"error": "other", "kind": kind, "retryable": retryable}


def failure(status: int, response: Any, **headers: str) -> ProviderError:
    """Return the error of a failed request."""
    data = response if isinstance(response, bytes) else json.dumps(response).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return OpenAIChat().failure(status, given, data)


def in_stream(value: Any, **fields: str) -> ProviderError:
    """Return the error that an event in a stream is."""
    lines = "".join(f"{name}: {value}\n" for name, value in fields.items())
    data = value if isinstance(value, str) else json.dumps(value)
    events = read(body(text("Hi")) + f"{lines}data: {data}\n\n".encode() + body(DONE))
    assert events[:-1] == [TextDelta("Hi")]
    return failure_of(events)


def error_of(**members: Any) -> dict[str, Any]:
    """Return an error as the API documents it."""
    return {"error": {"message": "what happened", "param": None, **members}}


BY_STATUS: list[tuple[int, dict[str, Any], dict[str, object]]] = [
    (400, {"type": "invalid_request_error"}, REJECTED),
    (400, {"code": "unsupported_parameter", "type": "invalid_request_error"}, REJECTED),
    (400, {"code": "context_length_exceeded"}, other("context_length")),
    (400, {"code": "string_above_max_length"}, other("context_length")),
    (400, {"type": "exceed_context_size_error"}, other("context_length")),
    (413, {"type": "request_too_large"}, other("context_length")),
    (400, {"code": "content_filter"}, other("content_filter")),
    (400, {"code": "content_policy_violation"}, other("content_filter")),
    (400, {"code": "moderation_blocked"}, other("content_filter")),
    (400, {"code": "invalid_api_key"}, AUTH),
    (401, {"code": "invalid_api_key", "type": "invalid_request_error"}, AUTH),
    (401, {"type": "invalid_request_error"}, AUTH),
    (403, {"code": "unsupported_country_region_territory"}, AUTH),
    (403, {"type": "invalid_request_error"}, AUTH),
    (402, {}, QUOTA),
    (402, {"code": "invalid_api_key"}, QUOTA),
    (404, {"code": "invalid_api_key"}, other("not_found")),
    (404, {"code": "content_filter"}, other("content_filter")),
    (405, {"code": "content_filter"}, REJECTED),
    (422, {"code": "context_length_exceeded"}, other("context_length")),
    (423, {"code": "context_length_exceeded"}, REJECTED),
    (403, {"code": "insufficient_quota"}, QUOTA),
    (404, {"code": "model_not_found", "type": "invalid_request_error"}, other("not_found")),
    (400, {"code": "model_not_found"}, other("not_found")),
    (400, {"code": "model_decommissioned"}, other("not_found")),
    (404, {"code": "DeploymentNotFound"}, other("not_found")),
    (404, {"type": "resource_not_found_error"}, other("not_found")),
    (404, {"type": "not_found_error"}, other("not_found")),
    (404, {"type": "invalid_request_error"}, other("not_found")),
    (408, {}, other("timeout")),
    (409, {}, other("conflict")),
    (422, {"type": "invalid_request_error"}, REJECTED),
    (429, {"code": "rate_limit_exceeded", "type": "requests"}, REQUESTS),
    (429, {"code": "rate_limit_exceeded", "type": "tokens"}, TOKENS),
    (429, {"code": "slow_down", "type": "rate_limit_error"}, REQUESTS),
    (429, {}, REQUESTS),
    (429, {"code": "context_length_exceeded"}, REQUESTS),
    (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, QUOTA),
    (429, {"code": "billing_hard_limit_reached"}, QUOTA),
    (429, {"code": "credit_balance_exhausted"}, QUOTA),
    (429, {"code": "organization_spend_limit_exceeded"}, QUOTA),
    (429, {"code": "project_spend_limit_exceeded"}, QUOTA),
    (429, {"code": "organization_usage_limit_exceeded"}, QUOTA),
    (429, {"type": "exceeded_current_quota_error"}, QUOTA),
    (400, {"code": "insufficient_balance"}, QUOTA),
    (500, {"type": "server_error"}, other("server")),
    (500, {"code": "model_not_found"}, other("server")),
    (500, {"code": "invalid_api_key"}, other("server")),
    (502, {}, other("server")),
    (503, {"code": "server_is_overloaded"}, other("overloaded")),
    (503, {"type": "service_unavailable_error"}, other("overloaded")),
    (503, {"code": "slow_down"}, other("overloaded")),
    (503, {"type": "unavailable_error", "code": 503}, other("overloaded")),
    (503, {"type": "server_error"}, other("server")),
    (504, {}, other("timeout")),
    (529, {}, other("overloaded")),
    (307, {}, other("redirect")),
]


@pytest.mark.parametrize(("status", "members", "facts"), BY_STATUS)
def test_status_and_code_say_what_went_wrong(
    status: int, members: dict[str, Any], facts: dict[str, object]
) -> None:
    """The table of the API's documentation, and what compatible servers add to it."""
    error = failure(status, error_of(**members))
    told = error.facts()
    assert told == told | facts
    code = members.get("code") or members.get("type")
    assert (error.status, error.message) == (status, "what happened")
    assert error.code == (str(code) if code else None)


@pytest.mark.parametrize("word", ["Invalid_API_Key", "INVALID_API_KEY"])
def test_codes_are_compared_without_case(word: str) -> None:
    """And kept as they were sent."""
    error = failure(400, error_of(code=word))
    assert isinstance(error, AuthError)
    assert error.code == word


IN_STREAM: list[tuple[dict[str, Any], dict[str, object]]] = [
    ({"code": "invalid_api_key"}, AUTH),
    ({"code": "incorrect_api_key_provided"}, AUTH),
    ({"type": "authentication_error"}, AUTH),
    ({"type": "permission_error"}, AUTH),
    ({"type": "permission_denied"}, AUTH),
    ({"code": "unauthorized"}, AUTH),
    ({"code": "forbidden"}, AUTH),
    ({"code": 401}, AUTH),
    ({"code": "403"}, AUTH),
    ({"code": "rate_limit_exceeded"}, REQUESTS),
    ({"code": "rate_limit_exceeded", "type": "tokens"}, TOKENS),
    ({"type": "rate_limit_error"}, REQUESTS),
    ({"type": "rate_limit_reached_error"}, REQUESTS),
    ({"code": "rate_limited"}, REQUESTS),
    ({"code": "too_many_requests"}, REQUESTS),
    ({"code": "slow_down"}, REQUESTS),
    ({"code": 429}, REQUESTS),
    ({"code": 429, "type": "insufficient_quota"}, QUOTA),
    ({"code": "insufficient_quota"}, QUOTA),
    ({"code": 402}, QUOTA),
    ({"code": "context_length_exceeded"}, other("context_length")),
    ({"code": "content_filter"}, other("content_filter")),
    ({"code": "model_not_found"}, other("not_found")),
    ({"code": 404}, other("not_found")),
    ({"type": "overloaded_error"}, other("overloaded")),
    ({"type": "engine_overloaded_error"}, other("overloaded")),
    ({"code": 503}, other("overloaded")),
    ({"type": "server_error"}, other("server")),
    ({"type": "internal_server_error"}, other("server")),
    ({"type": "InternalServerError", "code": 500}, other("server")),
    ({"type": "internal_error"}, other("server")),
    ({"code": 502}, other("server")),
    ({"code": "timeout"}, other("timeout")),
    ({"code": 408}, other("timeout")),
    ({"type": "invalid_request_error"}, REJECTED),
    ({"type": "BadRequestError", "code": 400}, REJECTED),
    ({"code": 400}, REJECTED),
    ({"code": "something_new"}, other("server")),
    ({}, other("server")),
    ({"code": None, "type": None}, other("server")),
    ({"code": ""}, other("server")),
]


@pytest.mark.parametrize(("members", "facts"), IN_STREAM)
def test_an_error_in_a_stream_is_what_it_would_be_before(
    members: dict[str, Any], facts: dict[str, object]
) -> None:
    """It has no status, so its code or type says what it is; a number is the status."""
    error = in_stream(error_of(**members))
    told = error.facts()
    assert told == told | facts | {"in_stream": True, "tokens_emitted": 1}
    assert error.message == "what happened"


@pytest.mark.parametrize(
    ("code", "status"),
    [(300, 300), (599, 599), ("429", 429), (299, 200), (600, 200), (42, 200), (4290, 200)],
)
def test_a_number_with_three_digits_is_a_status(code: object, status: int) -> None:
    """Gateways put it into the code; other numbers are their own."""
    error = in_stream(error_of(code=code))
    assert (error.status, error.code) == (status, str(code))


@pytest.mark.parametrize("name", ["status_code", "raw_status_code", "status"])
def test_a_gateway_may_name_the_status(name: str) -> None:
    """It goes before a code that is a word."""
    error = in_stream(error_of(code="invalid_request_error", **{name: 429}))
    assert isinstance(error, RateLimitError)
    assert (error.status, error.code) == (429, "invalid_request_error")


@pytest.mark.parametrize("name", ["status_code", "raw_status_code", "status"])
def test_a_status_beside_the_error_counts(name: str) -> None:
    """Unless the error has its own."""
    assert in_stream({name: 429, **error_of()}).status == 429
    assert in_stream({name: 429, **error_of(**{name: 503})}).status == 503
    assert in_stream({name: 429, "error": "what happened"}).status == 429


@pytest.mark.parametrize("error", [True, 1, 1.5, [""], [None], [[]], {"message": ""}, {"a": 1}])
@pytest.mark.parametrize("where", ["chunk", "choice"])
def test_an_error_that_says_nothing_is_one(error: Any, where: str) -> None:
    """Whoever swallowed it would take half an answer for a whole one."""
    event: dict[str, Any] = {"error": error}
    if where == "choice":
        event = {"choices": [choice({"content": ""}, **event)]}
    assert in_stream(event).tokens_emitted == 1


SHAPES: list[tuple[dict[str, Any] | list[Any], str | None]] = [
    ({"error": {"message": "what happened", "code": "oops"}}, "oops"),
    ({"error": {"message": "what happened", "type": "oops"}}, "oops"),
    ({"error": {"message": "what happened", "code": "oops", "type": "other"}}, "oops"),
    ([{"error": {"message": "what happened", "code": "oops"}}], "oops"),
    ({"error": "what happened"}, None),
    ({"error": "what happened", "code": "oops"}, "oops"),
    ({"error": "Bad", "message": "what happened", "code": "oops"}, "oops"),
    ({"error": "what happened", "message": ""}, None),
    ({"object": "error", "message": "what happened", "code": "oops"}, "oops"),
    ({"object": "error", "message": "what happened", "type": "oops", "param": None}, "oops"),
    ({"error_code": "oops", "message": "what happened"}, "oops"),
    ({"message": "what happened", "code": "oops"}, "oops"),
    ({"message": "what happened", "type": "oops"}, "oops"),
    ({"message": "what happened", "code": None}, None),
    ({"error": {"detail": "what happened", "code": "oops"}}, "oops"),
    ({"error": {"msg": "what happened", "code": "oops"}}, "oops"),
    ({"error": {"title": "what happened", "code": "oops"}}, "oops"),
    ({"error": {"message": "what happened", "code": "oops"}, "choices": []}, "oops"),
    ({"choices": [{"error": {"message": "what happened", "code": "oops"}}]}, "oops"),
    ({"choices": [{"error": "what happened"}]}, None),
    ({"error": ["what happened"]}, None),
    ({"error": ["what happened"], "code": "oops"}, "oops"),
    ({"error": [{"message": "what happened", "code": "oops"}]}, "oops"),
    ({"error": {"error": "what happened", "code": "oops"}}, "oops"),
    ({"error": True, "message": "what happened", "code": "oops"}, "oops"),
    ({"error": 500, "message": "what happened"}, "500"),
    ({"error": 500, "message": "what happened", "code": "oops"}, "oops"),
    ({"error_code": "oops", "message": "what happened", "choices": [{"index": 0}]}, "oops"),
    ({"x_groq": {"error": "what happened"}, "choices": [{"index": 0}]}, None),
    ({"object": "error", "message": "what happened", "usage": {"prompt_tokens": 1}}, None),
]


@pytest.mark.parametrize(("value", "code"), SHAPES)
def test_every_shape_of_an_error_is_read(
    value: dict[str, Any] | list[Any], code: str | None
) -> None:
    """As the body of a failed request, and as an event of a stream."""
    outside, inside = failure(500, value), in_stream(value)
    for error in (outside, inside):
        assert isinstance(error, OtherError)
        assert (error.message, error.code, error.kind) == ("what happened", code, "server")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"message": "what happened"}, "what happened"),
        ({"detail": "what happened"}, "what happened"),
        ({"detail": [{"loc": ["body"], "msg": "no"}]}, '[{"loc":["body"],"msg":"no"}]'),
        ({"msg": "what happened"}, "what happened"),
        ({"title": "what happened"}, "what happened"),
        ({"object": "error", "message": {"detail": ["é"]}}, '{"detail":["é"]}'),
        ({"error": {"message": "\ud83d"}}, "\ufffd"),
        ({"error": {"message": ["\ud83d"]}}, '["\ufffd"]'),
        ({"errors": [{"message": "no"}], "success": False}, '[{"message":"no"}]'),
        ({"message": "", "detail": "what happened"}, "what happened"),
        ({"message": {}, "detail": "what happened"}, "what happened"),
        ("what \ud83d happened", "what \ufffd happened"),
    ],
)
def test_a_body_may_say_little(value: Any, message: str) -> None:
    """Frameworks and gateways have shapes of their own."""
    assert failure(500, value).message == message


@pytest.mark.parametrize("value", [{}, [], 5, "", None, {"error": {}}, {"error": None}, {"a": 1}])
def test_a_body_that_says_nothing_has_a_message_of_ours(value: Any) -> None:
    """An error is never without one."""
    error = failure(500, value)
    assert error.message == "the provider reported an error without a message"
    assert error.code is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<html><title>502 Bad Gateway</title>...", "502 Bad Gateway"),
        (b"upstream connect error", "upstream connect error"),
        (b"\xff", "\ufffd"),
        (b"[" * 100, "[" * 100),
        (b"", "the provider reported an error without a message"),
        (b'{"error": {"message": "cut', '{"error": {"message": "cut'),
    ],
)
def test_a_body_may_be_a_page(data: bytes, message: str) -> None:
    """What is no JSON is told as text."""
    assert failure(502, data).message == message


def test_a_page_may_be_inside_json() -> None:
    """As may other JSON, as text."""
    inner = json.dumps(error_of(code="invalid_api_key"))
    assert failure(502, {"html-message": "<title>Blocked</title>"}).message == "Blocked"
    assert isinstance(failure(401, {"html-message": inner}), AuthError)
    assert failure(401, {"html-message": inner}).message == "what happened"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"param": "temperature"}, "what happened (parameter temperature)"),
        ({"param": "happened"}, "what happened"),
        ({"param": ""}, "what happened"),
        ({"param": 5}, "what happened"),
    ],
)
def test_the_parameter_is_named(members: dict[str, Any], message: str) -> None:
    """Unless the message names it already."""
    assert failure(400, error_of(**members)).message == message


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4096 tokens",
        "Prompt exceeds the CONTEXT WINDOW",
        "the request exceeds the available context size",
        "larger than context length",
        "Input is too large for model",
        "prompt is too long: 5 tokens > 4 maximum",
    ],
)
@pytest.mark.parametrize("members", [{}, {"type": "invalid_request_error"}, {"code": "new"}])
def test_an_overrun_of_the_context_is_recognised_by_its_words(
    message: str, members: dict[str, Any]
) -> None:
    """Many servers have no code of its own for it."""
    for error in (
        failure(400, error_of(**members, message=message)),
        in_stream(error_of(**members, message=message)),
    ):
        assert isinstance(error, OtherError)
        assert error.kind == "context_length"


def test_words_do_not_outweigh_a_status() -> None:
    """A server that fails while speaking of context fails."""
    error = failure(500, error_of(message="lost the context window"))
    assert isinstance(error, OtherError)
    assert error.kind == "server"


def test_tokens_are_what_ran_out_where_the_message_says_so() -> None:
    """Some servers tell the scope in prose alone."""
    error = failure(429, error_of(message="Limit 10000 tokens per min"))
    assert isinstance(error, RateLimitError)
    assert error.scope == "tokens"


@pytest.mark.parametrize("metadata", [{"reasons": ["violence"]}, {"flagged_input": "…"}])
def test_a_moderated_prompt_is_no_matter_of_keys(metadata: dict[str, Any]) -> None:
    """OpenRouter answers it with 403 as well."""
    error = failure(403, error_of(code=403, metadata=metadata))
    assert isinstance(error, OtherError)
    assert (error.kind, error.status) == ("content_filter", 403)
    assert (error.message, error.code) == ("what happened", "403")
    assert isinstance(failure(403, error_of(metadata={"provider": "x"})), AuthError)
    assert isinstance(failure(403, error_of(metadata="reasons")), AuthError)


def test_a_quota_in_capitals_and_prose_is_transient() -> None:
    """Scaleway's text speaks of quota, and means the rate."""
    value = {"status": 429, "error": "INSUFFICIENT QUOTA", "message": "try again"}
    error = failure(429, value)
    assert isinstance(error, RateLimitError)
    assert (error.scope, error.message, error.retryable) == ("requests", "try again", True)


# Inside a stream


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (error_of(code="500"), "what happened"),
        ({"message": "what happened", "code": "500"}, "what happened"),
        ({"message": "what happened"}, "what happened"),
        ("what happened", "what happened"),
        ('"what happened"', "what happened"),
        (" what happened ", "what happened"),
        ("[" * 200, "[" * 200),
        ({}, "the provider reported an error without a message"),
        ("5", "the provider reported an error without a message"),
        ("", "the provider reported an error without a message"),
    ],
)
def test_an_event_named_error_is_an_error(data: Any, message: str) -> None:
    """Whatever its data looks like."""
    error = in_stream(data, event="error")
    assert isinstance(error, OtherError)
    assert (error.kind, error.message) == ("server", message)


def test_an_event_named_error_may_be_no_utf8() -> None:
    """It is read as far as it goes."""
    error = failure_of(read(b"event: error\ndata: what \xff happened\n\n"))
    assert error.message == "what \ufffd happened"


def test_an_error_field_is_an_error() -> None:
    """Older llama.cpp servers write one in place of an event."""
    line = b'error: {"code":500,"message":"what happened","type":"server_error"}\n\n'
    error = failure_of(read(body(text("Hi")) + line))
    assert (error.message, error.status, error.code) == ("what happened", 500, "500")
    assert error.tokens_emitted == 1


def test_a_finish_reason_may_be_an_error() -> None:
    """With what the server says of it, where it says anything."""
    plain = failure_of(read(body({"choices": [choice({"content": "Hi"}, "error")]})))
    assert (plain.message, plain.tokens_emitted) == ("the server ended the answer with an error", 1)
    named = {"code": 502, "message": "Provider disconnected"}
    for event in (
        {"choices": [choice({"content": "Hi"}, "error")], "error": named},
        {"choices": [choice({"content": "Hi"}, "error", error=named)]},
    ):
        error = failure_of(read(body(event)))
        assert (error.message, error.status) == ("Provider disconnected", 502)
        assert error.tokens_emitted == 1


def test_any_choice_may_end_in_an_error() -> None:
    """Then the whole answer does."""
    event = {"choices": [choice({}, "error", 0), choice({"content": "Hi"}, "stop", 1)]}
    events = read(body(event))
    assert events[:-1] == [TextDelta("Hi", 1)]
    assert "ended the answer" in failure_of(events).message


def test_text_in_the_chunk_of_an_error_counts() -> None:
    """It was part of the answer."""
    event = {"choices": [choice({"content": "Hi"})], "error": {"message": "what happened"}}
    events = read(body(event))
    assert events[:-1] == [TextDelta("Hi")]
    assert failure_of(events).tokens_emitted == 1


@pytest.mark.parametrize(
    "event",
    [
        {"message": "hello"},
        {"message": {"code": 1}, "code": 5},
        {"object": "errors", "message": "x"},
        {"error_code": None, "message": "x"},
        {"error_code": "", "message": "x"},
        {"choices": [choice({"content": "!"})], "message": "hello", "code": 5},
        {"choices": [{"delta": {"content": "!"}, "error": {}}]},
        {"choices": [{"delta": {"content": "!"}, "error": None}]},
        {"choices": [{"delta": {"content": "!"}, "error": False}]},
        {"error": [], "choices": []},
        {"error": 0, "choices": []},
        {"x_groq": {"error": ""}, "choices": []},
        {"usage": {"prompt_tokens": 1}, "message": "hello", "type": "usage"},
    ],
)
def test_what_only_resembles_an_error_is_none(event: dict[str, Any]) -> None:
    """A chunk may have members of these names."""
    events = read(body(text("Hi"), event, DONE))
    assert not any(isinstance(token, ProviderError) for token in events)


def test_the_value_before_a_stream_and_inside_one_is_the_same_failure() -> None:
    """Old vLLM's flat error behind a success, and the marker behind it."""
    value = {
        "object": "error",
        "message": "engine dead",
        "type": "InternalServerError",
        "code": 500,
    }
    inside = failure_of(read(body(text("Hi"), value, DONE)))
    outside = failure(500, value)
    assert inside.facts() == outside.facts() | {
        "provider": "openai-chat",
        "in_stream": True,
        "tokens_emitted": 1,
    }


def test_a_used_up_account_is_no_matter_of_keys() -> None:
    """Status 402 speaks of credit, whatever word stands beside it."""
    error = failure(402, error_of(code="permission_denied"))
    assert isinstance(error, RateLimitError)
    assert error.scope == "quota"


@pytest.mark.parametrize("status", [400, 404, 413, 422, 503])
def test_a_code_is_more_precise_than_the_status_beside_it(status: int) -> None:
    """Servers send one reason with several statuses."""
    error = failure(status, error_of(code="content_filter"))
    assert isinstance(error, OtherError)
    assert error.kind == "content_filter"


def test_a_word_of_keys_does_not_outweigh_a_status_that_names_something_else() -> None:
    """What is not there is not there, whoever asks."""
    error = failure(404, error_of(code="permission_denied"))
    assert isinstance(error, OtherError)
    assert error.kind == "not_found"


def test_a_moderated_prompt_keeps_the_code_of_its_error() -> None:
    """An application may look it up."""
    assert failure(403, error_of(code="blocked", metadata={"reasons": ["x"]})).code == "blocked"


def test_an_error_event_may_be_damaged() -> None:
    """What is no UTF-8 becomes U+FFFD, as in every event."""
    error = failure_of(read(b"event: error\ndata: \xffboom\n\n"))
    assert error.message == "\ufffdboom"
