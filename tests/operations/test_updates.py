"""Newer versions: announced in the DNS, told of by a changelog that its makers have signed, and put before the postmaster."""

import base64
import io
import json
import sys
from ipaddress import ip_address

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, strategies as st

from appliance import __version__
from appliance.base.clock import SystemClock
from appliance.cli import main
from appliance.config.static import UpdateFeed
from appliance.config.values import DomainName, WebURL
from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.net.http import Client
from appliance.operations import attention, health, hostfacts, updates, versions
from appliance.operations.updates import NotKnown
from appliance.operations.versions import Version
from appliance.store import mailbox, message, updates as stored
from appliance.store.records import Flag
from support.authority import Authority
from support.smtphouse import STATIC, open_house
from support.webserver import response, web_server

AUTHORITY = Authority()
PAIR = AUTHORITY.key_pair("updates.example")
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
DOMAINS = '[domains."example.org"]\n[accounts.alice.destinations]\n"alice@example.org" = {}\n'


def change(version, text="- better\n", key=KEY):
    return updates.signed(key, f"Version: {version}\nDate: 2026-12-01\n\n{text}")


def changelog(*changes) -> bytes:
    return json.dumps(
        {"Changes": [{"PubKey": one.pub_key, "Sig": one.sig, "Text": one.text} for one in changes]}
    ).encode()


def resolver(*texts) -> Resolver:
    return Resolver(
        Table({
            "_updates.feed.example": {Type.TXT: list(texts)},
            "updates.example": {Type.A: [ip_address("127.0.0.1")]},
        })
    )  # fmt: skip


def feed(port: int) -> UpdateFeed:
    url = WebURL(f"https://updates.example:{port}/changelog.json")
    return UpdateFeed(domain=DomainName("feed.example"), url=url, public_key=PUBLIC)


def client(names: Resolver) -> Client:
    return hostfacts.web_client(names, AUTHORITY.roots, SystemClock(), "updates")


async def look(texts, *answers):
    names = resolver(*texts)
    async with web_server(PAIR, *answers) as server:
        try:
            return await updates.look(feed(server.port), names, client(names), None), server
        except NotKnown as problem:
            return problem, server


async def test_a_newer_one():
    log = changelog(change("v0.2.0"), change("v0.3.0", "- best\n"), change(f"v{__version__}"), change("v0.0.1"))
    found, server = await look(["other", "v=UPDATES0; l=v0.3.0"], response(log))
    assert (str(found.current), str(found.latest), found.is_newer) == (f"v{__version__}", "v0.3.0", True)
    assert [str(one.version) for one in found.changes] == ["v0.3.0", "v0.2.0"]
    assert server.requests[0].startswith(f"GET /changelog.json?from=v{__version__} HTTP/1.1".encode())


async def test_nothing_is_fetched_where_there_is_nothing_new():
    found, server = await look([f"v=UPDATES0; l=v{__version__}"], response(b"x"))
    assert (found.is_newer, found.changes, server.requests) == (False, (), [])


@pytest.mark.parametrize(("texts", "answer", "problem"), [
    pytest.param(["v=UPDATES0; l=v9"], b"", "has 0 records of versions", id="no version"),
    pytest.param(["v=UPDATES0; l=v1.0.0", "v=UPDATES0; l=v2.0.0"], b"", "has 2 records", id="two"),
    pytest.param(["v=UPDATES0; l=v1.0.0"], response(b"", status="404 Not Found"), "answers 404", id="no changelog"),
    pytest.param(["v=UPDATES0; l=v1.0.0"], response(b"{"), "malformed", id="no JSON"),
    pytest.param(["v=UPDATES0; l=v1.0.0"], response(changelog()), "its changelog does not", id="empty"),
    pytest.param(["v=UPDATES0; l=v1.0.0"], response(changelog(change("v0.9.0"))), "its changelog does not", id="behind"),
    pytest.param(["v=UPDATES0; l=v1.0.0"], response(changelog(change("v1.0.0"), change("v0.9.0", key=OTHER))),
                 "another key", id="another key"),
    pytest.param(["v=UPDATES0; l=v1.0.0"],
                 response(changelog(change("v1.0.0")).replace(b"better", b"bitter")), "signature that is wrong", id="forged"),
    pytest.param(["v=UPDATES0; l=v1.0.0"], response(b"x" * 2_000_000), "updates.example", id="too long"),
    pytest.param(["v=UPDATES0; l=v1.0.0"], response(json.dumps({"Changes": [{"PubKey": PUBLIC, "Sig": "x", "Text": ""}]}).encode()),
                 "malformed", id="no signature"),
])  # fmt: skip
async def test_what_is_not_believed(texts, answer, problem):
    found, _ = await look(texts, answer)
    assert problem in str(found)


async def test_the_postmaster_is_told_once(tmp_path):
    async with web_server(PAIR, response(changelog(change("v1.0.0", "- grüße\n")))) as server:
        names = resolver("v=UPDATES0; l=v1.0.0")
        async with open_house(tmp_path, DOMAINS, resolver=names) as house:
            assert versions.newer(house.app) is None
            for _ in range(2):
                await updates.tell(house.app, feed(server.port), client(names))
            account, box = house.app.config.snapshot().static.postmaster.account, "Postmaster"
            with house.store.read() as tx:
                number = tx.account_id(account)
                ((_, row),) = message.rows(tx, number, mailbox.by_name(tx, number, box).id)
            assert row.flags & Flag.FLAGGED
            _, octets = house.last_message(f"{account}/{box}")
            assert b"Subject: moxpy v1.0.0 is there\r\n" in octets
            assert versions.newer(house.app) == Version("v1.0.0")
            found = attention.found(house.app, await health.health(house.app))
            assert "There is moxpy v1.0.0" in [one.title for one in found]


@pytest.mark.parametrize(("last", "seconds"), [
    (None, 60), (10**12, 86400), (10**12 - 3600 * 10**6, 82800), (10**12 - 10**11, 60), (10**12 + 1, 60),
])  # fmt: skip
def test_once_a_day_also_over_restarts(last, seconds):
    assert updates.pause_seconds(last, 10**12) == seconds


async def test_the_keeper_looks_and_remembers_it(tmp_path, monkeypatch):
    monkeypatch.setattr(updates, "FIRST_SECONDS", 0)
    looked = trio.Event()

    async def told(app, feed, client):
        looked.set()
        raise NotKnown("no")

    monkeypatch.setattr(updates, "tell", told)
    more = f'[update_feed]\ndomain = "feed.example"\nurl = "https://updates.example/c"\npublic_key = "{PUBLIC}"\n'
    async with open_house(tmp_path, DOMAINS, static=f"check_updates = true\n{STATIC}{more}") as house:
        house.nursery.start_soon(updates.keep, house.app, None)
        with trio.fail_after(60):
            await looked.wait()
        with house.store.read() as tx:
            assert stored.when(tx) == house.app.clock.microseconds()


@given(st.tuples(*[st.integers(0, 999)] * 3), st.tuples(*[st.integers(0, 999)] * 3))
def test_versions_have_an_order(one, other):
    first, second = (Version("v" + ".".join(map(str, numbers))) for numbers in (one, other))
    assert (first < second, first == second, first > second) == (one < other, one == other, one > other)
    assert Version(str(first)) == first


@pytest.mark.parametrize("text", ["", "v1", "1.2.3.4", "v1.2.x", "v-1.2.3", "v1.2.3-rc1"])
def test_no_versions(text):
    with pytest.raises(ValueError, match="no version"):
        Version(text)


def test_a_feed_of_ones_own(tmp_path, capsys, monkeypatch):
    def run(*words, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = main.run(["moxpy", "updates", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    key, log = tmp_path / "key", tmp_path / "changelog.json"
    key.write_text(run("genkey")[1])
    public = run("pubkey", stdin=key.read_text())[1].strip()
    for version in ("v1.0.0", "v1.1.0"):
        text = f"Version: {version}\nDate: 2026-12-0{version[3]}\n\n- better\n"
        code, out, _ = run("addsigned", str(key), str(log), stdin=text)
        assert (code, f'"v=UPDATES0; l={version}"' in out) == (main.OK, True)
    assert run("addsigned", str(key), str(log), stdin="no version")[0] == main.FAILED
    assert run("verify", public, str(log))[1] == "v1.1.0\t2026-12-01\nv1.0.0\t2026-12-00\n"
    assert "another key" in run("verify", PUBLIC, str(log))[2]
    assert "No such file" in run("verify", PUBLIC, str(tmp_path / "none"))[2]
    assert run("serve", "--address", "x", str(log))[0] == main.USAGE


def test_checkupdate_without_a_feed(tmp_path, capsys):
    (tmp_path / "moxpy.toml").write_text(STATIC)
    (tmp_path / "domains.toml").write_text(DOMAINS)
    assert main.run(["moxpy", "checkupdate", "--config", str(tmp_path / "moxpy.toml")]) == main.FAILED
    assert f"this is moxpy v{__version__}; where newer ones" in capsys.readouterr().err
