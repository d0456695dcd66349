"""What an account has learnt about a sender: the judgement that its own history allows. No store, no clock.

A message of the history speaks only when its reader said, or a rule for him, that it is junk or that it is not. What is
asked first is what says most: the same address in From, then its domain, its organization, who vouches for the message,
and at last the network it came from. The first of them with any history answers, also when the answer is "who knows".
"""

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from appliance.store.history import By, Judged


class Signal(enum.StrEnum):
    """What the history says."""

    HAM = "ham"
    JUNK = "junk"
    UNKNOWN = "unknown"


class Method(enum.StrEnum):
    """What the answer rests on; also the word for it in logs, counters and in the message's header."""

    #: Messages from the same address.
    MSG_FROM_FULL = "msgfromfull"
    #: The user has written to that address.
    MSG_TO_FULL = "msgtofull"
    MSG_FROM_DOMAIN = "msgfromdomain"
    MSG_TO_DOMAIN = "msgtodomain"
    MSG_FROM_ORG_DOMAIN = "msgfromorgdomain"
    MSG_TO_ORG_DOMAIN = "msgtoorgdomain"
    #: Messages that the same domains vouched for, by DKIM or SPF.
    DKIM_SPF = "dkimspf"
    #: Messages from the same address of a host, or its /64; from its /26 or /48; from its /21 or /32.
    IP1 = "ip1"
    IP2 = "ip2"
    IP3 = "ip3"
    NONE = "none"


class History(Protocol):
    """What one account has of messages for one mailbox that are marked as junk or as no junk, and of mail it sent."""

    def judged(
        self, by: By, name: str, *, since: datetime, most: int, validated: bool | None = None
    ) -> Sequence[Judged]:
        """At most `most` messages received at `since` or later, the newest first.

        `validated` restricts them to those where the name looked up was vouched for, or to those where it was not.
        """

    def has_sent(self, by: By, name: str, *, since: datetime) -> bool:
        """Whether the user has sent anything there."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent the message at hand; empty where nobody knows, or where a forwarding server stands in between."""

    msg_from: str = ""
    msg_from_domain: str = ""
    msg_from_org_domain: str = ""
    msg_from_validated: bool = False
    dkim_domains: tuple[str, ...] = ()
    mail_from: str = ""
    mail_from_domain: str = ""
    mail_from_validated: bool = False
    ehlo_domain: str = ""
    ehlo_validated: bool = False
    #: The address or /64; /26 or /48; /21 or /32.
    networks: tuple[str, str, str] | tuple[()] = ()


@dataclass(frozen=True, slots=True)
class Reputation:
    """What the history says about the sender."""

    signal: Signal
    #: Whether that decides about the message.
    is_conclusive: bool
    method: Method
    #: For the reader of the message.
    text: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far back the history counts, how much of it is looked at, and what it takes to be sure."""

    address_age: timedelta = timedelta(days=3 * 365)
    domain_age: timedelta = timedelta(days=2 * 365)
    verified_age: timedelta = timedelta(days=365) / 2
    network_age: timedelta = timedelta(days=365) / 4
    #: One newer mistake is forgiven.
    addresses: int = 2
    domains: int = 20
    verified: int = 50
    network: int = 50
    #: A domain is good above so many full percents.
    domain_ham_percent: int = 80
    #: A domain with nothing but junk is bad for sure when so many of its users sent it.
    domain_junk_localparts: int = 3
    #: Shares of junk below and above which a vouching domain is good or bad.
    verified_ham: float = 0.1
    verified_junk: float = 0.9
    #: The same for networks, and from where on it decides.
    network_ham: float = 0.25
    network_junk: float = 0.75
    network_sure_ham: float = 0.1
    network_sure_junk: float = 0.9
    #: Messages it takes from each of the three networks.
    network_messages: tuple[int, int, int] = (2, 5, 10)


DEFAULT_LIMITS: Final = Limits()
_NETWORKS: Final = ((By.NETWORK1, Method.IP1), (By.NETWORK2, Method.IP2), (By.NETWORK3, Method.IP3))


def evaluate(history: History, sender: Sender, now: datetime, limits: Limits = DEFAULT_LIMITS) -> Reputation:
    """What the history says about the sender."""
    steps: list[Callable[[], Reputation | None]] = []
    if sender.msg_from_domain:
        steps += [
            lambda: _by_address(history, sender, now, limits),
            lambda: _by_domain(
                history,
                sender,
                now,
                limits,
                (By.FROM_DOMAIN, sender.msg_from_domain, Method.MSG_FROM_DOMAIN, Method.MSG_TO_DOMAIN),
            ),
        ]
    if sender.msg_from_domain and sender.msg_from_org_domain:
        steps.append(
            lambda: _by_domain(
                history,
                sender,
                now,
                limits,
                (By.FROM_ORG_DOMAIN, sender.msg_from_org_domain, Method.MSG_FROM_ORG_DOMAIN, Method.MSG_TO_ORG_DOMAIN),
            )
        )
    steps += [
        lambda: _by_verified(history, sender, now, limits),
        lambda: _by_network(history, sender, now, limits),
    ]
    for step in steps:
        if (found := step()) is not None:
            return found
    return Reputation(Signal.UNKNOWN, is_conclusive=False, method=Method.NONE, text="no history of this sender")


def _by_address(history: History, sender: Sender, now: datetime, limits: Limits) -> Reputation | None:
    since, validated = now - limits.address_age, sender.msg_from_validated
    if found := history.judged(
        By.FROM, sender.msg_from, since=since, most=limits.addresses, validated=sender.msg_from_validated
    ):
        signal = Signal.JUNK if _is_spam(found) else Signal.HAM
        vouched = "verified" if validated else "not verified"
        return Reputation(signal, validated, Method.MSG_FROM_FULL, f"known address in From, {vouched}: {signal}")
    if (spoofed := _spoofs(history, sender, since, limits.addresses, (By.FROM, sender.msg_from))) is not None:
        return Reputation(Signal.JUNK, spoofed, Method.MSG_FROM_FULL, "known address in From, but not verified now")
    if history.has_sent(By.FROM, sender.msg_from, since=since):
        return Reputation(Signal.HAM, True, Method.MSG_TO_FULL, "you have written to this address")
    return None


def _by_domain(
    history: History, sender: Sender, now: datetime, limits: Limits, wanted: tuple[By, str, Method, Method]
) -> Reputation | None:
    by, name, method, method_sent = wanted
    since, what = now - limits.domain_age, "domain" if by is By.FROM_DOMAIN else "organizational domain"
    if found := history.judged(by, name, since=since, most=limits.domains, validated=sender.msg_from_validated):
        good = sum(not one.is_junk for one in found)
        text = f"known {what} in From: {good} of {len(found)} messages not junk"
        if 100 * good // len(found) > limits.domain_ham_percent:
            return Reputation(Signal.HAM, True, method, text)
        if good:
            return Reputation(Signal.UNKNOWN, False, method, text)
        users = len({one.localpart for one in found})
        return Reputation(Signal.JUNK, users >= limits.domain_junk_localparts, method, f"{text}, {users} senders")
    if (spoofed := _spoofs(history, sender, since, limits.addresses, (by, name))) is not None:
        return Reputation(Signal.JUNK, spoofed, method, f"known {what} in From, but not verified now")
    if history.has_sent(by, name, since=since):
        return Reputation(Signal.HAM, True, method_sent, f"you have written to this {what}")
    return None


def _spoofs(history: History, sender: Sender, since: datetime, most: int, wanted: tuple[By, str]) -> bool | None:
    """For a message that nobody vouches for, from where others came that somebody did: whether those were junk, too."""
    if sender.msg_from_validated:
        return None
    found = history.judged(*wanted, since=since, most=most, validated=True)
    return _is_spam(found) if found else None


def _by_verified(history: History, sender: Sender, now: datetime, limits: Limits) -> Reputation | None:
    since, most = now - limits.verified_age, limits.verified
    signed = ((name, history.judged(By.DKIM_DOMAIN, name, since=since, most=most)) for name in sender.dkim_domains)
    found = [(name, one) for name, one in signed if one]
    lookups: list[tuple[By, str]] = []
    if sender.mail_from_validated:
        lookups += [(By.MAIL_FROM, sender.mail_from), (By.MAIL_FROM_DOMAIN, sender.mail_from_domain)]
    if sender.ehlo_validated:
        lookups.append((By.EHLO_DOMAIN, sender.ehlo_domain))
    for by, name in lookups:
        if name and (one := history.judged(by, name, since=since, most=most, validated=True)):
            found.append((name, one))
            break
    if not found:
        return None
    shares = [_junk_share(one) for _, one in found]
    good = [share < limits.verified_ham for share in shares]
    bad = [share > limits.verified_junk for share in shares]
    counts = [f"{name} {share:.2f} of {len(one)}" for (name, one), share in zip(found, shares, strict=True)]
    text = f"junk by what DKIM and SPF vouch for: {', '.join(counts)}"
    if any(good) and not any(bad):
        return Reputation(Signal.HAM, True, Method.DKIM_SPF, text)
    if any(bad) and not any(good):
        largest = max(len(one) for _, one in found)
        return Reputation(Signal.JUNK, largest > 1, Method.DKIM_SPF, text)
    return Reputation(Signal.UNKNOWN, False, Method.DKIM_SPF, text)


def _by_network(history: History, sender: Sender, now: datetime, limits: Limits) -> Reputation | None:
    since = now - limits.network_age
    for (by, method), network, needed in zip(_NETWORKS, sender.networks, limits.network_messages, strict=False):
        if not network or not (found := history.judged(by, network, since=since, most=limits.network)):
            continue
        share = _junk_share(found)
        signal = Signal.UNKNOWN
        if share < limits.network_ham:
            signal = Signal.HAM
        elif share > limits.network_junk:
            signal = Signal.JUNK
        is_clear = share <= limits.network_sure_ham or share >= limits.network_sure_junk
        text = f"junk from the sender's network: {share:.2f} of {len(found)}"
        return Reputation(signal, is_clear and len(found) >= needed, method, text)
    return None


def _is_spam(newest: Sequence[Judged]) -> bool:
    """The newest is junk, and the one before it too if there is one: one accident is forgiven."""
    return all(one.is_junk for one in newest[:2])


def _junk_share(found: Iterable[Judged]) -> float:
    marks = [one.is_junk for one in found]
    return sum(marks) / len(marks)
