"""Tokens in subjects: from the refusal that offers one to the message that comes again with it."""

import re
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from appliance.base.ids import SystemRandom
from appliance.config.domains import SubjectPass
from appliance.config.values import Duration
from appliance.delivery import passes
from appliance.delivery.decide import Token
from appliance.delivery.receive import msg_from
from appliance.mail import words
from appliance.mail.address import parse_address
from appliance.store import account as accounts, prepare, subjectpass
from appliance.store.problems import StorageFull
from support.clock import StandingClock
from support.stores import add_account, open_store

BOB, EVE = parse_address("bob@example.com"), parse_address("eve@example.com")
US, OTHER = "alice@example.org", "sales@example.org"
PERIOD = SubjectPass(period=Duration("12h"))
OFF = SubjectPass()


@pytest.fixture
def app(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        add_account(store)
        yield SimpleNamespace(store=store, clock=clock, random=SystemRandom())


def alice(app):
    with app.store.read() as tx:
        return tx.account_id("alice")


async def token_for(app, sender=BOB, address=US) -> str:
    """What a person would find in the bounce."""
    text = await passes.offer(app, account=alice(app), address=address, sender=sender)
    assert text.isascii()
    assert len(f"550 5.7.1 {text}\r\n") <= 512
    return re.search(r"\(pass:[^)]+\)", text)[0]


def look(app, subject, sender=BOB, settings=PERIOD, address=US):
    return passes.look(app, settings, account=alice(app), address=address, sender=sender, subject=subject)


def tampered(token: str) -> str:
    return token[:12] + ("A" if token[12] != "A" else "B") + token[13:]


@pytest.mark.parametrize(
    ("subject", "options", "later", "expected"),
    [
        pytest.param("Hello", {}, 0, Token.ABSENT, id="none"),
        pytest.param("Re: Hello {token}", {}, 60, Token.VALID, id="sent again"),
        pytest.param("{token}", {"sender": EVE}, 60, Token.ABSENT, id="other From"),
        pytest.param("{token}", {"sender": None}, 60, Token.ABSENT, id="not one From"),
        pytest.param("{token}", {"address": OTHER}, 60, Token.ABSENT, id="to another address"),
        pytest.param("{tampered}", {}, 60, Token.ABSENT, id="tampered with"),
        pytest.param("{token}", {}, 12 * 3600, Token.VALID, id="late"),
        pytest.param("{token}", {}, 24 * 3600, Token.ABSENT, id="expired by a period"),
        pytest.param("{token}", {"settings": OFF}, 60, Token.OFF, id="switched off"),
        pytest.param("{token}", {"settings": SubjectPass(period=Duration("0s"))}, 60, Token.OFF, id="no time at all"),
    ],
)
async def test_what_it_is_worth(app, subject, options, later, expected):
    token = await token_for(app)
    app.clock.move(later)
    assert look(app, subject.format(token=token, tampered=tampered(token)), **options) is expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(b"From: bob@example.com\r\nSubject: Hello\r\n %s\r\n", Token.VALID, id="folded"),
        pytest.param(
            b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= %s\r\nFrom: Bob <bob@example.com>\r\n", Token.VALID, id="word"
        ),
        pytest.param(
            b"From: bob@example.com, eve@example.com\r\nSubject: %s\r\n", Token.ABSENT, id="two From addresses"
        ),
        pytest.param(b"From: bob@example.com\r\nFrom: eve@example.com\r\nSubject: %s\r\n", Token.ABSENT, id="two From"),
        pytest.param(b"From: bob@example.com\r\n", Token.ABSENT, id="no subject"),
    ],
)
@pytest.mark.parametrize("encoded", [False, True])
async def test_in_a_message(app, head, expected, encoded):
    token = (await token_for(app)).encode()
    if encoded:
        token = b" ".join(b"=?iso-8859-1?B?" + word + b"?=" for word in base64_of(token))
    octets = (head % token if b"%s" in head else head) + b"\r\n"
    content = prepare.content(app.store.spooled(octets), app.store.limits.prepare)
    assert look(app, passes.subject(content), sender=msg_from(content)) is expected


def base64_of(octets: bytes) -> list[bytes]:
    """In two words, as programs cut long subjects."""
    import base64

    return [base64.b64encode(octets[:10]), base64.b64encode(octets[10:])]


def test_a_long_subject_is_written_in_words_that_are_read():
    assert words.decode(words.encode("ü" * 60 + " (pass:x)")) == "ü" * 60 + " (pass:x)"


async def test_keys_are_made_once_for_each_address(app):
    async def key(address):
        await token_for(app, address=address)
        with app.store.read() as tx:
            return subjectpass.key(tx, alice(app), address)

    with app.store.read() as tx:
        assert subjectpass.key(tx, alice(app), US) is None
    assert look(app, "(pass:abc)") is Token.ABSENT
    first = await key(US)
    assert re.fullmatch(rb"[A-Za-z0-9]{16}", first)
    assert await key(US) == first
    assert await key(OTHER) != first
    assert app.store.write_sync(subjectpass.keep_key, alice(app), US, b"another0another0") == first


class Broken:
    """A store whose disk is full, or worse."""

    def __init__(self, store, *, reads: bool) -> None:
        self._store, self._reads = store, reads

    @contextmanager
    def read(self):
        if not self._reads:
            raise OSError("broken")
        with self._store.read() as tx:
            yield tx

    async def write(self, *_):
        raise StorageFull("full")


@pytest.mark.parametrize("reads", [True, False])
async def test_a_store_that_fails(app, reads):
    token = await token_for(app)
    broken = SimpleNamespace(store=Broken(app.store, reads=reads), clock=app.clock, random=app.random)
    assert passes.look(broken, PERIOD, account=alice(app), address=US, sender=BOB, subject=token) is (
        Token.VALID if reads else Token.FAILED
    )
    assert passes.look(broken, PERIOD, account=alice(app), address=US, sender=BOB, subject="hi") is Token.ABSENT
    assert await passes.offer(broken, account=alice(app), address=OTHER, sender=BOB) is None


async def test_keys_go_with_the_account(app):
    account = alice(app)
    await token_for(app)
    app.store.write_sync(accounts.begin_removal, "alice")
    assert await passes.offer(app, account=account, address=OTHER, sender=BOB) is None
    while not app.store.write_sync(accounts.remove_part, "alice", 10):
        pass
    with app.store.read() as tx:
        assert subjectpass.key(tx, account, US) is None


def test_a_wrong_key_is_found(app):
    app.store.write_sync(subjectpass.keep_key, alice(app), US, b"short")
    (wrong,) = app.store.verify()
    assert "subjectpass" in wrong
    app.store.write_sync(accounts.begin_removal, "alice")
