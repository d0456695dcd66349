"""Every dialogue under tests/transcripts/smtp, against a real session, in a made-up world.

Lines at its top set up the door: `# kind: submission` or `lmtp`, `# pedantic: yes`, `# slow: yes`, `# plain: no` where
passwords must not come without TLS, `# unknown: slow` where unknown recipients are not refused at once, `# tls: yes`
where there is a certificate, `# tls: immediate` where TLS comes first, `# requiretls: no` where REQUIRETLS is not
offered, `# require: yes` where mail must come by TLS, `# failures: 2` for the failed logins a network may have.
"""

import ipaddress
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import trio.testing

from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.net.limiter import Limiter, Window
from appliance.operations import passwords, tlskeys
from appliance.protocol.smtp.settings import Kind
from appliance.serve import SMTP_SESSION
from appliance.store import account as accounts
from appliance.store.records import Credentials, Scram
from appliance.tls.context import Demands, server_context
from support.imaphouse import PASSWORD
from support.smtphouse import House, open_house
from support.streams import always, key_pair
from support.transcript import play

FOLDER = Path(__file__).parents[2] / "transcripts" / "smtp"
DOMAINS = (FOLDER / "domains.toml").read_text()
OPTION = re.compile(r"^# (kind|pedantic|slow|plain|unknown|tls|requiretls|require|failures): (\w+)$", re.MULTILINE)

_ADDRESS = {Type.A: [ipaddress.ip_address("192.0.2.7")]}
_USUAL = {**_ADDRESS, Type.TXT: ["v=spf1 +all"]}
#: Names have an address, and domains let everybody send for them, except for these.
WORLD = Resolver(
    Table(
        {
            "*": _USUAL,
            "*.example": _USUAL,
            "fail.example": {**_ADDRESS, Type.TXT: ["v=spf1 -all"]},
            "nospf.example": _ADDRESS,
            "exchange.example": {Type.MX: [MX(10, "mx.exchange.example")]},
            "mx.exchange.example": _ADDRESS,
            "six.example": {Type.AAAA: [ipaddress.ip_address("2001:db8::7")]},
            "cname.example": {Type.CNAME: ["exchange.example"]},
            "nullmx.example": {Type.MX: [MX(0, "")]},
            "lostmx.example": {Type.MX: [MX(10, "absent.fail.example")]},
            "empty.example": {Type.TXT: ["no address"]},
        },
        failing={("broken.example", Type.MX), ("broken.example", Type.A), ("shaky.example", Type.TXT)},
    )
)


@cache
def secrets() -> Credentials:
    return passwords.derive_credentials(PASSWORD, 1)


async def furnish(house: House, *, tls: str) -> None:
    """Give accounts passwords and keys."""
    nothing = Scram(b"", 0, b"", b"")
    imported = Credentials(secrets().password_hash, nothing, nothing, b"", b"")
    for name, credentials in (("alice", secrets()), ("bob", secrets()), ("shut", secrets()), ("old", imported)):
        with house.store.read() as tx:
            number = tx.account_id(name)
        assert number is not None
        await house.store.write(accounts.set_credentials, number, credentials, keep_session=None)
    if tls:
        for name in ("alice", "shut"):
            await tlskeys.add(house.app, key_pair(name).chain.decode(), f"{name}@example.org")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
async def test_transcript(path: Path, tmp_path: Path, mock_clock: trio.testing.MockClock) -> None:
    wanted = dict(OPTION.findall(path.read_text()))
    kind, tls = Kind(wanted.get("kind", "smtp")), wanted.get("tls", "")
    context = server_context(key_pair(), Demands(client_certificate=kind is Kind.SUBMISSION))
    house = open_house(
        tmp_path,
        DOMAINS,
        kind=kind,
        pedantic="pedantic" in wanted,
        slow="slow" in wanted,
        unknown_seconds=SMTP_SESSION.unknown_seconds if "unknown" in wanted else 0,
        resolver=WORLD,
        plain_login=wanted.get("plain") != "no",
        require_starttls="require" in wanted,
        immediate_tls=tls == "immediate",
        tls=always(context) if tls else None,
    )
    async with house as opened:
        settings = opened.door.protocol
        protocol = replace(settings, starttls=tls == "yes", requiretls=bool(tls) and "requiretls" not in wanted)
        opened.door = replace(opened.door, protocol=protocol)
        if kind is Kind.SUBMISSION:
            await furnish(opened, tls=tls)
        if most := wanted.get("failures"):
            limiter = Limiter([Window(60, (int(most), 99, 99))])
            opened.app = replace(opened.app, login_failures=limiter)
        try:
            await play(path, opened)
        finally:
            mock_clock.autojump_threshold = 0  # Whoever is slow behind a shield comes to an end too.
