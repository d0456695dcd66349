"""Newer versions of this program: whether there are any, and what they bring, signed by who makes them.

The newest version stands in the DNS, `_updates.<domain>` TXT `v=UPDATES0; l=v1.2.3`, so that who asks every day is seen
by resolvers alone. What changed is fetched once for each new version, as JSON: `{"Changes": [{"PubKey", "Sig",
"Text"}]}`, keys and signatures (Ed25519, over the text) in base64, the newest first. Nothing is installed.
"""

import base64
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.metrics import Histogram
from appliance.base.problem import Kind, Problem
from appliance.config.static import UpdateFeed
from appliance.delivery import place
from appliance.delivery.appliance import Appliance
from appliance.delivery.place import Placement
from appliance.dns.problems import LookupProblem
from appliance.dns.resolver import Resolver
from appliance.mail import compose, letter
from appliance.mail.address import Address
from appliance.net.http import Bounds, HTTPError, Request, Response, parse_url
from appliance.operations import accounts, messages, versions
from appliance.operations.actor import OPERATOR, Actor
from appliance.operations.versions import Version
from appliance.store import updates
from appliance.store.records import Flag

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

log = Log("updates")

_BUCKETS: Final = (0.01, 0.1, 0.5, 1, 5, 10, 30, 60)
lookups = Histogram(
    "updates_lookup_duration_seconds", "Time of a look for a newer version.", ("result",), buckets=_BUCKETS
)
fetches = Histogram(
    "updates_fetchchangelog_duration_seconds", "Time of fetching what changed.", ("result",), buckets=_BUCKETS
)

BOUNDS: Final = Bounds(seconds=60, body_octets=limits.MIB)
LOOKUP_SECONDS: Final = 30.0
DAY_SECONDS: Final = 24 * 3600.0
#: After the start; the house has better things to do at first.
FIRST_SECONDS: Final = 60.0
#: Changes that are told of.
_CHANGES: Final = 50
_RECORD: Final = re.compile(r"v=UPDATES0\s*;\s*l=(v\d{1,6}\.\d{1,6}\.\d{1,6})\s*;?\s*")
_SIGNED_FIELD: Final = re.compile(r"([A-Za-z-]{1,40}): ([^\n]{0,200})")


class NotKnown(Problem):
    """It could not be found out what versions there are, or what they bring."""

    kind = Kind.UNAVAILABLE


class Change(msgspec.Struct, frozen=True, rename="pascal"):
    """What one version brings, in a changelog."""

    pub_key: str
    sig: str
    #: Begins with lines `Version: v1.2.3` and `Date: 2026-01-31`, and an empty one.
    text: str

    @property
    def version(self) -> Version:
        """Raises ValueError."""
        return Version(self.field("version"))

    def field(self, wanted: str) -> str:
        """A line at the beginning of the text; empty when it is not there."""
        for line in self.text.splitlines():
            match = _SIGNED_FIELD.fullmatch(line)
            if match is None:
                break
            if match[1].lower() == wanted:
                return match[2].strip()
        return ""


class Changelog(msgspec.Struct, frozen=True, rename="pascal"):
    """What a feed gives."""

    changes: list[Change] = []


class Client(Protocol):
    """What fetches; `net.http.Client` does."""

    async def send(self, request: Request, bounds: Bounds) -> Response: ...


@dataclass(frozen=True, slots=True)
class Found:
    """What a look found out."""

    current: Version
    #: The newest that was told of before.
    known: Version | None
    latest: Version
    #: What newer ones bring, the newest first; verified.
    changes: Sequence[Change] = ()

    @property
    def is_newer(self) -> bool:
        """Whether there is one that is newer than this program."""
        return self.latest > self.current


async def look(feed: UpdateFeed, resolver: Resolver, client: Client, known: Version | None) -> Found:
    """Ask which version is the newest, and fetch what is new since this one. Raises NotKnown."""
    own = versions.current()
    latest = await _latest(feed, resolver)
    if latest <= own:
        return Found(own, known, latest)
    began, result = time.perf_counter(), "error"
    try:
        changes = await _changes(feed, client, own)
        result = "ok"
    finally:
        fetches.labels(result).observe(time.perf_counter() - began)
    if not changes or changes[0].version < latest:
        raise NotKnown(f"the feed tells of {latest}, and its changelog does not")
    return Found(own, known, changes[0].version, changes[:_CHANGES])


async def _latest(feed: UpdateFeed, resolver: Resolver) -> Version:
    name = f"_updates.{feed.domain.domain.ascii}"
    began, result = time.perf_counter(), "error"
    try:
        with trio.fail_after(LOOKUP_SECONDS):
            texts = (await resolver.txt(name)).records
        found = [match[1] for text in texts if (match := _RECORD.fullmatch(text))]
        if len(found) != 1:
            raise NotKnown(f"{name} has {len(found)} records of versions, not one")
        result = "ok"
        return Version(found[0])
    except (LookupProblem, trio.TooSlowError) as problem:
        raise NotKnown(str(problem) or f"{name}: no answer in time") from problem
    finally:
        lookups.labels(result).observe(time.perf_counter() - began)


async def _changes(feed: UpdateFeed, client: Client, since: Version) -> list[Change]:
    separator = "&" if "?" in feed.url else "?"
    try:
        response = await client.send(Request(parse_url(f"{feed.url}{separator}from={since}")), BOUNDS)
    except (HTTPError, ValueError) as error:
        raise NotKnown(f"{feed.url}: {error}") from error
    if response.status != 200:
        raise NotKnown(f"{feed.url}: the server answers {response.status}")
    return [one for one in verified(response.body, feed.public_key) if one.version > since]


def verified(octets: bytes, public_key: str) -> list[Change]:
    """The changes of a changelog, the newest first. Raises NotKnown when one of them is not signed by the key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        changes = msgspec.json.decode(octets, type=Changelog).changes
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        for one in changes:
            if one.pub_key != public_key:
                raise NotKnown("a change is signed by another key than that of the configuration")
            key.verify(base64.b64decode(one.sig, validate=True), one.text.encode())
        return sorted(changes, key=lambda one: one.version, reverse=True)
    except InvalidSignature as error:
        raise NotKnown("a change has a signature that is wrong") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise NotKnown(f"the changelog is malformed: {error}") from error


def signed(key: "Ed25519PrivateKey", text: str) -> Change:
    """A change, for a feed of one's own. Raises ValueError for one without version."""
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    change = Change(public, base64.b64encode(key.sign(text.encode())).decode(), text)
    _ = change.version
    return change


async def keep(app: Appliance, client: Client) -> None:
    """Keeper task: look once a day, also across restarts, and tell the postmaster of what is new."""
    static = app.config.snapshot().static
    feed = static.update_feed
    if not static.check_updates or feed is None:
        return
    while True:
        with app.store.read() as tx:
            last = updates.when(tx)
        await trio.sleep(pause_seconds(last, app.clock.microseconds()))
        await app.store.write(updates.looked)
        try:
            await tell(app, feed, client)
        except Problem as problem:
            log.info("it was not found out whether there is a newer version", problem)


def pause_seconds(last: int | None, now: int) -> float:
    """Until the next look; both in microseconds since 1970, None: there was none. Clocks may be set back."""
    left = 0.0 if last is None or last > now else DAY_SECONDS - (now - last) / 1e6
    return max(FIRST_SECONDS, left)


async def tell(app: Appliance, feed: UpdateFeed, client: Client) -> Found:
    """Look, and put what is new into the postmaster's mailbox, once for each version. Raises Problem."""
    with app.store.read() as tx:
        text = updates.version(tx)
    known = Version(text) if text else None
    found = await look(feed, app.resolver.named("updates"), client, known)
    if found.is_newer and (known is None or found.latest > known):
        new = [one for one in found.changes if known is None or one.version > known]
        await _deliver(app, found, new)
        await app.store.write(updates.know, str(found.latest))
        log.info("there is a newer version", latest=str(found.latest), current=str(found.current))
    return found


async def _deliver(app: Appliance, found: Found, changes: Sequence[Change]) -> None:
    config = app.config.snapshot()
    postmaster = config.static.postmaster
    octets = _message(app, found, changes, app.clock.now())
    actor = Actor(accounts.number(app.store, postmaster.account), postmaster.account, "", OPERATOR)
    async with app.store.spool() as spool:
        await spool.write(octets)
        upload = await messages.prepare_upload(app, actor, await spool.finish(), (), None)
    try:
        wanted = Placement(actor.account, str(postmaster.mailbox), upload.message, None, Flag.FLAGGED)
        placed = await app.store.write(place.place, wanted, app.store.limits.mailbox)
    finally:
        await messages.drop(app, [upload])
    if placed.problem is not None:
        raise placed.problem


def _message(app: Appliance, found: Found, changes: Sequence[Change], now: datetime) -> bytes:
    host = app.config.snapshot().static.hostname.domain
    address = Address("postmaster", host)
    text = f"There is moxpy {found.latest}; this server runs {found.current}.\n\nWhat is new, signed by its makers:\n\n"
    text += "\n\n".join(one.text.strip() for one in changes) + "\n"
    written = letter.Letter(
        from_=[("moxpy", address)],
        to=[("Postmaster", address)],
        subject=f"moxpy {found.latest} is there",
        date=now,
        message_id=compose.message_id(app.random.token_bytes(16), host),
        text=text,
    )
    return b"".join(letter.pieces(written, lambda: "=_none"))
