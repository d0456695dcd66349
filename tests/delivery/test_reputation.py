"""What the history of an account says about a sender."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance.delivery.reputation import Method, Reputation, Sender, Signal, evaluate
from appliance.store.history import By, Judged
from support.senders import BOB

NOW = datetime(2026, 3, 1, tzinfo=UTC)
YEAR, SECOND = timedelta(days=365), timedelta(seconds=1)
HAM, JUNK = False, True


@dataclass(frozen=True)
class Old:
    """A message of the history, and what it can be found by."""

    keys: frozenset[tuple[By, str]]
    is_junk: bool
    age: timedelta
    localpart: str
    validated: bool


@dataclass
class Memory:
    """A history in lists."""

    old: list[Old] = field(default_factory=list)
    #: What was sent to, and how long ago.
    sent: dict[tuple[By, str], timedelta] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)

    def judged(
        self, by: By, name: str, *, since: datetime, most: int, validated: bool | None = None
    ) -> Sequence[Judged]:
        assert name, "nobody asks for nothing"
        self.asked.append(most)
        found = [
            Judged(one.is_junk, NOW - one.age, one.localpart)
            for one in self.old
            if (by, name) in one.keys and NOW - one.age >= since and validated in {None, one.validated}
        ]
        return sorted(found, key=lambda one: one.received, reverse=True)[:most]

    def has_sent(self, by: By, name: str, *, since: datetime) -> bool:
        return (by, name) in self.sent and NOW - self.sent[by, name] >= since


def old(is_junk: bool, age: timedelta = timedelta(days=1), *, validated: bool = True, **names: str) -> Old:
    return Old(frozenset((By[by], name) for by, name in names.items() if by in By.__members__), is_junk, age,
               names.get("localpart", "bob"), validated)  # fmt: skip


def address(is_junk: bool, age: timedelta = timedelta(days=1), *, validated: bool = True) -> Old:
    return old(is_junk, age, validated=validated, FROM="bob@a.example.org")


def domain(
    is_junk: bool, count: int = 1, *, users: int = 1, validated: bool = True, age: timedelta = SECOND
) -> list[Old]:
    return [
        old(is_junk, age, validated=validated, FROM_DOMAIN="a.example.org", localpart=f"u{number % users}")
        for number in range(count)
    ]


def org(is_junk: bool, count: int = 1, *, users: int = 1, validated: bool = True, age: timedelta = SECOND) -> list[Old]:
    return [
        old(is_junk, age, validated=validated, FROM_ORG_DOMAIN="example.org", localpart=f"u{number % users}")
        for number in range(count)
    ]


def several(by: By, name: str, ham: int, junk: int, age: timedelta = SECOND, *, validated: bool = True) -> list[Old]:
    return [Old(frozenset({(by, name)}), number < junk, age, "bob", validated) for number in range(ham + junk)]


UNVERIFIED = replace(BOB, msg_from_validated=False)

ADDRESS_ROWS = [
    # 1a: the same address, the same validation.
    pytest.param(BOB, [address(HAM)], "ham sure msgfromfull", id="ham"),
    pytest.param(BOB, [address(JUNK)], "junk sure msgfromfull", id="junk"),
    pytest.param(BOB, [address(JUNK), address(HAM, 2 * SECOND * 86400)], "ham sure msgfromfull", id="one accident"),
    pytest.param(BOB, [address(HAM), address(JUNK, timedelta(days=2))], "ham sure msgfromfull", id="junk before"),
    pytest.param(BOB, [address(JUNK), address(JUNK, timedelta(days=2))], "junk sure msgfromfull", id="twice junk"),
    pytest.param(
        BOB,
        [address(JUNK), address(JUNK, timedelta(days=2)), address(HAM, timedelta(days=3))],
        "junk sure msgfromfull",
        id="the third does not count",
    ),
    pytest.param(BOB, [address(HAM, 3 * YEAR)], "ham sure msgfromfull", id="three years"),
    pytest.param(BOB, [address(HAM, 3 * YEAR + SECOND)], "unknown unsure none", id="older than three years"),
    pytest.param(UNVERIFIED, [address(HAM, validated=False)], "ham unsure msgfromfull", id="never verified, ham"),
    pytest.param(UNVERIFIED, [address(JUNK, validated=False)], "junk unsure msgfromfull", id="never verified, junk"),
    pytest.param(BOB, [address(JUNK, validated=False)], "unknown unsure none", id="others with that address"),
    # 1b: verified before, not now.
    pytest.param(UNVERIFIED, [address(HAM)], "junk unsure msgfromfull", id="spoofs ham"),
    pytest.param(UNVERIFIED, [address(JUNK)], "junk sure msgfromfull", id="spoofs junk"),
    pytest.param(
        UNVERIFIED, [address(JUNK), address(HAM, timedelta(days=2))], "junk unsure msgfromfull", id="spoofs one accident"
    ),
    pytest.param(UNVERIFIED, [address(HAM, 3 * YEAR + SECOND)], "unknown unsure none", id="spoofs old ham"),
]  # fmt: skip

DOMAIN_ROWS = [
    # 3a: whole percents count, above 80.
    pytest.param(BOB, domain(HAM), "ham sure msgfromdomain", id="ham"),
    pytest.param(BOB, domain(HAM, 17) + domain(JUNK, 3), "ham sure msgfromdomain", id="85 percent"),
    pytest.param(BOB, domain(HAM, 13) + domain(JUNK, 3), "ham sure msgfromdomain", id="81 percent, rounded down"),
    pytest.param(BOB, domain(HAM, 16) + domain(JUNK, 4), "unknown unsure msgfromdomain", id="80 percent"),
    pytest.param(BOB, domain(HAM, 1) + domain(JUNK, 9, users=9), "unknown unsure msgfromdomain", id="mixed"),
    pytest.param(BOB, domain(JUNK, 9, users=2), "junk unsure msgfromdomain", id="junk of two users"),
    pytest.param(BOB, domain(JUNK, 3, users=3), "junk sure msgfromdomain", id="junk of three users"),
    pytest.param(
        BOB,
        domain(JUNK, 20, users=3) + domain(HAM, 5, age=timedelta(days=9)),
        "junk sure msgfromdomain",
        id="only the newest twenty count",
    ),
    pytest.param(BOB, domain(HAM, age=2 * YEAR), "ham sure msgfromdomain", id="two years"),
    pytest.param(BOB, domain(HAM, age=2 * YEAR + SECOND), "unknown unsure none", id="older than two years"),
    pytest.param(UNVERIFIED, domain(HAM, validated=False), "ham sure msgfromdomain", id="never verified"),
    # 3b
    pytest.param(UNVERIFIED, domain(HAM, 9), "junk unsure msgfromdomain", id="spoofs ham"),
    pytest.param(UNVERIFIED, domain(JUNK, 2), "junk sure msgfromdomain", id="spoofs junk"),
    # 4a and 4b
    pytest.param(BOB, org(HAM), "ham sure msgfromorgdomain", id="organization, ham"),
    pytest.param(BOB, org(JUNK, 2, users=2), "junk unsure msgfromorgdomain", id="organization, two users"),
    pytest.param(BOB, org(JUNK, 3, users=3), "junk sure msgfromorgdomain", id="organization, three users"),
    pytest.param(UNVERIFIED, org(HAM), "junk unsure msgfromorgdomain", id="organization spoofed"),
    pytest.param(BOB, org(HAM, age=2 * YEAR + SECOND), "unknown unsure none", id="organization, old"),
    pytest.param(BOB, domain(HAM) + org(JUNK, 3, users=3), "ham sure msgfromdomain", id="domain before organization"),
    pytest.param(BOB, [address(HAM), *domain(JUNK, 3, users=3)], "ham sure msgfromfull", id="address before domain"),
    pytest.param(
        replace(BOB, msg_from="", msg_from_domain="", msg_from_org_domain=""),
        [address(HAM), *domain(HAM), *org(HAM)],
        "unknown unsure none",
        id="no From",
    ),
]


def d1(ham: int, junk: int, age: timedelta = SECOND) -> list[Old]:
    return several(By.DKIM_DOMAIN, "d1.example", ham, junk, age)


def d2(ham: int, junk: int) -> list[Old]:
    return several(By.DKIM_DOMAIN, "d2.example", ham, junk)


VERIFIED_ROWS = [
    pytest.param(BOB, d1(1, 0), "ham sure dkimspf", id="ham"),
    pytest.param(BOB, d1(10, 1), "ham sure dkimspf", id="less than a tenth junk"),
    pytest.param(BOB, d1(9, 1), "unknown unsure dkimspf", id="a tenth junk"),
    pytest.param(BOB, d1(1, 9), "unknown unsure dkimspf", id="nine tenths junk"),
    pytest.param(BOB, d1(1, 10), "junk sure dkimspf", id="more than nine tenths junk"),
    pytest.param(BOB, d1(0, 1), "junk unsure dkimspf", id="one junk"),
    pytest.param(BOB, d1(0, 2), "junk sure dkimspf", id="two junk"),
    pytest.param(BOB, d1(0, 2) + d2(0, 1), "junk sure dkimspf", id="the largest counts, not the last"),
    pytest.param(BOB, d1(1, 0) + d2(0, 5), "unknown unsure dkimspf", id="of two minds"),
    pytest.param(BOB, d1(1, 0) + d2(1, 1), "ham sure dkimspf", id="ham and nothing against it"),
    pytest.param(BOB, d1(0, 2) + d2(1, 1), "junk sure dkimspf", id="junk and nothing for it"),
    pytest.param(BOB, d1(1, 0, YEAR / 2), "ham sure dkimspf", id="half a year"),
    pytest.param(BOB, d1(1, 0, YEAR / 2 + SECOND), "unknown unsure none", id="older than half a year"),
    pytest.param(BOB, several(By.MAIL_FROM, "bounce@m.example", 1, 0), "ham sure dkimspf", id="reverse path"),
    pytest.param(
        BOB,
        several(By.MAIL_FROM, "bounce@m.example", 1, 0) + several(By.MAIL_FROM_DOMAIN, "m.example", 0, 9),
        "ham sure dkimspf",
        id="reverse path before its domain",
    ),
    pytest.param(BOB, several(By.MAIL_FROM_DOMAIN, "m.example", 0, 2), "junk sure dkimspf", id="its domain"),
    pytest.param(
        BOB,
        several(By.MAIL_FROM_DOMAIN, "m.example", 1, 0) + several(By.EHLO_DOMAIN, "h.example", 0, 9),
        "ham sure dkimspf",
        id="its domain before EHLO",
    ),
    pytest.param(BOB, several(By.EHLO_DOMAIN, "h.example", 1, 0), "ham sure dkimspf", id="EHLO"),
    pytest.param(
        BOB, several(By.EHLO_DOMAIN, "h.example", 1, 0, validated=False), "unknown unsure none", id="EHLO not verified then"
    ),
    pytest.param(
        replace(BOB, ehlo_validated=False), several(By.EHLO_DOMAIN, "h.example", 1, 0), "unknown unsure none", id="nor now"
    ),
    pytest.param(
        replace(BOB, mail_from_validated=False),
        several(By.MAIL_FROM, "bounce@m.example", 1, 0),
        "unknown unsure none",
        id="reverse path not verified",
    ),
    pytest.param(
        replace(BOB, mail_from_validated=False),
        several(By.EHLO_DOMAIN, "h.example", 1, 0),
        "ham sure dkimspf",
        id="EHLO alone verified",
    ),
    pytest.param(BOB, d1(0, 2) + several(By.MAIL_FROM, "bounce@m.example", 1, 0), "unknown unsure dkimspf", id="DKIM or SPF"),
    pytest.param(BOB, domain(JUNK) + d1(9, 0), "junk unsure msgfromdomain", id="From before DKIM, sure or not"),
]  # fmt: skip


def network(number: int, ham: int, junk: int, age: timedelta = SECOND) -> list[Old]:
    return several(By[f"NETWORK{number}"], BOB.networks[number - 1], ham, junk, age)


NETWORK_ROWS = [
    pytest.param(BOB, network(1, 1, 0), "ham unsure ip1", id="one from the address"),
    pytest.param(BOB, network(1, 2, 0), "ham sure ip1", id="two from the address"),
    pytest.param(BOB, network(1, 0, 1), "junk unsure ip1", id="one junk from the address"),
    pytest.param(BOB, network(1, 0, 2), "junk sure ip1", id="two junk from the address"),
    pytest.param(BOB, network(2, 4, 0), "ham unsure ip2", id="four from the network"),
    pytest.param(BOB, network(2, 5, 0), "ham sure ip2", id="five from the network"),
    pytest.param(BOB, network(3, 0, 9), "junk unsure ip3", id="nine from the largest"),
    pytest.param(BOB, network(3, 0, 10), "junk sure ip3", id="ten from the largest"),
    pytest.param(BOB, network(1, 9, 1), "ham sure ip1", id="a tenth is still sure"),
    pytest.param(BOB, network(1, 8, 1), "ham unsure ip1", id="more than a tenth is not"),
    pytest.param(BOB, network(1, 1, 9), "junk sure ip1", id="nine tenths are sure"),
    pytest.param(BOB, network(1, 1, 8), "junk unsure ip1", id="less is not"),
    pytest.param(BOB, network(1, 3, 1), "unknown unsure ip1", id="a quarter"),
    pytest.param(BOB, network(1, 4, 1), "ham unsure ip1", id="less than a quarter"),
    pytest.param(BOB, network(1, 1, 3), "unknown unsure ip1", id="three quarters"),
    pytest.param(BOB, network(1, 1, 4), "junk unsure ip1", id="more than three quarters"),
    pytest.param(BOB, network(1, 1, 0) + network(2, 0, 9), "ham unsure ip1", id="the nearest with history counts"),
    pytest.param(BOB, network(1, 2, 0, YEAR / 4), "ham sure ip1", id="a quarter of a year"),
    pytest.param(BOB, network(1, 2, 0, YEAR / 4 + SECOND), "unknown unsure none", id="older"),
    pytest.param(replace(BOB, networks=()), network(1, 2, 0), "unknown unsure none", id="forwarded"),
    pytest.param(BOB, d1(1, 1) + network(1, 2, 0), "unknown unsure dkimspf", id="DKIM before networks"),
]


def words(found: Reputation) -> str:
    return f"{found.signal} {'sure' if found.is_conclusive else 'unsure'} {found.method}"


@pytest.mark.parametrize(("sender", "history", "outcome"), [*ADDRESS_ROWS, *DOMAIN_ROWS, *VERIFIED_ROWS, *NETWORK_ROWS])
def test_evaluate(sender: Sender, history: list[Old], outcome: str) -> None:
    memory = Memory(history)
    found = evaluate(memory, sender, NOW)
    assert words(found) == outcome
    assert found.text
    assert max(memory.asked) <= 50


@pytest.mark.parametrize(
    ("sent", "age", "outcome"),
    [
        pytest.param((By.FROM, "bob@a.example.org"), 3 * YEAR, "ham sure msgtofull", id="address"),
        pytest.param((By.FROM, "bob@a.example.org"), 3 * YEAR + SECOND, "unknown unsure none", id="address, too old"),
        pytest.param((By.FROM_DOMAIN, "a.example.org"), 2 * YEAR, "ham sure msgtodomain", id="domain"),
        pytest.param((By.FROM_DOMAIN, "a.example.org"), 2 * YEAR + SECOND, "unknown unsure none", id="domain, too old"),
        pytest.param((By.FROM_ORG_DOMAIN, "example.org"), 2 * YEAR, "ham sure msgtoorgdomain", id="organization"),
        pytest.param((By.FROM_ORG_DOMAIN, "example.org"), 2 * YEAR + SECOND, "unknown unsure none", id="too old"),
    ],
)
@pytest.mark.parametrize("sender", [BOB, UNVERIFIED], ids=["verified", "not verified"])
def test_sent(sender: Sender, sent: tuple[By, str], age: timedelta, outcome: str) -> None:
    assert words(evaluate(Memory(sent={sent: age}), sender, NOW)) == outcome


def test_sent_comes_after_history_of_the_same_name() -> None:
    sent = {(By.FROM, "bob@a.example.org"): SECOND, (By.FROM_DOMAIN, "a.example.org"): SECOND}
    assert evaluate(Memory([address(JUNK)], sent), BOB, NOW).method is Method.MSG_FROM_FULL
    assert evaluate(Memory(domain(JUNK), sent), BOB, NOW).method is Method.MSG_TO_FULL
    del sent[By.FROM, "bob@a.example.org"]
    assert evaluate(Memory(domain(JUNK), sent), BOB, NOW).method is Method.MSG_FROM_DOMAIN
    assert evaluate(Memory(org(JUNK), sent), BOB, NOW).method is Method.MSG_TO_DOMAIN


def test_nothing_known() -> None:
    assert evaluate(Memory(), Sender(), NOW) == Reputation(
        Signal.UNKNOWN, False, Method.NONE, "no history of this sender"
    )
