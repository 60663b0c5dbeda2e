"""A suite for wire formats of one's own: one call gives every check of the contract.

    SAMPLE = WireSample(wire=MyWire(), answers=[AnswerSample(...)], failures=[FailureSample(...)])

    @pytest.mark.parametrize("check", wire_contract(SAMPLE), ids=str)
    def test_the_contract(check: WireCheck) -> None:
        check()

It needs no test framework and does no I/O. The wire formats of this library pass the same suite,
those of sockets among them: there a request is the messages that ask for an answer, and an answer
the messages of it, one a line. Whose a message is, which is what a `tokenwire.session.Session` is
about, cannot be told by one answer, and is no part of the contract: providers open no sockets for
wire formats of one's own.

What it rests on is in `tokenwire.testing.invariants`, for property tests and fuzzers; the suite for
a whole provider is `tokenwire_trio.testing.provider_contract`.
"""

from tokenwire.testing.contract import WireCheck, wire_contract
from tokenwire.testing.samples import AnswerSample, FailureSample, WireSample

__all__ = ["AnswerSample", "FailureSample", "WireCheck", "WireSample", "wire_contract"]
