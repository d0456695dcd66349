"""DKIM keys are replaced, at a name server that takes changes and by an operator's hands, over weeks of a clock."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dns.rrset
import pytest

from appliance.config.values import DomainName
from appliance.delivery.appliance import Appliance
from appliance.dns.answers import Said
from appliance.dns.problems import Temporary
from appliance.operations import attention, dkimrotation, health
from appliance.operations.configuring import Exists
from appliance.operations.settings import BadSetting
from support import dkimkeys
from support.nameserver import serving
from support.primary import KEY, Primary
from support.smtphouse import STATIC, House, open_house

DOMAIN = DomainName("example.org")
ZONE = """\
@ 300 SOA ns root 1 1 1 1 900
@ NS ns
old._domainkey TXT "v=DKIM1;h=sha256;t=s;p=OLD"
olde._domainkey TXT "v=DKIM1;h=sha256;t=s;k=ed25519;p=OLDE"
"""
UPDATES = """
[dns_updates."example.org"]
server = "127.0.0.1"
port = {port}
key_name = "moxpy.example"
key_file = "tsig"
"""
DOMAINS = """\
[domains."example.org".dkim]
sign = ["old", "olde"]
# Kept.
[domains."example.org".dkim.selectors.old]
private_key_file = "dkim/old.pem"
expiration = "72h"
canonicalization = { header_relaxed = true, body_relaxed = true }
[domains."example.org".dkim.selectors.olde]
private_key_file = "dkim/olde.pem"
[domains."example.org".dkim.selectors.spare]
private_key_file = "dkim/spare.pem"
[accounts.alice.destinations]
"alice@example.org" = {}
"""
HOUR, DAY = 3600, 86400
NEW, NEWE = "202611a", "202611b"


@dataclass
class World:
    """A house, the zone, and a secondary name server that follows when it is told to."""

    house: House
    primary: Primary
    app: Appliance = field(init=False)
    lags: bool = False
    silent: bool = False

    def __post_init__(self) -> None:
        self.app = dataclasses.replace(self.house.app, zone_texts=self.texts)
        self.behind: dict[str, list[str]] = {}

    async def texts(self, resolver, name) -> list[Said]:
        if self.silent:
            raise Temporary("nobody tells which name servers it has")
        now = [one.replace('" "', "").strip('"') for one in self.primary.has(f"{name}.", "TXT")]
        if not self.lags:
            self.behind[name] = now
        return [
            Said("ns1", tuple(now), ttl_seconds=900),
            Said("ns2", tuple(self.behind.get(name, ())), ttl_seconds=900),
        ]

    async def pass_time(self, seconds: float) -> None:
        """The keeper looks when it said it would."""
        end = self.app.clock.monotonic() + seconds
        while True:
            pause = await dkimrotation.look(self.app)
            left = end - self.app.clock.monotonic()
            if left <= 0:
                return
            self.app.clock.move(min(pause, left))

    @property
    def step(self) -> str:
        (one,) = dkimrotation.status(self.app)
        return one.step

    @property
    def dkim(self):
        return self.app.config.snapshot().domains.domains[DOMAIN].dkim

    def selectors(self) -> list[str]:
        """Those that have records."""
        names = (str(name) for name in self.primary.zone.nodes)
        return sorted(
            name.partition(".")[0] for name in names if "_domainkey" in name and self.primary.has(name, "TXT")
        )

    def publish(self, told, *, add=True) -> None:
        """What the operator does by hand, with spaces where a form wants them."""
        for line in told.add if add else told.remove:
            name, _, data = line.split(" ", 2)
            rrset = dns.rrset.from_text(name, 300, "IN", "TXT", data.strip("()").replace("DKIM1;", "DKIM1; "))
            if add:
                self.primary.put(rrset)
            else:
                self.primary.zone.delete_rdataset(name, "TXT")


@asynccontextmanager
async def world(folder: Path, *, updates: bool = True, refuses: str = "", more: str = "") -> AsyncIterator[World]:
    (folder / "dkim").mkdir()
    for name, key in (("old", dkimkeys.rsa_key(2048)), ("olde", dkimkeys.ed25519_key())):
        (folder / "dkim" / f"{name}.pem").write_bytes(dkimkeys.pem(key))
    (folder / "dkim" / "spare.pem").write_bytes(dkimkeys.pem(dkimkeys.ed25519_key()))
    (folder / "tsig").write_text("c2VjcmV0IG9mIGJvdGg=\n")
    assert KEY.secret == b"secret of both"
    zone = ZONE.replace("OLDE", dkimkeys.published(dkimkeys.ed25519_key()))
    rsa = dkimkeys.published(dkimkeys.rsa_key(2048))
    zone = zone.replace("p=OLD", f'p={rsa[:200]}" "{rsa[200:]}')
    primary = Primary(zone, refuses=refuses)
    async with serving(lambda octets: [], primary) as server:
        static = STATIC + (UPDATES.format(port=server.port) if updates else "")
        domains = DOMAINS.replace('sign = ["old", "olde"]', f'sign = ["old", "olde"]\n{more}')
        async with open_house(folder, domains, static=static, check_files=True) as house:
            yield World(house, primary)


async def test_from_the_first_record_to_the_last(tmp_path):
    async with world(tmp_path) as one:
        told = await dkimrotation.start(one.app, DOMAIN)
        # Seen by all at once: the time that others may remember the absence of the records is left.
        assert (told.step, told.selectors, told.updates) == ("spread", {"old": NEW, "olde": NEWE}, True)
        assert one.selectors() == [NEW, NEWE, "old", "olde"]
        assert one.dkim.sign == ("old", "olde")
        assert one.dkim.selectors[NEW].expiration == "72h"
        assert one.dkim.selectors[NEW].canonicalization.body_relaxed
        with pytest.raises(Exists):
            await dkimrotation.start(one.app, DOMAIN)
        await one.pass_time(299)
        assert one.dkim.sign == ("old", "olde")
        await one.pass_time(2)
        assert (one.step, one.dkim.sign) == ("retire", (NEW, NEWE))
        await one.pass_time(7 * DAY - 10)
        assert one.selectors() == [NEW, NEWE, "old", "olde"]
        assert (tmp_path / "dkim" / "old.pem").exists()
        await one.pass_time(20)
        assert one.step == "done"
        assert one.selectors() == [NEW, NEWE]
        assert set(one.dkim.selectors) == {NEW, NEWE, "spare"}
        files = sorted(path.name.partition(".")[0] for path in (tmp_path / "dkim").rglob("*.pem"))
        assert files == [NEW, NEWE, "spare"]
        assert "# Kept." in (tmp_path / "domains.toml").read_text()
        keys = one.app.config.snapshot().derived.dkim_keys
        assert {type(keys["example.org", name]).__name__[:3] for name in (NEW, NEWE)} == {"RSA", "Ed2"} or len(
            keys
        ) == 3
        # The next one has other names.
        assert (await dkimrotation.start(one.app, DOMAIN)).selectors == {NEW: "202611c", NEWE: "202611d"}


async def test_all_name_servers_must_have_it(tmp_path):
    async with world(tmp_path) as one:
        one.lags = True
        told = await dkimrotation.start(one.app, DOMAIN)
        assert told.step == "publish"
        assert told.problem.startswith(f"ns2 has no record of {NEW}._domainkey.example.org")
        await one.pass_time(HOUR - 10)
        assert dkimrotation.stuck(one.app) == []
        await one.pass_time(HOUR)
        (stuck,) = (await health.health(one.app)).rotations
        assert "ns2 has no record" in stuck.text
        assert stuck.text in {found.title for found in attention.found(one.app, await health.health(one.app))}
        one.lags = False
        # ns2 may have told others for a quarter of an hour that there is none.
        await one.pass_time(660)
        assert (one.step, dkimrotation.stuck(one.app)) == ("spread", [])
        since = dkimrotation.status(one.app)[0].since
        assert (dkimrotation.status(one.app)[0].goes_on - since).total_seconds() == 900


async def test_name_servers_that_nobody_knows(tmp_path):
    async with world(tmp_path) as one:
        one.silent = True
        told = await dkimrotation.start(one.app, DOMAIN)
        assert (told.step, told.problem) == ("publish", "nobody tells which name servers it has")
        one.silent = False
        await one.pass_time(61)
        assert one.step == "spread"


async def test_a_server_that_refuses(tmp_path):
    async with world(tmp_path, refuses=NEW) as one:
        told = await dkimrotation.start(one.app, DOMAIN)
        assert told.step == "publish"
        assert "REFUSED" in told.problem
        one.primary.refuses = ""
        await one.pass_time(61)
        assert one.step == "spread"


async def test_by_hand(tmp_path):
    async with world(tmp_path, updates=False) as one:
        told = await dkimrotation.start(one.app, DOMAIN)
        assert (told.step, told.updates) == ("publish", False)
        assert told.add[0].startswith(f'{NEW}._domainkey.example.org. TXT ("v=DKIM1;')
        (stuck,) = dkimrotation.stuck(one.app)
        assert (stuck.text, told.add[0] in stuck.remedy) == (
            "New DKIM keys of example.org wait for records to be added",
            True,
        )
        await one.pass_time(2 * DAY)
        assert one.step == "publish"
        one.publish(told)
        await one.pass_time(DAY)
        assert (one.step, one.dkim.sign, dkimrotation.stuck(one.app)) == ("retire", (NEW, NEWE), [])
        await one.pass_time(8 * DAY)
        (told,) = dkimrotation.status(one.app)
        assert told.step == "withdraw"
        assert [line.partition(".")[0] for line in told.remove] == ["old", "olde"]
        assert "old" not in one.dkim.selectors
        assert "Remove: old._domainkey" in dkimrotation.stuck(one.app)[0].remedy
        one.publish(told, add=False)
        await one.pass_time(HOUR)
        assert one.step == "done"
        assert not list((tmp_path / "dkim").rglob("old*.pem"))


async def test_a_restart_goes_on(tmp_path):
    async with world(tmp_path) as one:
        await dkimrotation.start(one.app, DOMAIN)
        began = one.app.clock.now()
    (tmp_path / "later").mkdir()
    # The same files with another process, as good as nothing in memory.
    async with open_house(tmp_path, (tmp_path / "domains.toml").read_text(), check_files=True) as house:
        house.app.clock.move((began - house.app.clock.now()).total_seconds() + HOUR)
        await dkimrotation.look(house.app)
        (told,) = dkimrotation.status(house.app)
        assert (told.step, house.app.config.snapshot().domains.domains[DOMAIN].dkim.sign) == ("retire", (NEW, NEWE))


@pytest.mark.parametrize(("seconds", "records", "signing", "files"), [
    pytest.param(0, ["old", "olde"], ("old", "olde"), ["old", "olde", "spare"], id="before the switch"),
    pytest.param(HOUR, [NEW, NEWE, "old", "olde"], (NEW, NEWE), [NEW, NEWE, "old", "olde", "spare"], id="after it"),
])  # fmt: skip
async def test_abort(tmp_path, seconds, records, signing, files):
    async with world(tmp_path) as one:
        await dkimrotation.start(one.app, DOMAIN)
        await one.pass_time(seconds)
        told = await dkimrotation.abort(one.app, DOMAIN)
        assert (told.step, told.remove, one.selectors()) == ("done", [], records)
        assert one.dkim.sign == signing
        assert sorted(path.name.partition(".")[0] for path in (tmp_path / "dkim").rglob("*.pem")) == files
        with pytest.raises(BadSetting, match=r"no keys of example\.org"):
            await dkimrotation.abort(one.app, DOMAIN)


async def test_abort_by_hand_tells_what_to_remove(tmp_path):
    async with world(tmp_path, updates=False) as one:
        told = await dkimrotation.start(one.app, DOMAIN)
        assert (await dkimrotation.abort(one.app, DOMAIN)).remove == told.add


async def test_no_patience(tmp_path):
    async with world(tmp_path) as one:
        await one.texts(None, "old._domainkey.example.org")
        one.lags = True
        await dkimrotation.start(one.app, DOMAIN)
        steps = [(await dkimrotation.hurry(one.app, DOMAIN)).step for _ in range(3)]
        assert steps == ["spread", "retire", "withdraw"]
        assert one.dkim.sign == (NEW, NEWE)
        assert (await dkimrotation.hurry(one.app, DOMAIN)).step == "done"
        assert one.selectors() == [NEW, NEWE]


async def test_by_itself(tmp_path):
    async with world(tmp_path, more='rotate_every = "90d"') as one:
        await one.pass_time(89 * DAY)
        assert dkimrotation.status(one.app) == []
        await one.pass_time(2 * DAY)
        (told,) = dkimrotation.status(one.app)
        assert (told.step, told.automatic) == ("retire", True)
        await one.pass_time(95 * DAY)
        assert (one.step, one.dkim.sign) == ("done", tuple(dkimrotation.status(one.app)[0].selectors.values()))
        before = one.dkim.sign
        await one.pass_time(5 * DAY)
        assert one.dkim.sign != before


async def test_what_people_change_meanwhile(tmp_path):
    async with world(tmp_path) as one:
        await dkimrotation.start(one.app, DOMAIN)
        await one.pass_time(HOUR)
        file = tmp_path / "domains.toml"
        file.write_text(file.read_text().replace(f'sign = ["{NEW}", "{NEWE}"]', 'sign = ["old"]'))
        one.app.config.reload()
        one.app.clock.move(8 * DAY)
        await one.pass_time(HOUR)
        (told,) = dkimrotation.status(one.app)
        assert (told.step, told.problem[:14]) == ("retire", "old sign again")
        text = file.read_text()
        file.write_text(
            "[accounts.alice]\n"
            + text[text.index("[accounts.alice.dest") :].replace("example.org", "other.example")
            + '[domains."other.example"]\n'
        )
        one.app.config.reload()
        await dkimrotation.look(one.app)
        assert dkimrotation.status(one.app) == []


async def test_no_key_signs(tmp_path):
    async with open_house(
        tmp_path, '[domains."example.org"]\n[accounts.alice.destinations]\n"alice@example.org" = {}\n'
    ) as house:
        with pytest.raises(BadSetting, match="no key signs"):
            await dkimrotation.start(house.app, DOMAIN)
