"""What is wrong with a configuration: one small call, watched stage by stage.

    report = await examine(config.provider, tell=print)
    if report.error is not None:
        print(f"{report.failed} failed: {report.error}")

The call is a call like any other: the doctor asks nothing of its own, it watches with an `Observer`
and reads the answer. So whatever it finds is what a program would meet.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Final, Literal, TypeAlias, cast, final, get_args

import attrs
import trio

from tokenwire.config import ProviderSection
from tokenwire.endpoint import Deadlines, Endpoint
from tokenwire.errors import AuthError, MalformedResponseError, Phase, ProviderError
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import ResponseInfo
from tokenwire.tokens import End, Token
from tokenwire.wire import SOCKET_KINDS
from tokenwire_trio.dialing import Dial
from tokenwire_trio.ending_deadlines import with_end
from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.progress import Progress, Result
from tokenwire_trio.provider import HTTPProvider
from tokenwire_trio.socket_provider import SocketProvider
from tokenwire_trio.tcp import Address
from tokenwire_trio.tls_stream import TLSStream

#: What a call goes through, in this order. A `tokenwire.errors.Phase` is what the transport does,
#: a stage is what may be wrong: the key and the model are not the transport's business.
Stage: TypeAlias = Literal["dns", "tcp", "proxy", "tls", "http", "auth", "first_token", "answer"]
Outcome: TypeAlias = Literal["ok", "skipped", "failed", "not_reached"]

STAGES: Final[tuple[Stage, ...]] = get_args(Stage)

#: Enough to say hi, and little to pay for. With a few tokens less, models that reason unasked
#: answer with an error because they have none left for the answer.
MAX_OUTPUT_TOKENS: Final = 64

#: For endpoints without deadlines: an examination must end.
_DEADLINES: Final = Deadlines(connect=10.0, send=10.0, first_token=60.0, gap=30.0)

_PROMPT: Final = (Message.user("Say hi"),)

#: Most that is shown of a name that the server gave, in characters.
_MAX_NAME_LENGTH: Final = 100

_STAGES_OF_PHASES: Final[dict[Phase, Stage]] = {
    "dns": "dns",
    "tcp": "tcp",
    "proxy": "proxy",
    "tls": "tls",
    "send": "http",
    "head": "http",
}


@final
@attrs.frozen(kw_only=True)
class Finding:
    """What became of one stage.

    Attributes:
        stage: Which one.
        outcome: It went well, was not needed, failed, or was never come to.
        seconds: How long it took, None where it took no time of its own. For the first token that
            is counted from the response head.
        detail: What was found, in a few words; empty where there is nothing to tell.
    """

    stage: Stage
    outcome: Outcome
    seconds: float | None = None
    detail: str = ""


@final
@attrs.frozen(kw_only=True)
class Report:
    """The result of an examination.

    Attributes:
        url: Where the request went, without its query.
        findings: One for each of `STAGES`, in their order.
        error: Why the call failed, None if it did not.
        response: Status, request id and timings, as far as they are known.
        model: Who answered, in the provider's words, None if that is not known.
    """

    url: str
    findings: tuple[Finding, ...]
    error: ProviderError | None
    response: ResponseInfo
    model: str | None

    @property
    def failed(self) -> Stage | None:
        """The stage that failed, None if none did."""
        return next((one.stage for one in self.findings if one.outcome == "failed"), None)


async def examine(
    section: ProviderSection,
    *,
    tell: Callable[[Finding], None] | None = None,
    max_output_tokens: int | None = None,
    dial: Dial | None = None,
) -> Report:
    """Make one small call and find out how far it gets.

    The endpoint gets deadlines for what it leaves unset, so that the examination ends.

    Args:
        section: Whom to call, and how, for instance ``config.provider``.
        tell: Is called with each finding as soon as it is made.
        max_output_tokens: Most tokens for the answer to have; by default few.
        dial: See `HTTPProvider`.

    Returns:
        What was found. A failure of the call is a part of it and not raised.

    Raises:
        LocalProtocolError: If the wire format cannot carry the settings.
        ValueError: If the settings cannot be used.
    """
    sending, receiving = trio.open_memory_channel[Finding](inf)
    # Not told by the observer: what `tell` raises must not pass for a failure of the network.
    async with brief_nursery() as nursery:
        nursery.start_soon(_pass_on, receiving, tell)
        with sending:
            section = _with_bounds(section, max_output_tokens)
            return await _call(section, _Examination(section.endpoint, sending), dial)


async def _pass_on(
    findings: trio.MemoryReceiveChannel[Finding], tell: Callable[[Finding], None] | None
) -> None:
    async with findings:
        async for finding in findings:
            if tell is not None:
                tell(finding)


async def _call(section: ProviderSection, examination: _Examination, dial: Dial | None) -> Report:
    kind = SocketProvider if section.kind in SOCKET_KINDS else HTTPProvider
    async with kind(section, dial=dial, observer=examination) as provider:
        url = provider.url
        try:
            async with provider.complete(_PROMPT) as stream:
                examination.head_came(stream.response)
                async for token in stream:
                    examination.token_came(token)
                examination.response = stream.response
        except ProviderError as error:
            examination.fail(error)
    return examination.report(url)


def _with_bounds(section: ProviderSection, max_output_tokens: int | None) -> ProviderSection:
    """Make sure that the answer is short and the wait for it ends."""
    defaults = section.defaults
    if max_output_tokens is None and defaults.reasoning and defaults.max_output_tokens:
        # A budget for reasoning must be below this bound.
        max_output_tokens = defaults.max_output_tokens
    deadlines = with_end(section.endpoint.deadlines, _DEADLINES)
    bound = ProviderConfig(max_output_tokens=max_output_tokens or MAX_OUTPUT_TOKENS)
    return attrs.evolve(
        section,
        endpoint=attrs.evolve(section.endpoint, deadlines=deadlines),
        defaults=bound.merged_over(defaults),
    )


@final
class _Examination:
    """Makes findings of what happens in a call; see `Observer`.

    Attributes:
        response: What is known of the response.
    """

    def __init__(self, endpoint: Endpoint, findings: trio.MemorySendChannel[Finding]) -> None:
        self._endpoint = endpoint
        self._scrubber = endpoint.scrubber()
        self._channel = findings
        self._findings: list[Finding] = []
        self._stage: Stage | None = None  # the one under way: the next one to be found out about
        self._began = trio.current_time()
        self._details: list[str] = []
        self._error: ProviderError | None = None
        self._model: str | None = None
        self.response = ResponseInfo()

    def begins(self, phase: Phase, progress: Progress) -> None:
        """Enter the stage to which a phase belongs, unless that is over.

        With a credential that had expired, the request is made a second time.
        """
        stage = _STAGES_OF_PHASES.get(phase)
        # TLS to the proxy itself.
        if stage == "tls" and progress.setting == "proxy.url":
            stage = "proxy"
        if stage is None or STAGES.index(stage) < len(self._findings) or stage == self._stage:
            return
        self._enter(stage)
        if stage == "proxy":
            self._details.append(progress.peer.removeprefix("the proxy "))

    def finds(self, result: Result) -> None:
        """Keep what is worth telling."""
        match result:
            case TLSStream():
                self._details.append(self._name(_about_tls(result.session)))
            case trio.SocketStream():
                self._details.append(_peer_of(result))
            case addresses:
                self._details.append(_about_addresses(addresses))

    def head_came(self, response: ResponseInfo) -> None:
        """Note that the request was accepted. Whether the key was, only the body says for sure."""
        self.response = response
        self._details.append(_about_response(response))
        self._enter("auth")

    def token_came(self, token: Token) -> None:
        """Note a token: the first one, the last one, or any other."""
        if self._stage == "auth":
            self._settle_auth(None)
            self._enter("answer")
        if isinstance(token, End):
            self._model = self._name(token.model) if token.model else None
            self._details += _about_end(token, self._model)
            self._leave("ok")

    def fail(self, error: ProviderError) -> None:
        """Note the failure, which is that of the stage under way unless it is one of the key."""
        self._error = error
        if self.response.status is None:
            self.response = ResponseInfo(status=error.status, request_id=error.request_id)
            self._details += filter(None, [_about_response(self.response)])
        if isinstance(error, AuthError) and self._stage == "http":
            self._leave("ok")
            self._conclude(Finding(stage="auth", outcome="failed"))
        elif self._stage == "auth" and not isinstance(error, AuthError):
            self._settle_auth(error)
        elif self._stage is None:  # the callable that is asked for the key did not return
            self._give_up(STAGES[: STAGES.index("auth")])
            self._stage = "auth"
        self._leave("failed")
        self._give_up(STAGES[len(self._findings) :])

    def report(self, url: str) -> Report:
        """Return everything; called once, at the end."""
        return Report(
            url=url,
            findings=tuple(self._findings),
            error=self._error,
            response=self.response,
            model=self._model,
        )

    def _settle_auth(self, error: ProviderError | None) -> None:
        """Say what an answer means for the key, and go on to the first token."""
        endpoint = self._endpoint
        if isinstance(error, MalformedResponseError):
            finding = Finding(stage="auth", outcome="skipped", detail="what answers does not tell")
        elif endpoint.credential or endpoint.headers or endpoint.query:
            finding = Finding(stage="auth", outcome="ok", detail="accepted")
        else:
            nothing = "no key is set, none was asked for"
            finding = Finding(stage="auth", outcome="skipped", detail=nothing)
        self._conclude(finding)
        self._stage = "first_token"

    def _enter(self, stage: Stage) -> None:
        self._leave("ok")
        for passed in STAGES[len(self._findings) : STAGES.index(stage)]:
            reason = self._why_skipped(passed)
            self._conclude(Finding(stage=passed, outcome="skipped", detail=reason))
        self._stage, self._began, self._details = stage, trio.current_time(), []

    def _leave(self, outcome: Outcome) -> None:
        if self._stage is not None:
            seconds = trio.current_time() - self._began
            detail = ", ".join(self._details)
            self._conclude(
                Finding(stage=self._stage, outcome=outcome, seconds=seconds, detail=detail)
            )
            self._stage = None

    def _conclude(self, finding: Finding) -> None:
        self._findings.append(finding)
        self._channel.send_nowait(finding)

    def _give_up(self, stages: Sequence[Stage]) -> None:
        for stage in stages:
            self._conclude(Finding(stage=stage, outcome="not_reached"))

    def _why_skipped(self, stage: Stage) -> str:
        match stage:
            case "dns" if self._endpoint.unix_socket:
                return "a Unix socket has no name to look up"
            case "proxy" if self._endpoint.proxy:
                return "the environment names none for this host"
            case "proxy":
                return "none is set"
            case "tls":
                return "base_url begins with http://"
            case _:
                return "the program connects by itself"  # with a `dial`

    def _name(self, text: str) -> str:
        """Make what somebody else calls something fit to be shown."""
        return " ".join(self._scrubber.scrub(text[:_MAX_NAME_LENGTH]).split())


def _about_addresses(addresses: Sequence[Address]) -> str:
    first = str(addresses[0].socket_address[0])
    others = len(addresses) - 1
    return f"{first} and {others} more" if others else first


def _peer_of(stream: trio.SocketStream) -> str:
    try:
        host, port, *_ = stream.socket.getpeername()
    except OSError:  # it left at once
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


#: How `ssl` writes a distinguished name: one or more attributes at each level.
_DistinguishedName: TypeAlias = tuple[tuple[tuple[str, str], ...], ...]


def _about_tls(session: ssl.SSLObject) -> str:
    version = (session.version() or "TLS").replace("TLSv", "TLS ")
    certificate = session.getpeercert()
    if not certificate:  # a context of the caller's own, which does not check it
        return f"{version}, the certificate is not checked"
    levels = cast("_DistinguishedName", certificate.get("issuer", ()))
    issuer = dict(attribute for level in levels for attribute in level)
    name = issuer.get("organizationName") or issuer.get("commonName") or "somebody unnamed"
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), tz=UTC)
    return f"{version}, certified by {name} until {expires:%Y-%m-%d}"


def _about_response(response: ResponseInfo) -> str:
    if response.status is None:
        return ""
    request = f", request {response.request_id}" if response.request_id else ""
    return f"status {response.status}{request}"


def _about_end(end: End, model: str | None) -> list[str]:
    details = ["complete" if end.finish == "stop" else f"complete, finish reason {end.finish}"]
    if end.usage is not None and end.usage.output_tokens is not None:
        details.append(f"{end.usage.output_tokens} tokens")
    return [*details, f"by {model}"] if model else details
