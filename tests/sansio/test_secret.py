"""Credentials never show themselves, and what a server echoes of them is removed."""

import copy
import pickle
from collections.abc import Callable
from urllib.parse import quote

import msgspec
import pytest

from tests.sansio.leaks import everything_in
from tokenwire.secret import KEY_PART_LENGTH, REDACTED, Scrubber, Secret

KEY = "sk-proj-a1B2c3D4e5F6"


def test_reveal_returns_the_key() -> None:
    """The one way to read a key is to ask for it."""
    assert Secret(KEY).reveal() == KEY


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!s}".format, "{!r}".format])
def test_no_text_of_a_secret_shows_the_key(show: Callable[[Secret], str]) -> None:
    """Whatever is printed, formatted or logged says only that there is a secret."""
    assert show(Secret(KEY)) == "Secret(…)"


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_neither_pickled_nor_copied(duplicate: Callable[[Secret], object]) -> None:
    """A key does not get into a file or a second object by accident."""
    with pytest.raises(TypeError, match="not pickled or copied") as caught:
        duplicate(Secret(KEY))
    assert KEY not in everything_in(caught.value)


def test_a_secret_is_no_json() -> None:
    """Writing a structure that holds a secret fails instead of publishing it."""
    with pytest.raises(TypeError):
        msgspec.json.encode({"key": Secret(KEY)})


def test_a_secret_cannot_be_changed() -> None:
    """Nobody swaps the key under those who hold the secret."""
    secret = Secret(KEY)
    with pytest.raises(AttributeError, match="cannot be changed"):
        secret.key = "other"
    assert secret.reveal() == KEY


def test_equal_keys_make_equal_secrets() -> None:
    """Secrets compare by their keys, so that configurations compare."""
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret(KEY + "x")


def test_a_secret_is_not_its_text() -> None:
    """A secret does not equal the string: nobody can test a guess without revealing."""
    assert Secret(KEY) != KEY


def test_the_hash_says_nothing_about_the_key() -> None:
    """All secrets have one hash: a hash of the key would be its fingerprint."""
    assert hash(Secret(KEY)) == hash(Secret("another-key"))


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("", "is empty"),
        (f" {KEY}", "strip it"),
        (f"{KEY} ", "strip it"),
        (f"{KEY}\n", "strip it"),
        (f"{KEY}\r\n", "strip it"),
        (f"{KEY}\u2003", "strip it"),
        (f"sk\n{KEY}", "copy it again"),
        (f"sk\x00{KEY}", "copy it again"),
        (f"sk\x1f{KEY}", "copy it again"),
        (f"{KEY}\x7f", "copy it again"),
        (f"{KEY}é", "copy it again"),
        (f"sk\u2011{KEY}", "copy it again"),
    ],
)
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str, advice: str) -> None:
    """The error says what is wrong with the key and what to do, and never shows it."""
    with pytest.raises(ValueError, match=advice) as caught:
        Secret(key)
    assert KEY not in everything_in(caught.value)


@pytest.mark.parametrize("key", ["!", "~", "a b", "x" * 10_000])
def test_every_printable_ascii_key_is_taken(key: str) -> None:
    """The first and the last printable character, spaces inside and any length are all fine."""
    assert Secret(key).reveal() == key


def test_a_key_of_another_type_is_refused_unseen() -> None:
    """Bytes are no key, and do not appear in the error either."""
    with pytest.raises(TypeError, match="must be a str") as caught:
        Secret(KEY.encode())  # type: ignore[arg-type]  # what is tested
    assert KEY not in everything_in(caught.value)


def test_a_whole_key_is_replaced() -> None:
    """A server that quotes the key leaves a mark, not the key."""
    assert Scrubber([KEY]).scrub(f"Bad key: {KEY}.") == f"Bad key: {REDACTED}."


def test_text_without_a_key_is_untouched() -> None:
    """What a server says otherwise is worth reading."""
    text = "Rate limit reached for gpt in organization org-x"
    assert Scrubber([KEY]).scrub(text) == text


def test_nothing_is_scrubbed_without_secrets() -> None:
    """An endpoint without a key leaves every text alone."""
    assert Scrubber([]).scrub("any text at all") == "any text at all"


@pytest.mark.parametrize("start", range(len(KEY) - KEY_PART_LENGTH + 1))
def test_every_run_of_eight_characters_is_replaced(start: int) -> None:
    """A key that was cut, from whichever side, is still recognised."""
    part = KEY[start : start + KEY_PART_LENGTH]
    assert Scrubber([KEY]).scrub(f"<{part}>") == f"<{REDACTED}>"


def test_a_run_of_seven_characters_stays() -> None:
    """Shorter runs say too little of a key to be worth mutilating prose."""
    assert Scrubber([KEY]).scrub(KEY[: KEY_PART_LENGTH - 1]) == KEY[: KEY_PART_LENGTH - 1]


def test_a_key_at_either_end_of_the_text_is_replaced() -> None:
    """There need not be anything around a key."""
    assert Scrubber([KEY]).scrub(KEY) == REDACTED
    assert Scrubber([KEY]).scrub(f"{KEY} and {KEY}") == f"{REDACTED} and {REDACTED}"


def test_overlapping_runs_make_one_mark() -> None:
    """A key is one secret, however many of its runs were found."""
    assert Scrubber([KEY]).scrub(f"a{KEY}b{KEY[3:]}c") == f"a{REDACTED}b{REDACTED}c"


def test_keys_side_by_side_are_both_replaced() -> None:
    """Where one run ends another may begin at once."""
    first, second = "abcdefgh", "12345678"
    assert Scrubber([first, second]).scrub(f"x{first}{second}y") == f"x{REDACTED}{REDACTED}y"


def test_the_text_between_keys_stays() -> None:
    """Only the keys go."""
    assert Scrubber(["abcdefgh", "12345678"]).scrub("abcdefgh-12345678") == f"{REDACTED}-{REDACTED}"


def test_a_slash_in_an_encoded_key_is_encoded() -> None:
    """In a query it would be, so the short key is recognised as a word in that form."""
    assert Scrubber(["a/b"]).scrub("?key=a%2Fb") == f"?key={REDACTED}"


def test_a_percent_encoded_key_is_replaced() -> None:
    """A key that was sent in a URL comes back in the URL's spelling."""
    key = "a/b+c=d&e?f#g%h"
    assert Scrubber([key]).scrub(f"GET /?key={quote(key, safe='')}") == f"GET /?key={REDACTED}"


@pytest.mark.parametrize("form", [r"a\"b\\c/d+e", r"a\"b\\c\/d+e"])
def test_a_key_within_json_is_replaced(form: str) -> None:
    """A key that comes back in a JSON text has its quotes escaped, and perhaps its slashes."""
    assert Scrubber([r"""a"b\c/d+e"""]).scrub(f'{{"key":"{form}"}}') == f'{{"key":"{REDACTED}"}}'


@pytest.mark.parametrize("shift", range(KEY_PART_LENGTH))
@pytest.mark.parametrize("start", range(8))
def test_a_part_is_found_wherever_it_begins(start: int, shift: int) -> None:
    """Any eight characters of a key, at any place of a text, short or long."""
    part = "abcdefghijklmno"[start : start + KEY_PART_LENGTH]
    for before in ("-" * shift, "-" * (200 + shift)):
        assert Scrubber(["abcdefghijklmno"]).scrub(f"{before}{part}.") == f"{before}{REDACTED}."


def test_a_long_text_without_a_key_stays_as_it_is() -> None:
    """Also one that has half a part of a key in it."""
    for text in ("-" * 300, "abcd" * 100):
        assert Scrubber(["abcdefghijklmno"]).scrub(text) == text


def test_a_key_of_eight_characters_is_replaced_wherever_it_stands() -> None:
    """Eight characters are a run, also in the middle of a word."""
    assert Scrubber(["abcdefgh"]).scrub("xabcdefghx") == f"x{REDACTED}x"


@pytest.mark.parametrize("key", ["abcd", "abcdefg"])
def test_a_short_key_is_replaced_as_a_word(key: str) -> None:
    """From four to seven characters a key is only recognised where it stands alone."""
    assert Scrubber([key]).scrub(f"key {key}, x{key} {key}x") == f"key {REDACTED}, x{key} {key}x"


def test_a_key_of_three_characters_is_a_placeholder() -> None:
    """Servers that want no key are given "x" or "EMP": no secret."""
    assert Scrubber(["abc"]).scrub("abc") == "abc"


def test_several_short_keys_are_all_replaced() -> None:
    """One word of a list is as secret as the next, and none is read as a pattern."""
    assert Scrubber(["a.cd", "wxyz"]).scrub("a.cd abcd wxyz") == f"{REDACTED} abcd {REDACTED}"


def test_short_and_long_keys_are_replaced_together() -> None:
    """An endpoint may have secrets of both kinds."""
    assert Scrubber(["wxyz", KEY]).scrub(f"wxyz {KEY}") == f"{REDACTED} {REDACTED}"
