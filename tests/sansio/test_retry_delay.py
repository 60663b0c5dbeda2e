"""Whether servers ask to try again, and how long to wait before."""

import pytest

from tokenwire.retry_delay import parse_duration, retry_advice, retry_delay

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "0.5"}, 0.0005),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": " 2 "}, 2.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:40 GMT", "date": DATE}, 3.0),
    ],
)
def test_each_spelling_is_read(headers: dict[str, str], seconds: float | None) -> None:
    """Milliseconds, seconds and dates are all in use."""
    assert retry_delay(headers) == seconds


def test_milliseconds_go_before_seconds() -> None:
    """They are the more precise of the two."""
    assert retry_delay({"retry-after-ms": "100", "retry-after": "1"}) == 0.1


@pytest.mark.parametrize("value", ["soon", "", "nan", "inf", "0", "-5"])
def test_unusable_milliseconds_leave_the_word_to_seconds(value: str) -> None:
    """One bad header does not hide a good one."""
    assert retry_delay({"retry-after-ms": value, "retry-after": "1"}) == 1.0


@pytest.mark.parametrize("value", ["soon", "", "nan", "inf", "-inf", "0", "-0", "-5", "1e999"])
def test_a_delay_that_is_no_positive_number_is_none(value: str) -> None:
    """Waiting for no time, for ever or backwards makes no sense."""
    assert retry_delay({"retry-after": value, "date": DATE}) is None


@pytest.mark.parametrize(
    "later",
    [
        "Sun, 06 Nov 1994 08:50:37 GMT",
        "Sunday, 06-Nov-94 08:50:37 GMT",
        "Sun Nov  6 08:50:37 1994",
    ],
)
def test_all_three_forms_of_a_date_are_read(later: str) -> None:
    """RFC 9110 wants the obsolete ones accepted as well."""
    assert retry_delay({"retry-after": later, "date": DATE}) == 60.0


DAYS_BEFORE = {
    "Jan": 0,
    "Feb": 31,
    "Mar": 59,
    "Apr": 90,
    "May": 120,
    "Jun": 151,
    "Jul": 181,
    "Aug": 212,
    "Sep": 243,
    "Oct": 273,
    "Nov": 304,
    "Dec": 334,
}


@pytest.mark.parametrize("month", DAYS_BEFORE)
def test_every_month_is_known(month: str) -> None:
    """A date in each month is as many days from New Year as the calendar says."""
    headers = {
        "date": "Tue, 31 Dec 2024 00:00:00 GMT",
        "retry-after": f"Wed, 01 {month} 2025 00:00:00 GMT",
    }
    assert retry_delay(headers) == (DAYS_BEFORE[month] + 1) * 86_400.0


@pytest.mark.parametrize(
    ("two_digits", "year"), [("00", 2000), ("69", 2069), ("70", 1970), ("99", 1999)]
)
def test_a_year_of_two_digits_is_the_nearest(two_digits: str, year: int) -> None:
    """RFC 850 dates leave the century out."""
    headers = {
        "date": f"Wed, 01 Mar {year} 00:00:00 GMT",
        "retry-after": f"Wednesday, 01-Mar-{two_digits} 00:00:09 GMT",
    }
    assert retry_delay(headers) == 9.0


def test_a_day_of_one_digit_may_be_padded_with_a_space() -> None:
    """So `asctime` writes it; two digits are fine too."""
    headers = {"date": "Sun Nov  6 23:59:59 1994", "retry-after": "Thu Nov 10 00:00:00 1994"}
    assert retry_delay(headers) == 3 * 86_400.0 + 1


def test_a_leap_second_is_no_mistake() -> None:
    """It is taken for the second before it."""
    headers = {
        "date": "Sat, 31 Dec 2016 23:59:58 GMT",
        "retry-after": "Sat, 31 Dec 2016 23:59:60 GMT",
    }
    assert retry_delay(headers) == 1.0


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "Sun, 06 Nov 1994 08:49:40 GMT"},
        {"retry-after": "Sun, 06 Nov 1994 08:49:40 GMT", "date": "today"},
        {"retry-after": "Sun, 06 Nov 1994 08:49:40 CET", "date": DATE},
        {"retry-after": "Sun, 06 Nov 1994 24:00:00 GMT", "date": DATE},
        {"retry-after": "Sun, 06 Nov 1994 08:60:00 GMT", "date": DATE},
        {"retry-after": "Sun, 32 Nov 1994 08:49:40 GMT", "date": DATE},
        {"retry-after": "Sun, 06 Xxx 1994 08:49:40 GMT", "date": DATE},
        {"retry-after": "Sun, 06 Nov 1994 08:49:4: GMT", "date": DATE},
        {"retry-after": "Sun, 06 Nov 1994 :::::::: GMT", "date": DATE},
        {"retry-after": DATE, "date": DATE},
        {"retry-after": "Sun, 06 Nov 1994 08:49:36 GMT", "date": DATE},
    ],
)
def test_a_date_that_says_nothing_usable_is_none(headers: dict[str, str]) -> None:
    """No date to compare with, no valid date, now, and the past."""
    assert retry_delay(headers) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h", 3600.0),
        ("1h1m1s", 3661.0),
        ("2m59.56s", 179.56),
        ("120ms", 0.12),
        ("5us", 5e-6),
        ("5µs", 5e-6),
        ("7ns", 7e-9),
        ("0s", 0.0),
        ("12", 12.0),
        ("1.5", 1.5),
        ("999999999999s", 999_999_999_999.0),
    ],
)
def test_a_duration_is_read_as_go_writes_it(text: str, seconds: float) -> None:
    """Or as a bare number of seconds."""
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    ["", "s", "1x", "1s!", " 1s", "1s ", "1s 2m", "-1s", "1.s", ".5s", "9999999999999s", "0"],
)
def test_anything_else_is_no_duration(text: str) -> None:
    """Half a duration is not read as a whole one."""
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("headers", "advice"),
    [
        ({"x-should-retry": "true"}, True),
        ({"x-should-retry": "false"}, False),
        ({"x-should-retry": "False"}, None),
        ({"x-should-retry": ""}, None),
        ({}, None),
    ],
)
def test_servers_say_whether_to_try_again(headers: dict[str, str], advice: bool | None) -> None:
    """In one spelling; anything else leaves it to the status."""
    assert retry_advice(headers) is advice
