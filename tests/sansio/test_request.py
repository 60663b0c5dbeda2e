"""The request as a value."""

from tokenwire.request import HTTPRequest

REQUEST = HTTPRequest(
    "POST",
    "https://host.example/v1/chat?key=sk-secret",
    (("authorization", "Bearer sk-secret"), ("content-length", "14")),
    b"secret prompt!",
)


def test_the_repr_shows_neither_key_nor_prompt() -> None:
    """Address, header names and size are what a log needs."""
    assert repr(REQUEST) == (
        "HTTPRequest(method='POST', url='https://host.example/v1/chat',"
        " headers=(authorization: …, content-length: …), body=<14 bytes>)"
    )


def test_requests_are_values() -> None:
    """Equal requests are equal, so that a recorder can find them again."""
    twin = HTTPRequest(REQUEST.method, REQUEST.url, REQUEST.headers, REQUEST.body)
    assert twin == REQUEST
    assert hash(twin) == hash(REQUEST)
