"""Push subscriptions (RFC 8620 §7.2): making and changing them, and the keeper that tells them of changes.

Users choose the URLs, so they are asked first whether they want it, and only addresses that webhooks may go to are
dialed (`policy.takes_webhooks`, `webhook_networks`). One POST to a host at a time; what fails is tried later and
later. A subscription lives as long as the credential that made it.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import trio
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.metrics import Counter, panics
from appliance.base.problem import Kind, Problem
from appliance.delivery import secrets
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.net.http import Bounds, Client, HTTPError, Request, parse_url
from appliance.operations import states
from appliance.operations.actor import Actor
from appliance.operations.websessions import new_token
from appliance.protocol import webpush
from appliance.queue import hookpost
from appliance.store import account as accounts, apitokens, push, secret
from appliance.store.problems import NoSuchAccount
from appliance.store.push import PushSubscription
from appliance.store.tables import AccountID
from appliance.store.transaction import ReadTx, WriteTx

log = Log("push")

results = Counter("jmap_push_results_total", "POSTs to push subscriptions, by status code of the response.", ("code",))

_SECOND: Final = 1_000_000
#: Between looks.
LOOK_SECONDS: Final = 2.0
#: Between two POSTs to one subscription: what changes meanwhile is told as one.
PAUSE_SECONDS: Final = 5
#: Between two questions to URLs of one account, whoever they are: none floods another server through us.
ASK_SECONDS: Final = 20
#: After a POST that came to nothing, doubled each time.
RETRY_SECONDS, RETRY_MOST_SECONDS = 30, 3600
#: After so many in a row the subscription is forgotten; a URL that does not answer the question has fewer.
FAILURES, ASK_FAILURES = 60, 3
#: At the same time.
PARALLEL: Final = 10
_POST_SECONDS: Final = 20.0
_RESPONSE_OCTETS: Final = 512
#: How long a push service may keep what its device cannot be told yet (RFC 8030 §5.2).
_TTL_SECONDS: Final = 86400
#: How long what we say of ourselves counts (RFC 8292 §2: a day at most).
_SIGNED_SECONDS: Final = 12 * 3600
#: The subscription is no more (RFC 8030 §7.3).
_GONE: Final = frozenset({404, 410})
_URL_CHARACTERS, _DEVICE_CHARACTERS = 2000, 200


class BadSubscription(Problem):
    """A subscription that cannot be; the text says why."""

    kind, status = Kind.INVALID, Status(5, 3, 0)

    def __init__(self, text: str, name: str) -> None:
        """`name`: of the property in JMAP."""
        super().__init__(text)
        self.name = name


class NoSuchSubscription(Problem):
    """There is none of that id, or it is another credential's."""

    kind, status = Kind.NOT_FOUND, Status(5, 3, 0)


# Credentials.

SESSION, APP_PASSWORD, TOKEN, PASSWORD = "session", "apppassword", "token", "password"


def credential_of(app: Appliance, actor: Actor, token: bytes | None) -> str:
    """What names the credential of a login, to be kept. `token`: the digest of an API token."""
    if token is not None:
        return f"{TOKEN} {token.hex()}"
    if actor.web_session is not None:
        return f"{SESSION} {actor.web_session.hex()}"
    if actor.app_password is not None:
        return f"{APP_PASSWORD} {actor.app_password}"
    with app.store.read() as tx:
        known = accounts.credentials(tx, actor.account)
    return f"{PASSWORD} {known.changed if known is not None else 0}"


def _is_good(tx: ReadTx, account: AccountID, credential: str, now: int) -> bool:
    """Whether a credential still is."""
    kind, _, value = credential.partition(" ")
    if kind == SESSION:
        session = accounts.session(tx, account, bytes.fromhex(value))
        return session is not None and session.expires > now
    if kind == TOKEN:
        token = apitokens.find(tx, account, bytes.fromhex(value))
        return token is not None and (not token.expires or token.expires > now)
    if kind == APP_PASSWORD:
        found = dict(accounts.app_passwords(tx, account)).get(int(value))
        return found is not None and (not found.expires or found.expires > now)
    known = accounts.credentials(tx, account)
    return known is not None and str(known.changed) == value


# Whom push services see.


async def application_key(app: Appliance) -> ec.EllipticCurvePrivateKey:
    """The key that all posts of this house are signed with; it stays the same, as subscriptions are bound to it."""
    return webpush.application_key(await secrets.known(app, secret.PUSH, webpush.SECRET_OCTETS))


# Verbs.


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subscription that is to be made."""

    device: str
    url: str
    #: `p256dh` and `auth` (RFC 8291), as the client has them; None: not encrypted.
    keys: tuple[str, str] | None
    #: Microseconds since 1970; None: as long as may be.
    expires: int | None
    types: Sequence[str] | None


def mine(app: Appliance, actor: Actor, credential: str) -> dict[str, PushSubscription]:
    """Those that this credential has made, by id."""
    now = app.clock.microseconds()
    with app.store.read() as tx:
        found = push.of_account(tx, actor.account)
    return {one.id: one for one in found if one.credential == credential and not _is_over(one, now)}


def _is_over(one: PushSubscription, now: int) -> bool:
    return bool(one.expires) and one.expires <= now


def _expiry(credential: str, wanted: int | None, now: int) -> int:
    """When it ends: with a session that has an end anyhow, or after a week (RFC 8620 §7.2). 0: with its credential."""
    if credential.startswith(SESSION):
        return wanted or 0
    most = now + limits.PUSH_DAYS * 86400 * _SECOND
    return most if wanted is None else min(wanted, most)


def _checked_types(types: Sequence[str] | None) -> tuple[str, ...] | None:
    if types is None:
        return None
    if len(types) > limits.PUSH_TYPES or any(len(one) > limits.PUSH_TYPE_CHARACTERS for one in types):
        raise BadSubscription("these are too many types", "types")
    return tuple(dict.fromkeys(types))


async def create(app: Appliance, actor: Actor, credential: str, wanted: Wanted) -> PushSubscription:
    """Make one; its URL is asked soon. Raises BadSubscription, TooMany."""
    if not 0 < len(wanted.device) <= _DEVICE_CHARACTERS:
        raise BadSubscription(f"a name of a device has at most {_DEVICE_CHARACTERS} characters", "deviceClientId")
    try:
        if len(wanted.url) > _URL_CHARACTERS or parse_url(wanted.url).scheme != "https":
            raise ValueError("not a URL that begins with https://")
    except ValueError as error:
        raise BadSubscription(str(error), "url") from error
    key = auth = b""
    if wanted.keys is not None:
        try:
            key, auth = webpush.parse_key(wanted.keys[0]), webpush.parse_auth(wanted.keys[1])
        except ValueError as error:
            raise BadSubscription(str(error), "keys") from error
    now = app.clock.microseconds()
    new = PushSubscription(
        id=f"P{new_token(app.random)}",
        credential=credential,
        device=wanted.device,
        url=wanted.url,
        key=key,
        auth=auth,
        code=new_token(app.random),
        created=now,
        expires=_expiry(credential, wanted.expires, now),
        types=_checked_types(wanted.types),
    )
    await app.store.write(push.add, actor.account, new, most=limits.PUSH_SUBSCRIPTIONS)
    return new


async def change(
    app: Appliance,
    actor: Actor,
    credential: str,
    id: str,
    *,
    code: str | None = None,
    expires: int | msgspec.UnsetType | None = msgspec.UNSET,
    types: Sequence[str] | msgspec.UnsetType | None = msgspec.UNSET,
) -> PushSubscription:
    """Verify one by the code that its URL was told, give it another end or other types; as it is then.

    Raises NoSuchSubscription, BadSubscription.
    """
    now = app.clock.microseconds()
    told = states.states(app, actor)

    def body(tx: WriteTx) -> PushSubscription:
        one = push.find(tx, actor.account, id)
        if one is None or one.credential != credential or _is_over(one, now):
            raise NoSuchSubscription("there is no such subscription")
        if code is not None:
            if code != one.code:
                raise BadSubscription("this is not the code", "verificationCode")
            if not one.is_verified:
                # What changed before is no news.
                one = msgspec.structs.replace(one, is_verified=True, told=told, failures=0, next_attempt=0)
        if expires is not msgspec.UNSET:
            one = msgspec.structs.replace(one, expires=_expiry(credential, expires, now))
        if types is not msgspec.UNSET:
            one = msgspec.structs.replace(one, types=_checked_types(types))
        push.put(tx, actor.account, one)
        return one

    return await app.store.write(body)


async def destroy(app: Appliance, actor: Actor, credential: str, id: str) -> None:
    """Forget one. Raises NoSuchSubscription."""

    def body(tx: WriteTx) -> None:
        one = push.find(tx, actor.account, id)
        if one is None or one.credential != credential:
            raise NoSuchSubscription("there is no such subscription")
        push.remove(tx, actor.account, id)

    await app.store.write(body)


# The keeper.


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a POST came to."""

    #: 0: there was no response.
    code: int
    error: str = ""
    #: What the server asked for (RFC 9110 §10.2.3), in seconds.
    retry_after: int = 0

    @property
    def is_good(self) -> bool:
        """It was taken."""
        return 200 <= self.code < 300


#: Posts a body with header fields to a URL once; never raises.
Poster = Callable[[str, tuple[tuple[str, str], ...], bytes], Awaitable[Outcome]]


async def run(app: Appliance) -> None:
    """Keeper task: tell subscriptions for ever."""
    client: Client | None = None

    async def post(url: str, fields: tuple[tuple[str, str], ...], body: bytes) -> Outcome:
        nonlocal client
        client = client or hookpost.client(app)  # Most houses have no subscriptions.
        return await _post(client, url, fields, body)

    await Keeper(app, post).run()


async def _post(client: Client, url: str, fields: tuple[tuple[str, str], ...], body: bytes) -> Outcome:
    try:
        request = Request(parse_url(url), "POST", fields, body)
        answer = await client.send(request, Bounds(_POST_SECONDS, _RESPONSE_OCTETS, cut=True))
    except HTTPError as error:
        return Outcome(0, str(error))
    except ValueError as error:
        return Outcome(0, str(error))
    after = answer.field("retry-after") or ""
    return Outcome(answer.status, retry_after=int(after[:6]) if after.isdecimal() else 0)


class Keeper:
    """Who is being told something, and who was asked when."""

    def __init__(self, app: Appliance, post: Poster) -> None:
        self._app, self._post = app, post
        self._key: ec.EllipticCurvePrivateKey | None = None
        self._busy: set[str] = set()
        self._hosts: set[str] = set()
        #: When an account's URLs may be asked again.
        self._asked: dict[AccountID, int] = {}

    async def run(self) -> None:
        """For ever."""
        async with trio.open_nursery() as nursery:
            while True:
                await self.look(nursery)
                await trio.sleep(LOOK_SECONDS)

    async def look(self, nursery: trio.Nursery) -> None:
        """Begin what is due, forget what is over."""
        now = self._app.clock.microseconds()
        self._asked = {account: when for account, when in self._asked.items() if when > now}
        with self._app.store.read() as tx:
            found = list(push.everybodys(tx))
        known: dict[AccountID, dict[str, str] | None] = {}
        for account, one in found:
            if one.id in self._busy:
                continue
            if account not in known:
                known[account] = self._states(account)
                await trio.lowlevel.checkpoint()
            now_states = known[account]
            with self._app.store.read() as tx:
                is_good = now_states is not None and _is_good(tx, account, one.credential, now)
            if not is_good or _is_over(one, now):
                await self._app.store.write(push.remove, account, one.id)
                continue
            assert now_states is not None
            if one.next_attempt <= now:
                self._begin(nursery, account, one, now_states, now)

    def _states(self, account: AccountID) -> dict[str, str] | None:
        """Of an account; None when it is no more, or nobody may log in to it."""
        with self._app.store.read() as tx:
            try:
                record = tx.account(account)
            except NoSuchAccount:
                return None
        configured = self._app.config.snapshot().domains.accounts.get(record.name)
        if record.removed or configured is None or configured.login_disabled:
            return None
        return states.states(self._app, Actor(account, record.name, ""))

    def _begin(
        self, nursery: trio.Nursery, account: AccountID, one: PushSubscription, now_states: dict[str, str], now: int
    ) -> None:
        host = parse_url(one.url).host
        if len(self._busy) >= PARALLEL or host in self._hosts or self._app.shutdown.requested:
            return
        if not one.is_verified:
            if one.is_asked or account in self._asked:
                return
            self._asked[account] = now + ASK_SECONDS * _SECOND
            question = {
                "@type": "PushVerification",
                "pushSubscriptionId": one.id,
                "verificationCode": one.code,
            }
            body = json.dumps(question).encode()
        else:
            changed = states.difference(account, one.told, now_states, one.types)
            if not changed:
                return
            some = _fitting(changed)
            # What does not fit is told next.
            now_states = states.all_but(one.told, now_states, changed.keys() - some.keys())
            body = _state_change(some)
        self._busy.add(one.id)
        self._hosts.add(host)
        nursery.start_soon(self._tell, account, one, host, body, now_states)

    async def _tell(
        self, account: AccountID, one: PushSubscription, host: str, body: bytes, now_states: dict[str, str]
    ) -> None:
        """One POST. A bug in it hinders no other."""
        try:
            fields, octets = self._sealed(one, body)
            fields = (*fields, ("Authorization", await self._authorization(one)))
            outcome = await self._post(one.url, fields, octets)
            results.labels(str(outcome.code) if outcome.code else "error").inc()
            log.debug("pushed", host=host, code=outcome.code, reason=outcome.error or None)
            await self._app.store.write(_settle, account, one, outcome, now_states, self._app.clock.microseconds())
        except Exception as error:
            panics.labels("push").inc()
            log.error("could not push", error, host=host)
            await trio.sleep(PAUSE_SECONDS)
        finally:
            self._busy.discard(one.id)
            self._hosts.discard(host)

    async def _authorization(self, one: PushSubscription) -> str:
        """RFC 9749 §4: each POST is signed."""
        if self._key is None:
            self._key = await application_key(self._app)
        url = parse_url(one.url)
        return webpush.authorization(
            self._key,
            origin=f"{url.scheme}://{url.authority}",
            contact=f"mailto:postmaster@{self._app.config.snapshot().static.hostname.domain.ascii}",
            expires=int(self._app.clock.now().timestamp()) + _SIGNED_SECONDS,
        )

    def _sealed(self, one: PushSubscription, body: bytes) -> tuple[tuple[tuple[str, str], ...], bytes]:
        """Header fields and the body, encrypted where the subscriber has given keys (RFC 8291)."""
        fields = (("Content-Type", "application/json"), ("TTL", str(_TTL_SECONDS)))
        if not one.key:
            return fields, body
        salt = self._app.random.token_bytes(webpush.SALT_OCTETS)
        private = ec.generate_private_key(ec.SECP256R1())
        sealed = webpush.encrypt(body, key=one.key, auth=one.auth, salt=salt, private=private)
        return (*fields, ("Content-Encoding", "aes128gcm")), sealed


def _fitting(changed: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """What of several accounts has changed, as far as one message takes it; of one at least."""
    some: dict[str, dict[str, str]] = {}
    for account, news in changed.items():
        if some and len(_state_change({**some, account: news})) > webpush.MOST_OCTETS:
            break
        some[account] = news
    return some


def _state_change(changed: dict[str, dict[str, str]]) -> bytes:
    return json.dumps({"@type": "StateChange", "changed": changed}).encode()


def _settle(
    tx: WriteTx, account: AccountID, posted: PushSubscription, outcome: Outcome, told: dict[str, str], now: int
) -> None:
    """Write down what came of a POST; what was changed meanwhile stays."""
    one = push.find(tx, account, posted.id)
    if one is None:
        return
    if outcome.is_good:
        told = told if posted.is_verified else one.told
        next_attempt = now + PAUSE_SECONDS * _SECOND
        new = msgspec.structs.replace(one, is_asked=True, told=told, failures=0, next_attempt=next_attempt)
        push.put(tx, account, new)
        return
    failures = one.failures + 1
    if outcome.code in _GONE or failures >= (FAILURES if one.is_verified else ASK_FAILURES):
        push.remove(tx, account, one.id)
        return
    pause = max(min(RETRY_SECONDS << min(failures - 1, 10), RETRY_MOST_SECONDS), min(outcome.retry_after, 86400))
    push.put(tx, account, msgspec.structs.replace(one, failures=failures, next_attempt=now + pause * _SECOND))
