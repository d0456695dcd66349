"""An account at an ACME server, and orders for certificates (RFC 8555). What an order needs next, `order` says.

Every request is signed and has a nonce; the server gives a new one with each response (§6.5). Orders of one client may
go on at the same time.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

import trio

from appliance.base.log import Log
from appliance.net.http import URL, Bounds, Client, HTTPError, Request, Response
from appliance.tls.acme import jose, messages, order as orders
from appliance.tls.acme.messages import Authorization, BadMessage, Directory, Order, Problem, RenewalInfo

T = TypeVar("T")

log = Log("autotls")

#: For one request. Chains of certificates are the longest answers, some 10 KB.
BOUNDS: Final = Bounds(seconds=30, body_octets=256 * 1024)
#: For an order from the beginning to its end.
ORDER_SECONDS: Final = 300.0
#: Requests are repeated with a new nonce (RFC 8555 §6.5) so often.
_NONCES: Final = 12
#: Nonces kept for later requests.
_SPARE_NONCES: Final = 10
#: Between two looks at an order; a server that says when (Retry-After, RFC 8555 §7.5.1) is believed up to the last.
_FIRST_POLL, _LONGEST_POLL = 0.5, 15.0
#: A directory is fetched anew after so long: servers change.
_DIRECTORY_SECONDS: Final = 24 * 3600.0
_TIDY_SECONDS: Final = 20.0


#: The kind of an ACMEError when the authority was not even asked.
NOT_ASKED: Final = "not asked"


class ACMEError(Exception):
    """There is no certificate. The text says why, for log and pages."""

    def __init__(
        self, text: str, *, kind: str = "", retry_after: float | None = None, other_may_help: bool = False
    ) -> None:
        super().__init__(text)
        #: The type of the server's problem, without prefix; empty when the server has not spoken.
        self.kind = kind
        #: Seconds the server wants to be left alone.
        self.retry_after = retry_after
        #: Whether another kind of challenge may do better.
        self.other_may_help = other_may_help


class Solver(Protocol):
    """Puts answers to challenges of one kind where the authority looks for them."""

    #: As in RFC 8555: `http-01`.
    kind: str

    def answering(self, name: str, token: str, key_authorization: str) -> AbstractAsyncContextManager[None]:
        """The answer is in its place within this. Raises ACMEError on entering."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are at a server."""

    key: jose.AccountKey
    contact: str
    #: For servers that want an account of another kind first: its name, and a key we share.
    binding: tuple[str, bytes] | None = None


class ACMEClient:
    """Speaks with one server for one account."""

    def __init__(
        self,
        http: Client,
        directory_url: str,
        account: Account,
        now: Callable[[], datetime],
        *,
        account_url: str = "",
        contact: str = "",
        keep_account: Callable[[str, str], None] = lambda url, contact: None,
    ) -> None:
        """`account_url`: of the account, when it is known, with the `contact` it has; `keep_account` hears of both."""
        self._http = http
        self._directory_url = directory_url
        self._account = account
        self._now = now
        self._account_url = account_url
        self._contact = contact
        self._keep_account = keep_account
        self._directory: Directory | None = None
        self._directory_until = 0.0
        self._nonces: list[str] = []
        self._registering = trio.Lock()

    async def directory(self) -> Directory:
        """Where requests go. Raises ACMEError."""
        if self._directory is None or trio.current_time() > self._directory_until:
            self._directory = _parsed(await self._get(self._directory_url), Directory)
            self._directory_until = trio.current_time() + _DIRECTORY_SECONDS
        return self._directory

    async def issue(self, name: str, csr: bytes, solver: Solver, *, replaces: str = "") -> bytes:
        """A certificate chain, PEM, our own certificate first. Raises ACMEError.

        `csr`: DER; `replaces`: the identifier of the certificate that is renewed (`renewal_identifier`).
        """
        with trio.move_on_after(ORDER_SECONDS):
            return await self._issue(name, csr, solver, replaces)
        raise ACMEError(f"the ACME server was not done after {ORDER_SECONDS:g} s")

    async def _issue(self, name: str, csr: bytes, solver: Solver, replaces: str) -> bytes:
        answer = await self._new_order(name, replaces)
        order, url = _parsed(answer, Order), _location(answer)
        finalized, told, pause = False, set[str](), _FIRST_POLL
        async with AsyncExitStack() as answers:
            try:
                while True:
                    unproved = order.authorizations if order.status in {"pending", "invalid"} else ()
                    found = [await self._authorization(one) for one in unproved]
                    match orders.next_step(order, found, solver.kind, told=told, finalized=finalized):
                        case orders.Prove(proved, challenge):
                            key_authorization = jose.key_authorization(self._account.key, challenge.token)
                            await answers.enter_async_context(
                                solver.answering(proved, challenge.token, key_authorization)
                            )
                            told.add(challenge.url)
                            await self._post(challenge.url, {})
                        case orders.Finalize():
                            finalized = True
                            answer = await self._post(order.finalize, {"csr": jose.encode(csr)})
                            order = _parsed(answer, Order)
                        case orders.Download(certificate_url):
                            return (await self._post(certificate_url, None)).body
                        case orders.Failed(text, other_may_help):
                            raise ACMEError(text, other_may_help=other_may_help)
                        case orders.Wait():
                            wanted = messages.parse_retry_after(answer.field("retry-after"), self._now())
                            await trio.sleep(min(max(pause, wanted or 0.0), _LONGEST_POLL))
                            pause *= 2
                            answer = await self._post(url, None)
                            order = _parsed(answer, Order)
            except BaseException:
                await self._tidy(order)
                raise

    async def _new_order(self, name: str, replaces: str) -> Response:
        directory = await self.directory()
        wanted: dict[str, object] = {"identifiers": [{"type": "dns", "value": name}]}
        try:
            return await self._post(directory.new_order, {**wanted, **({"replaces": replaces} if replaces else {})})
        except ACMEError as error:
            # Another order has replaced it, or the server knows nothing of it (RFC 9773 §5).
            if not replaces or error.kind not in {"alreadyReplaced", "malformed", "unauthorized"}:
                raise
            return await self._post(directory.new_order, wanted)

    async def _authorization(self, url: str) -> Authorization:
        return _parsed(await self._post(url, None), Authorization)

    async def _tidy(self, order: Order) -> None:
        """Take back what waits for a proof that will not come: servers count it (RFC 8555 §7.5.2)."""
        with trio.move_on_after(_TIDY_SECONDS) as scope, suppress(ACMEError):
            scope.shield = True
            for url in order.authorizations if order.status in {"pending", "invalid"} else ():
                if (await self._authorization(url)).status == "pending":
                    await self._post(url, {"status": "deactivated"})

    async def renewal_window(self, identifier: str) -> tuple[RenewalInfo, float | None] | None:
        """When the server wants a certificate renewed, and in how many seconds it wants to be asked again.

        None when it does not say (RFC 9773 §4). Raises ACMEError.
        """
        base = (await self.directory()).renewal_info
        if not base:
            return None
        answer = await self._get(f"{base.removesuffix('/')}/{identifier}")
        after = messages.parse_retry_after(answer.field("retry-after"), self._now())
        return _parsed(answer, RenewalInfo), after

    async def account_url(self) -> str:
        """The account, made if there is none yet. Raises ACMEError."""
        async with self._registering:
            if not self._account_url:
                self._account_url = await self._register()
            elif self._contact != self._account.contact:
                await self._change_contact()
            else:
                return self._account_url
            self._contact = self._account.contact
            self._keep_account(self._account_url, self._contact)
            return self._account_url

    async def _change_contact(self) -> None:
        """RFC 8555 §7.3.2. Certificates do not depend on it."""
        try:
            await self._signed(self._account_url, {"contact": self._contacts()}, account=self._account_url)
        except ACMEError as error:
            if error.kind == "accountDoesNotExist":
                raise
            log.warn("the authority does not take the contact of the account", error)

    def _contacts(self) -> list[str]:
        return [f"mailto:{self._account.contact}"]

    async def _register(self) -> str:
        directory = await self.directory()
        # RFC 8555 §7.3: who runs the server has agreed to the terms by configuring the authority.
        wanted: dict[str, object] = {"termsOfServiceAgreed": True, "contact": self._contacts()}
        if self._account.binding is not None:
            key_id, mac_key = self._account.binding
            wanted["externalAccountBinding"] = jose.external_binding(
                self._account.key, key_id=key_id, mac_key=mac_key, url=directory.new_account
            )
        elif directory.meta.external_account_required:
            raise ACMEError("the authority wants external_account_binding, and none is configured")
        return _location(await self._signed(directory.new_account, wanted, account=""))

    async def _post(self, url: str, payload: object) -> Response:
        """A request of the account. Raises ACMEError."""
        try:
            return await self._signed(url, payload, account=await self.account_url())
        except ACMEError as error:
            if error.kind != "accountDoesNotExist":
                raise
        # The server has forgotten us, or is another one by the same name.
        self._account_url = ""
        return await self._signed(url, payload, account=await self.account_url())

    async def _signed(self, url: str, payload: object, *, account: str) -> Response:
        for _ in range(_NONCES):
            nonce = self._nonces.pop() if self._nonces else await self._new_nonce()
            body = jose.signed(self._account.key, payload, url=url, nonce=nonce, account=account)
            answer = await self._send(
                Request(_url(url), "POST", (("Content-Type", "application/jose+json"),), body)  # RFC 8555 §6.2
            )
            if answer.status < 400:
                return answer
            problem = messages.parse_problem(answer.body, answer.status)
            if problem.kind != "badNonce":
                raise self._refused(answer, problem)
        raise ACMEError("the ACME server takes none of its own nonces")

    async def _new_nonce(self) -> str:
        answer = await self._send(Request(_url((await self.directory()).new_nonce), "HEAD"))
        if not self._nonces:
            raise ACMEError(f"the ACME server gave no nonce (status {answer.status})")
        return self._nonces.pop()

    async def _get(self, url: str) -> Response:
        answer = await self._send(Request(_url(url)))
        if answer.status != 200:
            raise self._refused(answer, messages.parse_problem(answer.body, answer.status))
        return answer

    def _refused(self, answer: Response, problem: Problem) -> ACMEError:
        after = messages.parse_retry_after(answer.field("retry-after"), self._now())
        return ACMEError(str(problem), kind=problem.kind, retry_after=after)

    async def _send(self, request: Request) -> Response:
        try:
            answer = await self._http.send(request, BOUNDS)
        except HTTPError as error:
            raise ACMEError(f"the ACME server {request.url.host} cannot be asked: {error}") from error
        nonce = answer.field("replay-nonce")
        if nonce and len(nonce) <= 1000:
            self._nonces = [*self._nonces, nonce][-_SPARE_NONCES:]
        return answer


def _location(answer: Response) -> str:
    found = answer.field("location")
    if not found:
        raise ACMEError("the ACME server does not say where it has put what was asked for")
    return found


def _url(text: str) -> URL:
    """Raises ACMEError."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ACMEError(f"not a URL: {messages.shown(text)}") from error
    if parts.scheme != "https" or not parts.hostname or not text.isascii() or not text.isprintable() or " " in text:
        raise ACMEError(f"not an https URL: {messages.shown(text)}")  # RFC 8555 §6.1
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return URL(parts.scheme, parts.hostname, target, port)


def _parsed(answer: Response, kind: type[T]) -> T:
    try:
        return messages.parse(answer.body, kind)
    except BadMessage as error:
        raise ACMEError(str(error)) from error
