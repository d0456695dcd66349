"""What is submitted, and notices that go to other servers, carry the signatures of their domain."""

import ipaddress
from datetime import UTC, datetime

from appliance.base import metrics
from appliance.config.source import ConfigSource
from appliance.dns.resolver import Resolver
from appliance.mail.dsn import Action
from appliance.mail.header import header_end
from appliance.mail.received import Received
from appliance.mail.status import Status
from appliance.msgauth.dkim import verify
from appliance.msgauth.dkim.verify import Terms
from appliance.operations import bounces
from operations.test_submit import BOB, DOMAINS, MESSAGE, desk, path
from support import dkimkeys

SIGNING = """
[domains."example.org".dkim]
sign = ["2026a", "2026e"]
[domains."example.org".dkim.selectors.2026a]
private_key_file = "a.pem"
[domains."example.org".dkim.selectors.2026e]
private_key_file = "e.pem"
canonicalization = { header_relaxed = true, body_relaxed = true }
expiration = "72h"
[accounts"""
KEYS = {"2026a": dkimkeys.rsa_key(2048), "2026e": dkimkeys.ed25519_key()}
TABLE = dkimkeys.records(
    **{
        "2026a": f"v=DKIM1; p={dkimkeys.published(KEYS['2026a'])}",
        "2026e": f"v=DKIM1; k=ed25519; p={dkimkeys.published(KEYS['2026e'])}",
    }
)


def signing(folder, *, with_keys=True):
    """A desk whose domain signs."""
    for name, key in KEYS.items():
        (folder / f"{name[-1]}.pem").write_bytes(dkimkeys.pem(key))
    return desk(folder, domains=DOMAINS.replace("\n[accounts", SIGNING, 1))


def load_keys(it, folder) -> None:
    object.__setattr__(it.app, "config", ConfigSource(folder / "moxpy.toml"))


async def results(octets: bytes, now: float) -> list[tuple[str, str]]:
    body = header_end(octets)
    found = await verify.verify(
        Resolver(TABLE), octets[:body], lambda start, end: octets[start:end], len(octets), Terms(now=now)
    )
    return [(str(one.status), one.text) for one in found]


def errors() -> float:
    from appliance.operations.submit import errors

    return errors.labels("dkimsign").value


async def test_submissions_are_signed(tmp_path):
    trace = Received(
        helo="mail.example",
        remote_ip=None,
        hostname="mail.example",
        local_ip=ipaddress.ip_address("192.0.2.1"),
        protocol="ESMTPSA",
        id="x",
        tls="",
        requiretls=False,
        when=datetime(2026, 1, 1, tzinfo=UTC),
    )
    async with signing(tmp_path) as it:
        load_keys(it, tmp_path)
        with_bcc = MESSAGE.replace("Subject", "Bcc: x@example.net\r\nSubject")
        await it.send(trace=trace)
        await it.send(with_bcc.replace("alice@", "bob@"), sender=BOB, account="bob", login=BOB)
        for one in it.queue:
            octets = it.content(one)
            assert await results(octets, it.app.clock.now().timestamp()) == [("pass", ""), ("pass", "")]
            names = [line.partition(b":")[0] for line in one.prefix.split(b"\r\n") if line and line[:1] != b"\t"]
            assert names[-4:] == [b"Date", b"DKIM-Signature", b"DKIM-Signature", b"Authentication-Results"]
        assert b"\r\nBcc" not in it.content(it.queue[1])


async def test_what_cannot_be_signed_goes_all_the_same(tmp_path):
    async with signing(tmp_path) as it:
        before = errors()
        await it.send()  # This house has not looked at its key files.
        (one,) = it.queue
        assert b"DKIM-Signature" not in one.prefix
        assert one.prefix.startswith(b"Message-ID:")
        assert errors() == before + 1
        assert b"moxpy_smtpserver_errors_total" in metrics.expose()
        await it.send(MESSAGE.replace("alice@example.org", "a@catchall.example"))
        assert errors() == before + 1


async def test_notices_to_others_are_signed(tmp_path):
    async with signing(tmp_path) as it:
        load_keys(it, tmp_path)
        now = it.app.clock.now()
        received = bounces.Received(
            reverse_path=path("ä@elsewhere.example"),
            spooled=it.app.store.spooled(MESSAGE.encode()),
            arrived=now,
            smtputf8=True,
            requiretls=False,
        )
        plain = bounces.Received(
            reverse_path=path("a@elsewhere.example"),
            spooled=it.app.store.spooled(MESSAGE.encode()),
            arrived=now,
            smtputf8=True,
            requiretls=False,
        )
        failure = bounces.Outcome(path(BOB), Action.FAILED, 550, Status(5, 1, 1), "no such user")
        for one in (received, plain):
            await it.app.store.write(bounces.queue, it.app, it.app.config.snapshot(), one, [failure])
        for one in it.queue:
            assert await results(it.content(one), now.timestamp()) == [("pass", ""), ("pass", "")]
        other = it.queue[1].dsn_utf8
        assert await results(other, now.timestamp()) == [("pass", ""), ("pass", "")]
