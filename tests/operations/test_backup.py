"""Backups: whole or not there, and nothing is ever overwritten."""

import json
import shutil
import socket

import pytest
import trio

from appliance.base.problem import Problem
from appliance.operations import backup, backupcommand, restoring
from appliance.operations.backup import BackupExists, BackupFailed, Told, Wish
from appliance.operations.restoring import NotRestored, Places
from appliance.store import account as accounts, copying, lastbackup, mailbox, message, upgrade
from appliance.store.copying import CopyLimits
from appliance.store.problems import CopyFailed
from appliance.store.tables import Table
from support.clock import StandingClock
from support.imaphouse import STATIC, open_house
from support.stores import add_account, new_message, open_store


class Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []

    async def __call__(self, told: Told) -> None:
        self.lines += told.lines
        self.warnings += told.warnings


def quiet(_: str) -> None:
    pass


async def made(house, path, **wish) -> backup.Made:
    return await backup.make(house.app, Wish(path, **wish), Heard())


def tree(folder) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


async def test_what_is_restored_is_what_there_was(tmp_path):
    async with open_house(tmp_path / "house") as house:
        folder = house.app.config.snapshot().directory
        (folder / "acme").mkdir()
        (folder / "acme" / "host.key").write_text("secret")
        (folder / "acme" / "host.key").chmod(0o600)
        (folder / "link").symlink_to("acme/host.key")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(folder / "odd"))
            heard = Heard()
            await backup.make(house.app, Wish(tmp_path / "b"), heard)
        assert [one for one in heard.warnings if "odd" in one] == heard.warnings != []
        assert "data/acme/host.key" in heard.lines
        await house.deliver()
        assert backup.last_success.labels().value == house.app.clock.microseconds() / 1e6
    assert restoring.rehearse(tmp_path / "b", quiet) == []
    assert not (tmp_path / "b" / "data" / "store" / "lock.mdb").exists()
    before = tree(tmp_path / "b")
    target = tmp_path / "new" / "moxpy.toml"
    where = restoring.places(tmp_path / "b", target)
    assert where == Places(None, tmp_path / "new")
    assert restoring.restore(tmp_path / "b", where, StandingClock(), quiet) == []
    assert tree(tmp_path / "b") == before
    assert (tmp_path / "new" / "acme" / "host.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new" / "link").is_symlink()
    with open_store(tmp_path / "new") as store, store.read() as tx:
        assert "alice" in accounts.names(tx)
        assert not mailbox.by_name(tx, house.account, "Inbox").total
    with pytest.raises(NotRestored, match="nothing is overwritten"):
        restoring.restore(tmp_path / "b", where, StandingClock(), quiet)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["b", "house", "new"]


@pytest.mark.parametrize("data_dir", ["../data", "data", "/elsewhere"])
async def test_configuration_and_data_apart(tmp_path, data_dir):
    """Where the operator put them: beside each other, one in the other, anywhere."""
    data_dir = data_dir.replace("/elsewhere", str(tmp_path / "elsewhere"))
    async with open_house(tmp_path / "house") as house:
        folder = house.app.config.snapshot().directory
        await made(house, tmp_path / "b")
    # As a house with such a data_dir would have been saved.
    saved = tmp_path / "b"
    (saved / "config").mkdir()
    for name in ("moxpy.toml", "domains.toml"):
        shutil.move(saved / "data" / name, saved / "config" / name)
    static = saved / "config" / "moxpy.toml"
    static.write_text(static.read_text().replace('data_dir = "."', f'data_dir = "{data_dir}"'))
    where = restoring.places(saved, tmp_path / "new" / "config" / "moxpy.toml")
    assert restoring.restore(saved, where, StandingClock(), quiet) == []
    assert (tmp_path / "new" / "config" / "domains.toml").read_text() == (folder / "domains.toml").read_text()
    with open_store(tmp_path / "new" / "config" / data_dir):
        pass


async def test_a_backup_that_is_being_made_does_not_look_like_one(tmp_path):
    async with open_house(tmp_path / "house") as house:
        begun = trio.Event()

        async def wait(_: Told) -> None:
            begun.set()
            await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(backup.make, house.app, Wish(tmp_path / "b"), wait)
            await begun.wait()
            assert not (tmp_path / "b").exists()
            with pytest.raises(NotRestored, match="no finished backup"):
                restoring.open_backup(tmp_path / "b.partial")
            with pytest.raises(BackupFailed, match="another backup"):
                await made(house, tmp_path / "b")
            shutil.copytree(tmp_path / "b.partial", tmp_path / "killed")
            nursery.cancel_scope.cancel()
        assert sorted(one.name for one in tmp_path.iterdir()) == ["house", "killed"]
        # What a kill left is taken away by the next one.
        (tmp_path / "killed").rename(tmp_path / "b.partial")
        await made(house, tmp_path / "b")
        assert sorted(one.name for one in tmp_path.iterdir()) == ["b", "house"]


async def test_nothing_is_overwritten(tmp_path):
    async with open_house(tmp_path / "house") as house:
        for name in ("b", "c.partial"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "mine").write_text("mine")
        for name in ("b", "c"):
            with pytest.raises(BackupExists):
                await made(house, tmp_path / name)
        for inside in ("backup", ".", "store/x"):
            with pytest.raises(Problem):
                await made(house, house.app.config.snapshot().data_directory / inside)
        assert (tmp_path / "b" / "mine").exists()
        assert (tmp_path / "c.partial" / "mine").exists()


async def test_the_newest_are_kept(tmp_path):
    async with open_house(tmp_path / "house") as house:
        (tmp_path / "all").mkdir()
        (tmp_path / "all" / "moxpy-other").mkdir()
        (tmp_path / "all" / "moxpy-20200101-000000").mkdir()  # Not one of ours: it has no word about itself.
        names = []
        for _ in range(4):
            house.app.clock.move(60)
            one = await made(house, tmp_path / "all", keep=2)
            names.append(one.path.name)
        assert [path.name for path in one.removed] == [names[1]]
        found = sorted(path.name for path in (tmp_path / "all").iterdir())
        assert found == sorted([*names[2:], "moxpy-other", "moxpy-20200101-000000"])


async def test_what_cannot_be_read_is_named(tmp_path, monkeypatch):
    async with open_house(tmp_path / "house") as house:
        folder = house.app.config.snapshot().directory
        (folder / "secret").write_text("x")

        def refuse(self, source, target, copy=backup._Maker._copy_file):
            if source.name == "secret":
                raise PermissionError(13, "Permission denied")
            copy(self, source, target)

        monkeypatch.setattr(backup._Maker, "_copy_file", refuse)
        one = await made(house, tmp_path / "b")
        assert [path.name for path in one.missing] == ["secret"]
    (problem,) = restoring.rehearse(tmp_path / "b", quiet)
    assert "secret is missing" in problem


async def test_damage_is_found(tmp_path):
    async with open_house(tmp_path / "house") as house:
        await made(house, tmp_path / "b")
    path = tmp_path / "b" / "data" / "store" / "data.mdb"
    octets = bytearray(path.read_bytes())
    octets[-1] ^= 1
    path.write_bytes(octets)
    assert "damaged" in restoring.rehearse(tmp_path / "b", quiet)[0]
    where = restoring.places(tmp_path / "b", tmp_path / "new" / "moxpy.toml")
    assert "damaged" in restoring.restore(tmp_path / "b", where, StandingClock(), quiet)[0]
    manifest = json.loads((tmp_path / "b" / "backup.json").read_text())
    (tmp_path / "b" / "backup.json").write_text(json.dumps(manifest | {"form": 2}))
    with pytest.raises(NotRestored, match="newer program"):
        restoring.rehearse(tmp_path / "b", quiet)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["b", "house"]


async def test_a_backup_of_an_older_version_is_upgraded_where_it_is_put(tmp_path):
    async with open_house(tmp_path / "house") as house:
        house.store.write_sync(lambda tx: tx.put(Table.META, b"schema version", b"1"))
        await made(house, tmp_path / "b")
        house.store.write_sync(upgrade._set_version, len(upgrade.STEPS) + 1)
    said: list[str] = []
    assert restoring.rehearse(tmp_path / "b", said.append) == []
    assert "older version" in said[-1]
    where = restoring.places(tmp_path / "b", tmp_path / "new" / "moxpy.toml")
    assert restoring.restore(tmp_path / "b", where, StandingClock(), quiet) == []
    with open_store(tmp_path / "new") as store, store.read() as tx:
        assert upgrade.version(tx) == len(upgrade.STEPS) + 1


@pytest.mark.parametrize("compact", [False, True])
def test_a_copy_is_one_snapshot(tmp_path, monkeypatch, compact):
    monkeypatch.setattr(copying, "PIECE_OCTETS", 4096)
    monkeypatch.setattr(copying, "SYNC_OCTETS", 4096)
    with open_store(tmp_path / "a") as store:
        account = add_account(store)
        with store.read() as tx:
            inbox = tx.mailboxes(account)[0].id
        for _ in range(20):
            store.write_sync(message.add, account, inbox, new_message(store, b"Subject: x\r\n\r\n" + b"y" * 20_000))
        heard: list[tuple[int, int]] = []

        def hear(done: int, all_octets: int) -> None:
            heard.append((done, all_octets))
            if len(heard) % 3 == 0:
                store.write_sync(message.add, account, inbox, new_message(store))
                store.write_sync(message.expunge, account, inbox, [len(heard) // 3])

        copied = store.copy(tmp_path / "b", compact=compact, hear=hear)
        assert heard[-1] == (copied.octets, copied.octets)
        assert len(heard) > 20
    with open_store(tmp_path / "b") as store, store.read() as tx:
        assert [uid for uid, _ in message.rows(tx, account, inbox)] == list(range(1, 21))


def test_a_copy_for_which_the_store_would_grow_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(copying, "PIECE_OCTETS", 4096)
    monkeypatch.setattr(copying, "SYNC_OCTETS", 4096)
    with open_store(tmp_path / "a") as store:
        octets = 200_000

        def hear(done: int, all_octets: int) -> None:
            store.write_sync(lambda tx: tx.put(Table.META, b"filler %d" % done, b"x" * octets))

        env = store._environment.env
        for number in range(10):
            store.write_sync(lambda tx, n=number: tx.put(Table.META, b"filler %d" % n, b"x" * octets))
        limits = CopyLimits(growth_octets=500_000, stall_seconds=60)
        with pytest.raises(CopyFailed, match="grew"):
            copying.copy(env, tmp_path / "b", compact=False, limits=limits, hear=hear)


def program(tmp_path, text):
    path = tmp_path / "after"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


async def test_a_program_is_run_after_each_backup(tmp_path, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/ours")
    after = program(
        tmp_path, f'echo "$1 $MOXPY_BACKUP $2 $LD_LIBRARY_PATH" > {tmp_path}/told; test -f "$2/backup.json"'
    )
    async with open_house(tmp_path / "house", static=f'backup_command = ["{after}", "-x"]\n{STATIC}') as house:
        one = await made(house, tmp_path / "b")
        assert one.command_problem == ""
        assert (tmp_path / "told").read_text() == f"-x {tmp_path / 'b'} {tmp_path / 'b'} \n"
        assert backup.last_success.labels().value == house.app.clock.microseconds() / 1e6


@pytest.mark.parametrize(("text", "problem"), [
    ("echo first; echo no space left >&2; exit 3", "exit code 3: no space left"),
    ("kill -9 $$", "ended by a signal, or too slow"),
    (None, "No such file or directory"),
])  # fmt: skip
async def test_one_that_fails_leaves_the_backup_and_does_not_count(tmp_path, text, problem):
    after = program(tmp_path, text) if text else tmp_path / "none"
    async with open_house(tmp_path / "house", static=f'backup_command = ["{after}"]\n{STATIC}') as house:
        house.app.clock.move(1000)
        one = await made(house, tmp_path / "b")
        assert one.command_problem == f"{after}: {problem}"
        assert backup.last_success.labels().value != house.app.clock.microseconds() / 1e6
        with house.store.read() as tx:
            assert lastbackup.when(tx) is None
    assert restoring.rehearse(tmp_path / "b", quiet) == []


async def test_one_that_does_not_end_is_ended(tmp_path):
    after = program(tmp_path, "exec sleep 1000")
    began = trio.current_time()
    assert "too slow" in await backupcommand.run([str(after)], tmp_path / "b", seconds=0.1)
    with trio.move_on_after(0.1):
        await backupcommand.run([str(after)], tmp_path / "b")
    assert trio.current_time() - began < 30
