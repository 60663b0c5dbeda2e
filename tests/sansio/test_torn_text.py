"""Characters that were torn over two deltas are whole again."""

from tokenwire.torn_text import TornText

PAIR = "\ud83d\ude00"  # as two deltas bring it
EMOJI = "😀"


def test_whole_text_passes() -> None:
    """Nothing is held back that is not half."""
    torn = TornText[str]()
    assert torn.mend("a", "Hello") == "Hello"
    assert torn.mend("a", f"ü{EMOJI}") == f"ü{EMOJI}"
    assert torn.rest() == []


def test_two_halves_make_a_character() -> None:
    """The first waits for the second."""
    torn = TornText[str]()
    assert torn.mend("a", f"Hi {PAIR[0]}") == "Hi "
    assert torn.mend("a", f"{PAIR[1]}!") == f"{EMOJI}!"
    assert torn.rest() == []


def test_a_pair_in_one_delta_is_joined() -> None:
    """JSON may spell a character as two escapes side by side."""
    assert TornText[str]().mend("a", PAIR) == EMOJI


def test_a_half_waits_through_empty_deltas() -> None:
    """Nothing in between is not text."""
    torn = TornText[str]()
    assert torn.mend("a", PAIR[0]) == ""
    assert torn.mend("a", "") == ""
    assert torn.mend("a", PAIR[1]) == EMOJI


def test_a_half_without_its_other_is_replaced() -> None:
    """What follows it shows that it never was a character."""
    torn = TornText[str]()
    assert torn.mend("a", PAIR[0]) == ""
    assert torn.mend("a", "b") == "\ufffdb"


def test_a_second_half_alone_is_replaced() -> None:
    """Nothing waits for it."""
    assert TornText[str]().mend("a", f"{PAIR[1]}b") == "\ufffdb"


def test_two_first_halves_are_one_lost_and_one_waiting() -> None:
    """Only the last may still find its other half."""
    torn = TornText[str]()
    assert torn.mend("a", PAIR[0] + PAIR[0]) == "\ufffd"
    assert torn.mend("a", PAIR[1]) == EMOJI


def test_the_edges_of_the_first_halves() -> None:
    """U+D800 to U+DBFF wait; what lies beside them does not."""
    for half in ("\ud800", "\udbff"):
        assert TornText[str]().mend("a", half) == ""
    assert TornText[str]().mend("a", "\ud7ff") == "\ud7ff"
    assert TornText[str]().mend("a", "\udc00") == "\ufffd"


def test_texts_with_different_keys_do_not_mix() -> None:
    """The half of one text is not completed by another's."""
    torn = TornText[int]()
    assert torn.mend(1, PAIR[0]) == ""
    assert torn.mend(2, PAIR[1]) == "\ufffd"
    assert torn.mend(1, PAIR[1]) == EMOJI


def test_what_still_waits_at_the_end_is_replaced() -> None:
    """Each text that broke off in half a character is told once."""
    torn = TornText[int]()
    torn.mend(1, PAIR[0])
    torn.mend(2, f"x{PAIR[0]}")
    assert torn.rest() == [(1, "\ufffd"), (2, "\ufffd")]
    assert torn.rest() == []
