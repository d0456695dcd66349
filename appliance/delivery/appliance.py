"""The house as its work rooms see it: the parts they share, built once by serve.py and passed on (ARCHITECTURE.md).

It stands in the lowest room that needs all of it. Parts are replaced, never asked where they are: localserve and the
tests build the same house with other ones.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import trio

from appliance.base import limits
from appliance.base.clock import Clock, SystemClock
from appliance.base.ids import Random, ReceivedIDs
from appliance.config.source import ConfigSource
from appliance.delivery.decide import DEFAULT_LIMITS, Limits
from appliance.delivery.learning import Learner
from appliance.delivery.listed import OwnListings
from appliance.delivery.sender import Senders
from appliance.dns.answers import Said
from appliance.dns.resolver import Resolver
from appliance.mail.address import Path
from appliance.msgauth.dnsbl import Health
from appliance.net.dial import Dialer, dial
from appliance.net.limiter import Address, Allowance, Limiter
from appliance.net.publicaddress import is_public
from appliance.net.shutdown import Shutdown
from appliance.store.records import LoginAttempt
from appliance.store.refusal import Refusal
from appliance.store.store import Store
from appliance.store.tables import AccountID
from appliance.tls.certificates import Certificates
from appliance.tls.verify import Roots

if TYPE_CHECKING:
    from appliance.tls.acme import authorities as acme


@dataclass(frozen=True, slots=True)
class Failure:
    """A reply that a special address asks for."""

    code: int
    delay_seconds: float = 0


class Policy(Protocol):
    """What differs between a house in the world and one for tests, as answers to questions."""

    @property
    def limits(self) -> Limits:
        """What incoming mail is judged by."""

    def unknown_recipient(self, path: Path) -> Path | None:
        """The local address that takes mail for an unknown or foreign recipient; None: it is refused."""

    def failure(self, path: Path, stage: str) -> Failure | None:
        """A failure to simulate for an address at a stage: `mailfrom`, `rcptto` or `data`."""

    def takes_webhooks(self, address: Address) -> bool:
        """Whether webhooks may be posted to an address, beside those that the configuration names."""

    @property
    def guest(self) -> tuple[str, str] | None:
        """Address and password that the webmail logs in with unasked; None: everybody must show who they are."""


class Login(Protocol):
    """Who has logged in on a connection, and by what; operations.actor has it."""

    @property
    def name(self) -> str:
        """The account."""

    @property
    def app_password(self) -> int | None:
        """The number of the app password; None for any other login."""

    @property
    def key(self) -> bytes | None:
        """The fingerprint of the TLS client's key; None for any other login."""

    @property
    def web_session(self) -> bytes | None:
        """The digest of the token of a login by the web; None for any other login."""


class Session(Protocol):
    """A connection that somebody may have logged in on."""

    @property
    def actor(self) -> Login | None:
        """Whose it is; None while nobody has logged in."""

    def expel(self) -> None:
        """End, after what is being answered now; the client is told."""


class Sessions:
    """All open connections of the mail doors, to end those of an account."""

    def __init__(self) -> None:
        self._open: set[Session] = set()

    def enter(self, session: Session) -> None:
        """A connection begins."""
        self._open.add(session)

    def leave(self, session: Session) -> None:
        """It is over."""
        self._open.discard(session)

    def accounts(self) -> set[str]:
        """Accounts somebody is logged in to."""
        return {session.actor.name for session in self._open if session.actor is not None}

    def end(self, account: str, of: Callable[[Login], bool] = lambda _: True) -> int:
        """End all of an account, or those of some of its logins; how many there are."""
        ended = [one for one in self._open if one.actor is not None and one.actor.name == account and of(one.actor)]
        for session in ended:
            session.expel()
        return len(ended)


class Bell:
    """Wakes a keeper task when there is work for it."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """There is work."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until it rings; what rang before counts once."""
        await self._event.wait()
        self._event = trio.Event()


class Background:
    """Work that goes on when whoever began it has left, until it is done or the house stops."""

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None
        #: What is under way, or was a moment ago, by a name that nobody can guess.
        self.named: dict[str, object] = {}

    async def keep(self) -> None:
        """Keeper task: the work is done here."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def start(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Begin some, which must not raise; False when the house is not up yet, or stops."""
        if self._nursery is None:
            return False
        self._nursery.start_soon(work)
        return True


class PasswordChecker(Protocol):
    """Knows whether a password is right; operations.passwords has it."""

    async def check(self, password_hash: str | None, password: str) -> bool:
        """None stands for a user that does not exist."""


class LoginBook(Protocol):
    """Keeps attempts to log in for those who look at them later; operations.attempts has it."""

    def note(self, account: AccountID, attempt: LoginAttempt, *, app_password: int | None = None) -> None:
        """Write it down soon; never waits. `app_password`: the number of the one that was used."""

    async def keep(self) -> None:
        """Keeper task: writes what was noted."""


class NoBook:
    """Nothing is written down."""

    def note(self, account: AccountID, attempt: LoginAttempt, *, app_password: int | None = None) -> None:
        """Forget it."""

    async def keep(self) -> None:
        """There is nothing to do."""


class RefusalBook(Protocol):
    """Keeps what mail was refused for those who ask why; delivery.refusals has it."""

    def note(self, account: AccountID | None, address: Address, one: Refusal) -> None:
        """Write a refusal down soon, which concerns an account or nobody in particular; never waits."""

    async def keep(self) -> None:
        """Keeper task: writes what was noted."""


class NoRefusals:
    """Nothing is written down."""

    def note(self, account: AccountID | None, address: Address, one: Refusal) -> None:
        """Forget it."""

    async def keep(self) -> None:
        """There is nothing to do."""


class WorldPolicy:
    """The house in the world: unknown recipients are unknown, failures are real."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits

    def unknown_recipient(self, path: Path) -> Path | None:
        """Nobody takes it."""
        return None

    def failure(self, path: Path, stage: str) -> Failure | None:
        """None is simulated."""
        return None

    def takes_webhooks(self, address: Address) -> bool:
        """Users choose where webhooks go: not into the house."""
        return is_public(address)

    @property
    def guest(self) -> tuple[str, str] | None:
        """Nobody."""
        return None


#: What each name server of a zone says of the texts of a name; the resolver finds the servers.
ZoneTexts = Callable[[Resolver, str], Awaitable[list[Said]]]


async def network_texts(resolver: Resolver, name: str) -> list[Said]:
    """Asks them; what that needs is loaded then. Raises LookupProblem."""
    from appliance.dns import authoritative

    return await authoritative.texts(resolver, name)


@dataclass(frozen=True)
class Appliance:
    """The parts of the house."""

    store: Store
    config: ConfigSource
    clock: Clock
    random: Random
    received_ids: ReceivedIDs
    shutdown: Shutdown
    #: Failed logins by network, shared by all doors.
    login_failures: Limiter
    #: Connections by network: new ones and open ones.
    connections: Limiter
    passwords: PasswordChecker
    resolver: Resolver
    #: Makes one that has never been asked anything: what is known may be too old to judge ourselves by.
    new_resolver: Callable[[], Resolver] | None = None
    #: Connects to other hosts, for checks of ourselves.
    dialer: Dialer = dial
    policy: Policy = field(default_factory=WorldPolicy)
    #: Which DNS block lists are in order.
    blocklists: Health = field(default_factory=lambda: Health(SystemClock()))
    #: Whether block lists have us.
    own_listings: OwnListings = field(default_factory=OwnListings)
    logins: LoginBook = field(default_factory=NoBook)
    refusals: RefusalBook = field(default_factory=NoRefusals)
    sessions: Sessions = field(default_factory=Sessions)
    learner: Learner = field(default_factory=Learner)
    senders: Senders = field(default_factory=Senders)
    #: Domains that accounts may have looked at, and who is being looked at.
    security_looks: Allowance = field(default_factory=lambda: Allowance(limits.SECURITY_LOOKS))
    security_turns: trio.CapacityLimiter = field(
        default_factory=lambda: trio.CapacityLimiter(limits.SECURITY_LOOKS_AT_ONCE)
    )
    background: Background = field(default_factory=Background)
    #: Rings when an account waits to be removed.
    removals: Bell = field(default_factory=Bell)
    #: Rings when a rotation of DKIM keys is begun or changed; who changes one holds the lock.
    rotations: Bell = field(default_factory=Bell)
    rotating: trio.Lock = field(default_factory=trio.Lock)
    #: What each name server of a zone says of the texts of a name. Raises LookupProblem.
    zone_texts: ZoneTexts = network_texts
    #: Whose word about other servers is believed.
    roots: Roots = field(default_factory=lambda: Roots(()))
    #: Those that come from files.
    certificates: Certificates = field(default_factory=Certificates)
    #: Those that authorities give us by themselves; None: none is configured, and nothing of it is loaded.
    authorities: "acme.Authorities | None" = None
    #: When it was put together, in microseconds since 1970.
    started: int = 0
    #: Set by serve: asks the house to stop.
    stop: Callable[[], None] = lambda: None
