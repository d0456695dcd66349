"""Logging in, as the submission door and the IMAP door do it, with real passwords and a real store."""

import base64
import ipaddress
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from appliance.base.log import Log
from appliance.net.limiter import Limiter, Window
from appliance.operations import accounts as verbs, apppasswords, attempts, login, passwords
from appliance.operations.actor import Actor, Right
from appliance.operations.attempts import Book
from appliance.operations.login import Attempt, LoginFailed, Situation, Why
from appliance.operations.passwords import Checker
from appliance.protocol.sasl.exchange import Fault, PasswordCredentials, SASLError
from appliance.protocol.sasl.mechanisms import MECHANISMS
from appliance.protocol.smtp.settings import Kind
from appliance.servers.imap import auth as imap_auth
from appliance.servers.smtp import auth as smtp_auth
from appliance.store import account as accounts
from appliance.store.problems import StoreFailed
from appliance.store.records import Credentials, Scram
from appliance.store.tables import AccountID
from support import imaphouse, smtphouse
from support.quiet import settled
from support.scramclient import Scram as ScramClient, cram_md5

DOMAINS = """\
[domains."example.org"]
localpart_catchall_separators = ["+"]
[accounts.alice]
domain = "example.org"
[accounts.alice.destinations."alice@example.org"]
mailbox = "Inbox"
[accounts.alice.destinations."jos\u00e9@example.org"]
mailbox = "Inbox"
[accounts.old]
domain = "example.org"
[accounts.old.destinations."old@example.org"]
mailbox = "Inbox"
[accounts.shut]
domain = "example.org"
login_disabled = "closed for now"
[accounts.shut.destinations."shut@example.org"]
mailbox = "Inbox"
[accounts.bare]
domain = "example.org"
[accounts.bare.destinations."bare@example.org"]
mailbox = "Inbox"
"""
ALICE, PASSWORD = "alice@example.org", "correct horse battery"
HERE = ipaddress.ip_address("192.0.2.7")
#: From an import: a hash, and nothing for mechanisms that do not send the password.
NOTHING = Scram(b"", 0, b"", b"")
SECRETS = passwords.derive_credentials(PASSWORD, 1)
OLD = Credentials(SECRETS.password_hash, NOTHING, NOTHING, b"", b"")


@dataclass
class House:
    door: Any
    app: Any

    def number(self, name: str) -> AccountID:
        return verbs.number(self.app.store, name)


@asynccontextmanager
async def opened(folder: Path, *, imap: bool = False, **door: object) -> AsyncIterator[House]:
    house: Any = imaphouse if imap else smtphouse
    options = {} if imap else {"kind": Kind.SUBMISSION}
    async with house.open_house(folder, DOMAINS, **options, **door) as found:
        book = Book(found.app.store, found.app.clock)
        found.app = replace(found.app, passwords=Checker(found.app.clock), logins=book)
        for name, secrets in (("alice", SECRETS), ("old", OLD), ("shut", SECRETS)):
            number = verbs.number(found.app.store, name)
            await found.app.store.write(accounts.set_credentials, number, secrets, keep_session=None)
        yield House(found, found.app)
        await book.write()


def encoded(octets: bytes) -> bytes:
    return base64.b64encode(octets) or b"="


Client = Callable[[bytes], bytes]


def says(*responses: bytes) -> Client:
    """A client that says these things, whatever it is told; the last may be a line that is no response."""
    left = list(responses)
    return lambda _: left.pop(0)


def scram(user: str = ALICE, password: str = PASSWORD, algorithm: str = "sha256", **options: Any) -> Client:
    """A client that does SCRAM, and believes a server only if it knows the password too."""
    client = ScramClient(algorithm, user, password, **options)
    step = 0

    def respond(challenge: bytes) -> bytes:
        nonlocal step
        step += 1
        if step == 1:
            return client.first()
        if step == 2:
            return client.final(challenge)
        assert challenge.startswith(b"e=") or client.check(challenge)
        return b""

    return respond


def noting(challenges: list[bytes], client: Client) -> Client:
    """A client that writes down what it is told."""

    def respond(challenge: bytes) -> bytes:
        challenges.append(challenge)
        return client(challenge)

    return respond


def cram(user: str = ALICE, password: str = PASSWORD) -> Client:
    return lambda challenge: cram_md5(user, password, challenge)


def plain(user: str = ALICE, password: str = PASSWORD, authorization: str = "") -> Client:
    return says(f"{authorization}\0{user}\0{password}".encode())


GIVES_UP, GARBAGE = b"*", b"!"
FIRST = b"n,,n=alice@example.org,r=rOprNGfwEbeRWgbNEkqO"


def rows() -> list[Any]:
    """Mechanism, client, what came of it, and the reply of SMTP. Clients are used up, so each door has its own."""
    return [
        pytest.param("PLAIN", plain(), None, "235 2.7.0", id="PLAIN"),
        pytest.param("PLAIN", plain("alice+x@EXAMPLE.org"), None, "235 2.7.0", id="PLAIN, spelt otherwise"),
        pytest.param("PLAIN", plain("jose\u0301@example.org"), None, "235 2.7.0", id="PLAIN, name in NFD"),
        pytest.param("PLAIN", plain(password="correct\u00a0horse\u3000battery"), None, "235 2.7.0", id="PLAIN, other spaces"),
        pytest.param("PLAIN", plain("old@example.org"), None, "235 2.7.0", id="PLAIN, imported hash"),
        pytest.param("PLAIN", plain(password="wrong"), Why.WRONG, "535 5.7.8", id="PLAIN, wrong password"),
        pytest.param("PLAIN", plain(password="\u0007\u0007"), Why.WRONG, "535 5.7.8", id="PLAIN, no password at all"),
        pytest.param("PLAIN", plain("nobody@example.org"), Why.WRONG, "535 5.7.8", id="PLAIN, unknown user"),
        pytest.param("PLAIN", plain("bare@example.org"), Why.WRONG, "535 5.7.8", id="PLAIN, no password was set"),
        pytest.param("PLAIN", plain("no address"), Why.WRONG, "535 5.7.8", id="PLAIN, no address"),
        pytest.param("PLAIN", plain(authorization="old@example.org"), Why.AUTHORIZATION, "535 5.7.8", id="PLAIN, for another"),
        pytest.param("PLAIN", says(b"alice\0x"), Why.MALFORMED, "501 5.5.4", id="PLAIN, two fields"),
        pytest.param("PLAIN", plain("shut@example.org"), Why.DISABLED, "525 5.7.13", id="disabled"),
        pytest.param("PLAIN", plain("shut@example.org", "wrong"), Why.WRONG, "535 5.7.8", id="disabled, wrong password"),
        pytest.param("PLAIN", says(GIVES_UP), Why.ABORTED, "501 5.5.0", id="given up"),
        pytest.param("PLAIN", says(GARBAGE), Why.ENCODING, "501 5.5.2", id="not base64"),
        pytest.param("LOGIN", says(ALICE.encode(), PASSWORD.encode()), None, "235 2.7.0", id="LOGIN"),
        pytest.param("LOGIN", says(ALICE.encode(), b"wrong"), Why.WRONG, "535 5.7.8", id="LOGIN, wrong password"),
        pytest.param("LOGIN", says(b"\xff", b"wrong"), Why.MALFORMED, "501 5.5.4", id="LOGIN, no text"),
        pytest.param("CRAM-MD5", cram(), None, "235 2.7.0", id="CRAM-MD5"),
        pytest.param("CRAM-MD5", cram(password="wrong"), Why.WRONG, "535 5.7.8", id="CRAM-MD5, wrong password"),
        pytest.param("CRAM-MD5", cram("nobody@example.org"), Why.WRONG, "535 5.7.8", id="CRAM-MD5, unknown user"),
        pytest.param("CRAM-MD5", cram("old@example.org"), Why.SECRETS_MISSING, "454 4.3.0", id="CRAM-MD5, no secret"),
        pytest.param("CRAM-MD5", cram("shut@example.org"), Why.DISABLED, "525 5.7.13", id="CRAM-MD5, disabled"),
        pytest.param("CRAM-MD5", says(b"alice"), Why.MALFORMED, "501 5.5.4", id="CRAM-MD5, malformed"),
        pytest.param("SCRAM-SHA-256", scram(), None, "235 2.7.0", id="SCRAM-SHA-256"),
        pytest.param("SCRAM-SHA-1", scram(algorithm="sha1"), None, "235 2.7.0", id="SCRAM-SHA-1"),
        pytest.param("SCRAM-SHA-256", scram(password="wrong"), Why.WRONG, "535 5.7.8", id="SCRAM, wrong password"),
        pytest.param("SCRAM-SHA-256", scram("nobody@example.org"), Why.WRONG, "535 5.7.8", id="SCRAM, unknown user"),
        pytest.param("SCRAM-SHA-1", scram("nobody@example.org", algorithm="sha1"), Why.WRONG, "535 5.7.8", id="SCRAM-SHA-1, unknown user"),
        pytest.param("SCRAM-SHA-256", scram("bare@example.org"), Why.WRONG, "535 5.7.8", id="SCRAM, no password was set"),
        pytest.param("SCRAM-SHA-256", scram("old@example.org"), Why.SECRETS_MISSING, "454 4.3.0", id="SCRAM, no secret"),
        pytest.param("SCRAM-SHA-256", scram("shut@example.org"), Why.DISABLED, "525 5.7.13", id="SCRAM, disabled"),
        pytest.param("SCRAM-SHA-256", scram("shut@example.org", "wrong"), Why.WRONG, "535 5.7.8", id="SCRAM, disabled, wrong"),
        pytest.param("SCRAM-SHA-256", says(b"n,a=old@example.org,n=alice@example.org,r=rOprNGfwEbeRWgbNEkqO"), Why.AUTHORIZATION, "535 5.7.8", id="SCRAM, for another"),
        pytest.param("SCRAM-SHA-256", says(b"what"), Why.FIRST_MESSAGE, "455 4.7.0", id="SCRAM, malformed first"),
        pytest.param("SCRAM-SHA-256", scram(flag="y"), Why.FIRST_MESSAGE, "455 4.7.0", id="SCRAM, downgrade"),
        pytest.param("SCRAM-SHA-256", scram(binding=("tls-unique", b"x")), Why.FIRST_MESSAGE, "455 4.7.0", id="SCRAM, binding without TLS"),
        pytest.param("SCRAM-SHA-256", says(FIRST, b"what", b""), Why.FINAL_MESSAGE, "535 5.7.0", id="SCRAM, malformed final"),
        pytest.param("SCRAM-SHA-256", says(FIRST, b"what", GIVES_UP), Why.FINAL_MESSAGE, "535 5.7.0", id="SCRAM, malformed final, given up"),
        pytest.param("SCRAM-SHA-256", says(FIRST, GIVES_UP), Why.ABORTED, "501 5.5.0", id="SCRAM, given up"),
        pytest.param("SCRAM-SHA-256-PLUS", says(), Why.TLS_REQUIRED, "538 5.7.11", id="PLUS without TLS"),
        pytest.param("EXTERNAL", says(), Why.TLS_REQUIRED, "538 5.7.11", id="EXTERNAL without TLS"),
        pytest.param("KERBEROS", says(), Why.UNKNOWN_MECHANISM, "504 5.5.4", id="unknown mechanism"),
    ]  # fmt: skip


@pytest.mark.parametrize(("mechanism", "client", "why", "reply"), rows())
async def test_submission(tmp_path: Path, mechanism: str, client: Client, why: Why | None, reply: str) -> None:
    variant = mechanism.lower() if mechanism in MECHANISMS else "(unrecognized)"
    counted = login.authentications.labels("submission", variant, why.result if why else "ok")
    before = counted.value
    async with opened(tmp_path) as house:
        connection = house.door.connect()
        await connection.line()
        await connection.send(b"EHLO client.example\r\n")
        while not (line := await connection.line()).startswith(b"250 "):
            assert line
        await connection.send(b"AUTH " + mechanism.encode() + b"\r\n")
        while (line := await connection.line()).startswith(b"334 "):
            response = client(base64.b64decode(line[4:]))
            await connection.send(
                (response if response in {GIVES_UP, GARBAGE} else base64.b64encode(response)) + b"\r\n"
            )
        assert line.startswith(reply.encode()), line
        if why is Why.DISABLED:
            assert b"closed for now" in line
        await house.app.logins.write()
        ((account, record),) = await attempts.all_of(house.app, None, 10)
        assert record.result == (why.result if why else "ok")
        assert record.mechanism == variant
        assert counted.value == before + 1
        if why is None:
            assert account in {"alice", "old"}


@pytest.mark.parametrize(("mechanism", "client", "why"), [pytest.param(*one.values[:3], id=one.id) for one in rows()])
async def test_imap(tmp_path: Path, mechanism: str, client: Client, why: Why | None) -> None:
    if mechanism == "LOGIN":
        why = Why.UNKNOWN_MECHANISM
    async with opened(tmp_path, imap=True) as house:
        connection = house.door.connect()
        assert f"AUTH={mechanism}".encode() in await connection.line() or mechanism in {"LOGIN", "EXTERNAL", "KERBEROS"}
        await connection.send(b"x AUTHENTICATE " + mechanism.encode() + b"\r\n")
        while (line := await connection.line()).startswith(b"+ "):
            response = client(base64.b64decode(line[2:]))
            await connection.send(
                (response if response in {GIVES_UP, GARBAGE} else base64.b64encode(response)) + b"\r\n"
            )
        if why is None:
            assert line.startswith(b"x OK [CAPABILITY IMAP4rev2 ")
            assert b"AUTH=" not in line
        else:
            kind, code = imap_auth.RESPONSES[why]
            text = {Why.DISABLED: "closed for now"}.get(why, "")
            assert line.startswith(f"x {kind} {f'[{code}] ' if code else ''}{text}".encode()), line


def test_every_outcome_has_its_words() -> None:
    assert set(smtp_auth.CODES) == set(imap_auth.RESPONSES) == set(Why)
    assert {fault.name for fault in Fault} <= {why.name for why in Why}
    for why, code in smtp_auth.CODES.items():
        # RFC 2034 §4: the class of the status is that of the code. 455 and 421 and 454 are the temporary ones.
        assert code // 100 == why.status.klass


# With other doors closed: the verbs alone.


def attempt(protocol: str = "imap") -> Attempt:
    return Attempt(protocol, "login", HERE, Log("test"))


async def authenticate(app: Any, mechanism: str, client: Client, protocol: str = "imap", **situation: Any) -> Actor:
    async def ask(challenge: bytes) -> bytes:
        return client(challenge)

    where = Situation(passwords_allowed=True, mechanisms=MECHANISMS, **situation)
    return await login.authenticate(app, attempt(protocol), where, mechanism, None, ask)


async def why_not(work: Awaitable[Actor]) -> Why:
    with pytest.raises(LoginFailed) as caught:
        await work
    return caught.value.why


async def test_login_address_is_the_one_given(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        actor = await authenticate(house.app, "PLAIN", plain("alice+x@example.org"))
        assert (actor.name, actor.login_address) == ("alice", "alice+x@example.org")
        assert Right.CHANGE_ACCOUNT in actor.rights


async def test_salts_of_nobody_do_not_change(tmp_path: Path) -> None:
    """Who asks twice, or for another spelling, learns nothing of who exists."""
    salts: dict[str, set[bytes]] = {}
    async with opened(tmp_path) as house:
        for name in ("nobody@example.org", "nobody+x@EXAMPLE.org", "Nobody@example.org", "bare@example.org", ALICE):
            for _ in range(2):
                challenges: list[bytes] = []
                client = noting(challenges, scram(name, "wrong"))
                assert await why_not(authenticate(house.app, "SCRAM-SHA-256", client)) is Why.WRONG
                _, salt, iterations = challenges[1].split(b",")
                assert (len(base64.b64decode(salt[2:])), iterations) == (12, b"i=4096")
                salts.setdefault(name, set()).add(salt)
    assert all(len(found) == 1 for found in salts.values())
    same = [salts[name] for name in ("nobody@example.org", "nobody+x@EXAMPLE.org", "Nobody@example.org")]
    assert same[0] == same[1] == same[2]
    assert len({min(found) for found in salts.values()}) == 3


async def test_missing_secrets_are_not_held_against_anybody(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        app = replace(house.app, login_failures=Limiter([Window(60, (2, 9, 9))]))
        for _ in range(5):
            assert await why_not(authenticate(app, "CRAM-MD5", cram("old@example.org"))) is Why.SECRETS_MISSING
        await verbs.set_password(app, "old", PASSWORD)
        assert (await authenticate(app, "CRAM-MD5", cram("old@example.org"))).name == "old"


async def test_too_many_failures_and_forgiveness(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        app = replace(house.app, login_failures=Limiter([Window(60, (2, 9, 9))]))
        assert await why_not(authenticate(app, "PLAIN", plain(password="wrong"))) is Why.WRONG
        await authenticate(app, "PLAIN", plain())
        for _ in range(2):
            assert await why_not(authenticate(app, "PLAIN", plain(password="wrong"))) is Why.WRONG
        assert await why_not(authenticate(app, "PLAIN", plain())) is Why.TOO_MANY


async def test_trouble_of_ours_is_not_the_clients_fault(tmp_path: Path) -> None:
    class Broken:
        async def check(self, password_hash: str | None, password: str) -> bool:
            raise StoreFailed("cannot be read")

    counted = login.authentications.labels("submission", "plain", "error")
    before = counted.value
    async with opened(tmp_path) as house:
        house.door.app = replace(house.app, passwords=Broken(), login_failures=Limiter([Window(60, (1, 9, 9))]))
        client = house.door.connect()
        await client.send(b"HELO x\r\n" + b"AUTH PLAIN %b\r\n" % encoded(f"\0{ALICE}\0{PASSWORD}".encode()) * 5)
        assert [(await client.line())[:9] for _ in range(7)][2:] == [b"451 4.3.0"] * 5
    assert counted.value == before + 5


async def test_cram_md5_challenge(tmp_path: Path) -> None:
    """RFC 2195 §2: chance, a time stamp, our name."""
    challenges: list[bytes] = []
    async with opened(tmp_path) as house:
        for _ in range(2):
            client = noting(challenges, cram(password="wrong"))
            await why_not(authenticate(house.app, "CRAM-MD5", client, hostname="mx.example"))
    assert all(re.fullmatch(rb"<[0-9a-f]{24}\.[0-9]{19}@mx\.example>", one) for one in challenges)
    assert len(set(challenges)) == 2


async def test_client_that_breaks_off_is_recorded(tmp_path: Path) -> None:
    def leaves(_: bytes) -> bytes:
        raise RuntimeError("gone")

    async with opened(tmp_path) as house:
        with pytest.raises(RuntimeError):
            await authenticate(house.app, "PLAIN", leaves)
        await house.app.logins.write()
        ((account, record),) = await attempts.all_of(house.app, None, 10)
        assert (account, record.result) == ("-", "aborted")


class FakeTLS:
    """A TLS 1.3 stream's channel bindings."""

    def unique(self) -> bytes | None:
        return None

    def exporter(self) -> bytes | None:
        return b"exported"

    def server_end_point(self) -> bytes | None:
        return b"certificate"


@pytest.mark.parametrize(
    ("mechanism", "binding", "why"),
    [
        pytest.param("SCRAM-SHA-256-PLUS", ("tls-exporter", b"exported"), None, id="exporter"),
        pytest.param("SCRAM-SHA-256-PLUS", ("tls-server-end-point", b"certificate"), None, id="certificate"),
        pytest.param("SCRAM-SHA-256", ("tls-exporter", b"exported"), None, id="exporter with the bare name"),
        pytest.param("SCRAM-SHA-256-PLUS", ("tls-exporter", b"another"), Why.BINDING, id="another channel"),
        pytest.param("SCRAM-SHA-256-PLUS", ("tls-unique", b"x"), Why.FIRST_MESSAGE, id="tls-unique with TLS 1.3"),
        pytest.param("SCRAM-SHA-256-PLUS", None, Why.FIRST_MESSAGE, id="PLUS without binding"),
    ],
)
async def test_channel_binding(tmp_path: Path, mechanism: str, binding: Any, why: Why | None) -> None:
    async with opened(tmp_path) as house:
        work = authenticate(house.app, mechanism, scram(binding=binding), tls=FakeTLS())
        if why is None:
            assert (await work).name == "alice"
        else:
            assert await why_not(work) is why


def certificate(house: House, name: str) -> Actor:
    return Actor(house.number(name), name, f"{name}@example.org")


@pytest.mark.parametrize(
    ("mechanism", "client", "holder", "outcome"),
    [
        pytest.param("EXTERNAL", says(b""), "alice", ALICE, id="its own address"),
        pytest.param("EXTERNAL", says(b"alice+x@example.org"), "alice", "alice+x@example.org", id="another of its own"),
        pytest.param("EXTERNAL", says(b"old@example.org"), "alice", Why.OTHER_ACCOUNT, id="one of another"),
        pytest.param("EXTERNAL", says(b"nobody@example.org"), "alice", Why.WRONG, id="nobody's"),
        pytest.param("EXTERNAL", says(b""), "shut", Why.DISABLED, id="disabled"),
        pytest.param("EXTERNAL", says(), None, Why.NO_CERTIFICATE, id="no certificate"),
        pytest.param("PLAIN", plain("alice+x@example.org"), "alice", "alice+x@example.org", id="PLAIN of the same account"),
        pytest.param("PLAIN", plain("old@example.org"), "alice", Why.OTHER_ACCOUNT, id="PLAIN of another account"),
        pytest.param("PLAIN", plain("old@example.org", "wrong"), "alice", Why.WRONG, id="PLAIN, wrong password"),
        pytest.param("CRAM-MD5", cram(), "old", Why.OTHER_ACCOUNT, id="CRAM-MD5 of another account"),
    ],
)  # fmt: skip
async def test_certificates(tmp_path: Path, mechanism: str, client: Client, holder: str | None, outcome: Any) -> None:
    async with opened(tmp_path) as house:
        held = None if holder is None else certificate(house, holder)
        work = authenticate(house.app, mechanism, client, tls=FakeTLS(), certificate=held)
        if isinstance(outcome, Why):
            assert await why_not(work) is outcome
        else:
            assert (await work).login_address == outcome


async def test_a_key_that_was_removed_is_no_certificate(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        held = replace(certificate(house, "alice"), key=bytes(32))
        work = authenticate(house.app, "EXTERNAL", says(b""), tls=FakeTLS(), certificate=held)
        assert await why_not(work) is Why.WRONG


# App passwords.


def everywhere(user: str, password: str) -> list[tuple[str, Client]]:
    return [
        ("PLAIN", plain(user, password)),
        ("CRAM-MD5", cram(user, password)),
        ("SCRAM-SHA-1", scram(user, password, "sha1")),
        ("SCRAM-SHA-256", scram(user, password)),
    ]


async def test_app_passwords_work_with_every_mechanism(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        app = house.app
        one = await apppasswords.add(app, "alice", "phone")
        other = await apppasswords.add(app, "alice", "laptop", protocols=["imap"])
        assert one.password not in repr(one)
        # Another password for the account leaves them as they are.
        await verbs.set_password(app, "alice", "another password")
        for password in (one.password, other.password, "another password"):
            for mechanism, client in everywhere(ALICE, password):
                actor = await authenticate(app, mechanism, client)
                assert actor.name == "alice"
                assert (Right.CHANGE_ACCOUNT in actor.rights) == (password == "another password")
        for mechanism, client in everywhere(ALICE, PASSWORD):
            assert await why_not(authenticate(app, mechanism, client)) is Why.WRONG
        await apppasswords.remove(app, "alice", one.number)
        for mechanism, client in everywhere(ALICE, one.password):
            assert await why_not(authenticate(app, mechanism, client)) is Why.WRONG
        assert (await authenticate(app, "SCRAM-SHA-256", scram(password=other.password))).name == "alice"


async def test_app_passwords_of_an_account_without_a_password(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        new = await apppasswords.add(house.app, "bare", "phone")
        for mechanism, client in everywhere("bare@example.org", new.password):
            assert (await authenticate(house.app, mechanism, client)).name == "bare"
        assert await why_not(authenticate(house.app, "PLAIN", plain("bare@example.org", ""))) is Why.WRONG
        await apppasswords.remove(house.app, "bare", new.number)
        for mechanism, client in everywhere("bare@example.org", new.password):
            assert await why_not(authenticate(house.app, mechanism, client)) is Why.WRONG


async def test_own_password_without_secret_beside_app_passwords(tmp_path: Path) -> None:
    """An imported hash has no salts; app passwords bring some, and the hash goes on being one for PLAIN alone."""
    async with opened(tmp_path) as house:
        new = await apppasswords.add(house.app, "old", "phone")
        for mechanism, client in everywhere("old@example.org", new.password):
            assert (await authenticate(house.app, mechanism, client)).name == "old"
        assert (await authenticate(house.app, "PLAIN", plain("old@example.org"))).name == "old"
        lacking = authenticate(house.app, "SCRAM-SHA-256", scram("old@example.org"))
        assert await why_not(lacking) is Why.SECRETS_MISSING


@pytest.mark.parametrize("mechanism", ["PLAIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
async def test_app_passwords_are_limited(tmp_path: Path, mechanism: str) -> None:
    async with opened(tmp_path) as house:
        app = house.app
        new = await apppasswords.add(app, "alice", "phone", protocols=["submission"], expires_seconds=3600)
        client = dict(everywhere(ALICE, new.password))[mechanism]
        assert await why_not(authenticate(app, mechanism, client, "imap")) is Why.WRONG
        client = dict(everywhere(ALICE, new.password))[mechanism]
        assert (await authenticate(app, mechanism, client, "submission")).name == "alice"
        app.clock.move(3600)
        client = dict(everywhere(ALICE, new.password))[mechanism]
        assert await why_not(authenticate(app, mechanism, client, "submission")) is Why.WRONG


async def test_last_use_is_written_once_an_hour(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        app = house.app
        new = await apppasswords.add(app, "alice", "phone")

        async def used_at(after: float) -> int:
            app.clock.move(after)
            await authenticate(app, "PLAIN", plain(password=new.password))
            await app.logins.write()
            ((_, kept),) = apppasswords.all_of(app, "alice")
            return kept.last_used

        first = await used_at(1)
        assert first == app.clock.microseconds()
        assert await used_at(3000) == first
        assert await used_at(3000) == app.clock.microseconds()


@pytest.mark.parametrize("imap", [True, False])
async def test_what_a_password_opened_ends_with_it(tmp_path: Path, imap: bool) -> None:
    async with opened(tmp_path, imap=imap) as house:
        app = house.app
        phone, laptop = [await apppasswords.add(app, "alice", label) for label in ("phone", "laptop")]
        clients = []
        for password in (phone.password, laptop.password, PASSWORD):
            client = house.door.connect()
            await client.line()
            if imap:
                await client.command(f'LOGIN {ALICE} "{password}"')
            else:
                await client.send(b"HELO x\r\nAUTH PLAIN %b\r\n" % encoded(f"\0{ALICE}\0{password}".encode()))
                assert [(await client.line())[:4] for _ in range(2)] == [b"250 ", b"235 "]
            clients.append(client)

        async def goes_on(client: imaphouse.Client) -> bool:
            await client.send(b"NOOP\r\n" if not imap else b"n NOOP\r\n")
            return (await client.line()).startswith(b"n OK" if imap else b"250 ")

        await apppasswords.remove(app, "alice", phone.number)
        assert (await clients[0].line()).startswith(b"* BYE " if imap else b"421 4.7.0 ")
        assert await clients[0].line() == b""
        assert [await goes_on(client) for client in clients[1:]] == [True, True]
        await verbs.set_password(app, "alice", "another password")
        assert (await clients[2].line()).startswith(b"* BYE " if imap else b"421 4.7.0 ")
        assert await goes_on(clients[1])


@pytest.mark.parametrize("is_app_password", [True, False])
async def test_credentials_taken_away_within_an_exchange(tmp_path: Path, is_app_password: bool) -> None:
    """There is no session yet that would be ended with them."""
    async with opened(tmp_path) as house:
        app, alice = house.app, house.number("alice")
        password = PASSWORD
        if is_app_password:
            new = await apppasswords.add(app, "alice", "phone")
            password = new.password
        client = scram(password=password)

        def slowly(challenge: bytes) -> bytes:
            response = client(challenge)
            if not response:  # It has seen that the server agrees.
                if is_app_password:
                    app.store.write_sync(accounts.remove_app_password, alice, new.number)
                else:
                    other = passwords.derive_credentials("another password", 1)
                    app.store.write_sync(accounts.set_credentials, alice, other, keep_session=None)
            return response

        assert await why_not(authenticate(app, "SCRAM-SHA-256", slowly)) is Why.WRONG


async def test_imap_clients_may_say_later_what_they_are(tmp_path: Path) -> None:
    async with opened(tmp_path, imap=True) as house:
        app = house.app

        async def recorded() -> list[tuple[str, int]]:
            await app.logins.write()
            return sorted((one.user_agent, one.count) for _, one in await attempts.all_of(app, "alice", 9))

        early, late, never = [house.door.connect() for _ in range(3)]
        for client in (early, late, never):
            await client.line()
        await early.command('ID ("name" "early" "version" "1")')
        for client in (early, late, never):
            await client.command(f'LOGIN {ALICE} "{PASSWORD}"')
        assert await recorded() == []
        await late.command("CAPABILITY")
        await late.command('ID ("name" "late")')
        await early.command("SELECT INBOX")
        await never.command("LOGOUT")
        assert await never.line() == b""
        assert await recorded() == [("", 1), ("early/1", 1), ("late", 1)]


@pytest.mark.parametrize(
    ("label", "options"),
    [
        pytest.param("", {}, id="no label"),
        pytest.param("a\nb", {}, id="two lines"),
        pytest.param("x" * 101, {}, id="long label"),
        pytest.param("phone", {"protocols": ["imap", "ftp"]}, id="unknown protocol"),
        pytest.param("phone", {"protocols": []}, id="no protocol"),
        pytest.param("phone", {"expires_seconds": 0}, id="expired"),
    ],
)
async def test_app_passwords_that_cannot_be(tmp_path: Path, label: str, options: Any) -> None:
    async with opened(tmp_path) as house:
        with pytest.raises(apppasswords.BadAppPassword):
            await apppasswords.add(house.app, "alice", label, **options)


def test_generated_passwords() -> None:
    made = {apppasswords.generate() for _ in range(50)}
    assert len(made) == 50
    assert all(len(one) == 29 and one.replace("-", "").islower() and one.isascii() for one in made)
    assert 23**24 > 2**100


# Attempts.


async def test_attempts_are_counted_together(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        app = house.app
        start = app.clock.microseconds()
        for after in (1, 2, 3):
            app.clock.move(after)
            await why_not(authenticate(app, "PLAIN", plain(password="wrong")))
            if after != 2:
                await app.logins.write()
        await authenticate(app, "PLAIN", plain())
        await why_not(authenticate(app, "PLAIN", plain("nobody@example.org")))
        await app.logins.write()
        found = {(name, one.result): one for name, one in await attempts.all_of(app, None, 10)}
        assert set(found) == {("alice", "badcreds"), ("alice", "ok"), ("-", "badcreds")}
        wrong = found["alice", "badcreds"]
        assert (wrong.count, wrong.first - start, wrong.last - start) == (3, 1_000_000, 6_000_000)
        assert [one.result for _, one in await attempts.all_of(app, "alice", 1)] in (["ok"], ["badcreds"])
        assert len(await attempts.all_of(app, "-", 10)) == 1


async def test_ten_thousand_failures_keep_everything_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From one network, on addresses that do not exist, faster than they are written."""
    monkeypatch.setattr(attempts.limits, "LOGINS_KEPT", 100)

    class Wrong:
        async def check(self, password_hash: str | None, password: str) -> bool:
            return False

    async def no_key(password: str, salts: Scram) -> bytes:
        return b""

    monkeypatch.setattr(passwords, "stored_key", no_key)
    async with opened(tmp_path) as house:
        app = replace(house.app, passwords=Wrong())
        where = Situation(passwords_allowed=True)
        for number in range(10_000):
            credentials = PasswordCredentials(f"nobody{number}@example.org", "x")
            with pytest.raises(LoginFailed):
                await login.by_password(app, attempt(), where, credentials)
            assert len(app.logins._waiting) <= 1000
        await app.logins.write()
        assert len(await attempts.all_of(app, "-", 20_000)) == 100
        # Three networks of two windows at most, however many failures.
        assert all(len(counts) <= 3 for _, counts in app.login_failures._counts)


async def test_old_attempts_are_forgotten(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        app = house.app
        await authenticate(app, "PLAIN", plain())
        await why_not(authenticate(app, "PLAIN", plain("nobody@example.org")))
        await app.logins.write()
        app.clock.move(29 * 86_400)
        await app.logins._forget()
        assert len(await attempts.all_of(app, None, 10)) == 2
        await authenticate(app, "PLAIN", plain())
        await app.logins.write()
        app.clock.move(2 * 86_400)
        await app.logins._forget()
        ((name, one),) = await attempts.all_of(app, None, 10)
        assert (name, one.count) == ("alice", 2)


async def test_attempts_on_an_account_that_is_removed(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        app = house.app
        await apppasswords.add(app, "alice", "phone")
        await authenticate(app, "PLAIN", plain())
        await app.logins.write()
        await authenticate(app, "CRAM-MD5", cram())
        await app.store.write(accounts.begin_removal, "alice")
        await app.logins.write()
        while not await app.store.write(accounts.remove_part, "alice", 100):
            pass
        ((name, one),) = await attempts.all_of(app, None, 10)
        assert (name, one.mechanism) == ("-", "cram-md5")


async def test_slow_after_three_failures(tmp_path: Path) -> None:
    async with imaphouse.open_house(tmp_path) as house:
        client = house.connect()
        (session,) = house.sessions
        await client.line()
        for failures, slow in ((1, False), (2, False)):
            await client.command("AUTHENTICATE PLAIN AA==", expect=b"NO")
            assert (session.failed_logins, session.connection.slow) == (failures, slow)
        await client.command(f'LOGIN {imaphouse.USER} "{imaphouse.PASSWORD}"')
        assert (session.failed_logins, session.connection.slow) == (0, False)
        other = house.connect()
        session = house.sessions[1]
        await other.line()
        for _ in range(2):
            await other.command("AUTHENTICATE PLAIN AA==", expect=b"NO")
        await other.send(b"x AUTHENTICATE PLAIN AA==\r\n")
        await settled()
        assert (session.failed_logins, session.connection.slow) == (3, True)


async def test_sasl_error_of_the_door_is_an_outcome(tmp_path: Path) -> None:
    def no_base64(_: bytes) -> bytes:
        raise SASLError(Fault.ENCODING, "not base64")

    async with opened(tmp_path) as house:
        assert await why_not(authenticate(house.app, "SCRAM-SHA-256", no_base64)) is Why.ENCODING
