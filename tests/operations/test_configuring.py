"""Verbs that change the configuration: all or nothing, whatever happens meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from appliance.config.values import AddressName, DomainName
from appliance.operations import accounts, aliases, configuring, domains
from appliance.operations.accounts import StillThere
from appliance.operations.actor import Actor
from appliance.operations.configuring import BadName, Exists, FileRefused, InUse, NoSuchAddress, NoSuchDomain, NotValid
from appliance.store import account as records, tlskeys
from appliance.store.problems import NoSuchAccount
from appliance.store.records import TLSPublicKey
from appliance.store.tables import AccountID
from support.smtphouse import House, open_house

DOMAINS = """\
[domains."example.org"]
localpart_catchall_separators = ["+"]
[domains."example.org".aliases.team]
addresses = ["bob@example.org", "carol@other.example"]
[domains."other.example"]
[domains."other.example".aliases.lonely]
addresses = ["carol@other.example"]
[accounts.alice.destinations]
"alice@example.org" = {}
[accounts.bob]
fromid_login_addresses = ["bob@example.org"]
[accounts.bob.destinations]
"bob@example.org" = {}
[accounts.carol]
domain = "other.example"
[accounts.carol.destinations]
"carol@other.example" = { mailbox = "Work" }
"carol@example.org" = {}
"@other.example" = {}
"""
EVE = AddressName("eve@example.org")
OTHER, NEW = DomainName("other.example"), DomainName("new.example")
TEAM = AddressName("team@example.org")


@asynccontextmanager
async def house_with_keeper(folder: Path) -> AsyncIterator[House]:
    async with open_house(folder, DOMAINS) as house:
        house.nursery.start_soon(accounts.remove_forever, house.app)
        yield house


def text(house: House) -> str:
    """The file, but for empty lines."""
    written = house.app.config.snapshot().domains_file.read_text()
    return "".join(line for line in written.splitlines(keepends=True) if line.strip())


async def gone(house: House, name: str) -> None:
    """Wait until nothing of an account is stored."""
    with trio.fail_after(60):
        while True:
            with house.store.read() as tx:
                if tx.account_id(name) is None:
                    return
            await trio.lowlevel.checkpoint()


async def test_an_account_comes_and_goes(tmp_path):
    async with house_with_keeper(tmp_path) as house:
        app = house.app
        await accounts.add(app, "eve", EVE)
        with house.store.read() as tx:
            first = tx.account_id("eve")
            assert {box.name for box in tx.mailboxes(first)} >= {"Inbox", "Sent"}
        new = app.config.snapshot().domains.accounts["eve"]
        assert (new.rejects_mailbox, new.junk_filter is not None, new.no_custom_password) == ("Rejects", True, True)
        with pytest.raises(Exists):
            await accounts.add(app, "eve", AddressName("eve2@example.org"))
        await accounts.remove(app, "eve")
        await gone(house, "eve")
        await accounts.add(app, "eve", EVE)
        with house.store.read() as tx:
            assert tx.account_id("eve") != first
        await accounts.remove(app, "eve")
        with pytest.raises(NoSuchAccount):
            await accounts.remove(app, "eve")
        assert text(house) == DOMAINS


async def test_mail_of_a_former_account_is_nobody_elses(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:  # no keeper: removal does not go on
        app = house.app
        await accounts.add(app, "eve", EVE)
        await accounts.remove(app, "eve")
        with pytest.raises(StillThere, match="still being removed"):
            await accounts.add(app, "eve", EVE)
        with pytest.raises(StillThere, match="still being removed"):
            await domains.add(app, NEW, "eve", "eve", disabled=False)
        while not await house.store.write(records.remove_part, "eve", 1):
            pass
        await accounts.add(app, "eve", EVE)
        # Taken out of the file by hand: kept until somebody says so.
        file = app.config.snapshot().domains_file
        file.write_text(DOMAINS)
        with pytest.raises(StillThere, match=r"which domains\.toml lacks"):
            await accounts.add(app, "eve", EVE)
        await accounts.remove(app, "eve")
        with house.store.read() as tx:
            assert tx.account(tx.account_id("eve")).removed


async def test_removal_goes_on_where_it_stopped(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        await accounts.add(house.app, "eve", EVE)
        await accounts.remove(house.app, "eve")
        for _ in range(3):
            assert not await house.store.write(records.remove_part, "eve", 1)
    (tmp_path / "domains.toml").unlink()
    async with house_with_keeper(tmp_path) as house:
        await gone(house, "eve")


@pytest.mark.parametrize(
    ("verb", "problem", "words"),
    [
        pytest.param(lambda app: accounts.add(app, "a/b", EVE), BadName, "slash", id="account name"),
        pytest.param(
            lambda app: accounts.add(app, "eve", AddressName("e@none.example")), NotValid, "none.example is not", id="domain"
        ),
        pytest.param(
            lambda app: accounts.add(app, "eve", AddressName("team@example.org")), NotValid, "is the same address", id="alias"
        ),
        pytest.param(lambda app: accounts.remove(app, "alice"), NotValid, 'no account "alice"', id="postmaster"),
        pytest.param(lambda app: accounts.remove(app, "carol"), InUse, "lonely@other.example", id="last member"),
        pytest.param(lambda app: accounts.remove(app, "nobody"), NoSuchAccount, "nobody", id="no account"),
        pytest.param(lambda app: accounts.disable(app, "nobody", "x"), NoSuchAccount, "nobody", id="disable nobody"),
        pytest.param(lambda app: accounts.disable(app, "bob", "\u00fc"), BadName, "message", id="message"),
        pytest.param(lambda app: accounts.add_address(app, "bob", "@other.example"), NotValid, "catch-all", id="catch-all"),
        pytest.param(lambda app: accounts.remove_address(app, EVE), NoSuchAddress, "eve", id="nobody's address"),
        pytest.param(lambda app: accounts.remove_address(app, "@example.org"), NoSuchAddress, "@", id="no catch-all"),
        pytest.param(
            lambda app: accounts.remove_address(app, AddressName("carol@other.example")), InUse, "lonely", id="last of alias"
        ),
        pytest.param(lambda app: aliases.add(app, EVE, []), NotValid, "at least one member", id="no members"),
        pytest.param(
            lambda app: aliases.add(app, AddressName("x@none.example"), [EVE]), NoSuchDomain, "none.example", id="no domain"
        ),
        pytest.param(lambda app: aliases.add_members(app, TEAM, [EVE]), NotValid, "eve@example.org", id="no such member"),
        pytest.param(lambda app: aliases.remove(app, EVE), NoSuchAddress, "no alias eve", id="no alias"),
        pytest.param(lambda app: domains.remove(app, NEW), NoSuchDomain, "new.example", id="no such domain"),
        pytest.param(lambda app: domains.add(app, OTHER, "bob", None, disabled=False), Exists, "other", id="domain exists"),
        pytest.param(
            lambda app: domains.add(app, NEW, "carol", "carol", disabled=False), Exists, "leave out", id="account exists"
        ),
        pytest.param(lambda app: domains.add(app, NEW, "eve", None, disabled=False), BadName, "localpart", id="no account"),
        pytest.param(
            lambda app: domains.add(app, NEW, "eve", "e+x", disabled=False), NotValid, "separator", id="localpart"
        ),
    ],
)  # fmt: skip
async def test_what_is_refused_leaves_no_trace(tmp_path, verb, problem, words):
    async with open_house(tmp_path, DOMAINS) as house:
        before = house.app.config.snapshot()
        with pytest.raises(problem, match=words):
            await verb(house.app)
        assert text(house) == DOMAINS
        assert house.app.config.snapshot() is before
        assert [path for path in tmp_path.glob("dkim/*") if path.is_file()] == []
        with house.store.read() as tx:
            assert set(records.names(tx)) == {"alice", "bob", "carol"}


async def test_a_domain_comes_and_goes(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        app = house.app
        await domains.add(app, NEW, "bob", None, disabled=True)
        config = app.config.snapshot()
        new = config.domains.domains["new.example"]
        assert (new.disabled, new.dmarc.account, len(new.dkim.selectors)) == (True, "bob", 3)
        assert "postmaster@new.example" in config.domains.accounts["bob"].destinations
        for selector in new.dkim.selectors.values():
            assert (tmp_path / selector.private_key_file).stat().st_mode & 0o007 == 0
            assert b"BEGIN PRIVATE KEY" in (tmp_path / selector.private_key_file).read_bytes()
        assert await domains.remove(app, NEW) == ["postmaster@new.example"]
        assert len(list((tmp_path / "dkim" / "old").iterdir())) == 3
        assert text(house) == DOMAINS


async def test_a_domain_goes_with_what_is_in_it(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        app = house.app
        assert sorted(await domains.remove(app, OTHER)) == ["@other.example", "carol@other.example"]
        config = app.config.snapshot()
        assert list(config.domains.accounts["carol"].destinations) == ["carol@example.org"]
        assert config.domains.accounts["carol"].domain is None
        assert [str(one) for one in aliases.get(app, TEAM).addresses] == ["bob@example.org"]
        with pytest.raises(InUse, match=r"team@example\.org"):
            await accounts.remove_address(app, AddressName("bob@example.org"))


async def test_an_address_goes_from_where_it_is_named(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        app = house.app
        assert await accounts.remove_address(app, AddressName("BOB+x@example.org")) == ("bob", ["team@example.org"])
        assert app.config.snapshot().domains.accounts["bob"].fromid_login_addresses == ()


async def test_keys_hold_on_to_their_address(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        app = house.app
        with house.store.read() as tx:
            carol = tx.account_id("carol")
        for number, address in enumerate(("any@other.example", "carol+phone@example.org")):
            key = TLSPublicKey(0, "ed25519", "phone", False, b"", carol, address)
            await house.store.write(tlskeys.add, bytes([number]) * 32, key, most=10)
        for verb in (
            lambda: accounts.remove_address(app, "@other.example"),
            lambda: accounts.remove_address(app, AddressName("carol@example.org")),
            lambda: domains.remove(app, OTHER),
        ):
            with pytest.raises(InUse, match="TLS public keys log in with"):
                await verb()
        assert text(house) == DOMAINS
        for number in range(2):
            await house.store.write(tlskeys.remove, bytes([number]) * 32)


async def test_a_file_with_errors_is_left_alone(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        broken = DOMAINS + "nonsense = 3\n"
        house.app.config.snapshot().domains_file.write_text(broken)
        with pytest.raises(FileRefused, match="has errors, mend it first"):
            await accounts.add(house.app, "eve", EVE)
        assert text(house) == broken


async def test_changes_at_once_all_land(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(accounts.add, house.app, f"user{number}", AddressName(f"user{number}@example.org"))
        assert len(house.app.config.snapshot().domains.accounts) == 11
        with house.store.read() as tx:
            assert len(records.names(tx)) == 11


async def test_a_cancelled_verb_is_whole(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        with trio.CancelScope() as scope:
            house.nursery.start_soon(_cancel_soon, scope)
            await accounts.add(house.app, "eve", EVE)
        with house.store.read() as tx:
            assert (tx.account_id("eve") is not None) == ("eve" in house.app.config.snapshot().domains.accounts)


async def _cancel_soon(scope: trio.CancelScope) -> None:
    await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_names_as_people_type_them():
    assert str(configuring.address_of("a@xn--bcher-kva.example")) == "a@bücher.example"
    assert configuring.domain_of("BÜCHER.example") == "bücher.example"
    for wrong in ("a", "a@", "@a.example", "a b@c.example"):
        with pytest.raises(BadName, match="is not an address"):
            configuring.address_of(wrong)
    for wrong in ("", "a..b", "a b"):
        with pytest.raises(BadName, match="is not a domain"):
            configuring.domain_of(wrong)


async def test_edits_by_hand_are_followed(tmp_path):
    class Guest:
        actor, expelled = Actor(AccountID(1), "bob", "bob@example.org"), False

        def expel(self) -> None:
            self.expelled = True

    async with open_house(tmp_path, DOMAINS) as house:
        app, guest = house.app, Guest()
        app.sessions.enter(guest)
        file = app.config.snapshot().domains_file
        file.write_text(DOMAINS + '[accounts.dan.destinations]\n"dan@example.org" = {}\n')
        await trio.to_thread.run_sync(app.config.reload)
        await accounts.follow(app)
        with house.store.read() as tx:
            assert tx.account_id("dan") is not None
        assert not guest.expelled
        file.write_text(DOMAINS.replace("[accounts.bob]", '[accounts.bob]\nlogin_disabled = "no"'))
        await trio.to_thread.run_sync(app.config.reload)
        await accounts.follow(app)
        assert guest.expelled
        app.sessions.leave(guest)
