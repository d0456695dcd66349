import logging
import os
import threading
from pathlib import Path

import pytest

from appliance.config import source as source_module
from appliance.config.edit import get_value, remove, set_value
from appliance.config.errors import ChangeRefused, ConfigErrors
from appliance.config.files import FileChanged
from appliance.config.source import ConfigSource
from support.exampleconfig import load_example


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(directory: Path, clock: Clock) -> ConfigSource:
    return ConfigSource(directory / "moxpy.toml", load_example(directory), monotonic=clock)


def write(source: ConfigSource, old: str, new: str) -> None:
    """Edit by hand, with a time of change that differs for certain."""
    file = source.snapshot().domains_file
    before = file.stat()
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))


def name_of_bob(name: str):  # type: ignore[no-untyped-def]
    return lambda document: set_value(document, ("accounts", "bob", "full_name"), name)


def test_poll_sees_an_edit_within_a_second(
    source: ConfigSource, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    old = source.snapshot()
    clock.now += 1
    assert source.poll() is False
    write(source, 'full_name = "Alice"', 'full_name = "Alicia"')
    clock.now += 0.9
    assert source.poll() is False
    clock.now += 0.1
    with caplog.at_level(logging.INFO, "moxpy.config"):
        assert source.poll() is True
    assert (old.domains.accounts["alice"].full_name, source.snapshot().domains.accounts["alice"].full_name) == (
        "Alice",
        "Alicia",
    )
    assert source.version == 2
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert source.snapshot().static is old.static


def test_a_bad_edit_leaves_the_old_state_and_is_told_once(
    source: ConfigSource, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    old = source.snapshot()
    write(source, "rare_words = 2", "rare_words = -2")
    told = []
    for step in (1, 1, 40, 40, 600, 1):
        caplog.clear()
        clock.now += step
        assert source.poll() is False
        told.append(len(caplog.records))
    assert told == [1, 0, 0, 0, 1, 0]
    assert source.snapshot() is old
    write(source, "top_words = 10", "top_words = -1")
    caplog.clear()
    clock.now += 1
    source.poll()
    assert len(caplog.records) == 2


def test_a_missing_file_leaves_the_old_state(source: ConfigSource, clock: Clock) -> None:
    source.snapshot().domains_file.unlink()
    clock.now += 1
    assert source.poll() is False
    with pytest.raises(ConfigErrors):
        source.reload()
    with pytest.raises(ChangeRefused):
        source.change(name_of_bob("Bob"))


def test_change(source: ConfigSource) -> None:
    file = source.snapshot().domains_file
    file.chmod(0o640)
    before = file.read_text().splitlines()
    config = source.change(name_of_bob("Bob"))
    assert config is source.snapshot()
    assert config.domains.accounts["bob"].full_name == "Bob"
    assert set(file.read_text().splitlines()) - set(before) == {'full_name = "Bob"'}
    assert file.stat().st_mode & 0o777 == 0o640
    assert source.version == 2
    assert load_example(file.parent).domains == config.domains


def test_nothing_changed_writes_nothing(source: ConfigSource) -> None:
    file = source.snapshot().domains_file
    before = (file.stat(), file.read_bytes())
    source.change(lambda document: None)
    assert (file.stat(), file.read_bytes()) == before
    assert source.version == 1


def test_an_invalid_change_leaves_no_trace(source: ConfigSource) -> None:
    file, old = source.snapshot().domains_file, source.snapshot()
    before = file.read_bytes()
    with pytest.raises(ConfigErrors, match="rejects_mailbox: must not be Inbox"):
        source.change(lambda document: set_value(document, ("accounts", "bob", "rejects_mailbox"), "Inbox"))
    with pytest.raises(ZeroDivisionError):
        source.change(lambda document: 1 // 0)
    assert (file.read_bytes(), source.snapshot(), source.version) == (before, old, 1)


def test_changes_are_judged_more_strictly(source: ConfigSource) -> None:
    path = ("domains", "example.org", "dmarc", "localpart")
    write(source, "dmarcreports", "dmarc+reports")
    source.change(name_of_bob("Bob"))  # what an old file has may stay
    with pytest.raises(ConfigErrors, match=r"tlsrpt.localpart: must not contain the separator"):
        source.change(lambda document: set_value(document, ("domains", "example.org", "tlsrpt", "localpart"), "tls+x"))
    with pytest.raises(ConfigErrors, match=r"dmarc.localpart: must not contain the separator"):
        source.change(lambda document: set_value(document, path, "dmarc+other"))
    separators = ("domains", "example.org", "localpart_catchall_separators")
    with pytest.raises(ConfigErrors, match='must not contain the separator "re"'):
        source.change(lambda document: set_value(document, separators, ["+", "re"]))
    with pytest.raises(ConfigErrors, match=r"sbl.spamhaus.org is monitored already"):
        source.change(lambda document: set_value(document, ("monitor_dnsbls", 1), "sbl.spamhaus.org"))


def test_a_change_keeps_a_fresh_edit(source: ConfigSource) -> None:
    write(source, 'full_name = "Alice"', 'full_name = "Alicia" # by hand')
    config = source.change(name_of_bob("Bob"))
    assert (config.domains.accounts["alice"].full_name, config.domains.accounts["bob"].full_name) == ("Alicia", "Bob")
    assert "# by hand" in config.domains_file.read_text()


def test_a_change_does_not_overwrite_a_bad_edit(source: ConfigSource) -> None:
    write(source, "rare_words = 2", "rare_words =")
    file = source.snapshot().domains_file
    before = file.read_bytes()
    with pytest.raises(ChangeRefused, match=r"edited and has errors, mend it first: .*not valid TOML"):
        source.change(name_of_bob("Bob"))
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("edit", "message"),
    [(("rare_words = 2", "rare_words = 3"), None), (("rare_words = 2", "rare_words ="), "has errors")],
)
def test_an_edit_in_the_middle_of_a_change(source: ConfigSource, edit: tuple[str, str], message: str | None) -> None:
    raced = False

    def change(document: object) -> None:
        nonlocal raced
        if not raced:
            raced = True
            write(source, *edit)
        name_of_bob("Bob")(document)

    if message:
        with pytest.raises(ChangeRefused, match=message):
            source.change(change)
        assert edit[1] in source.snapshot().domains_file.read_text()
    else:
        config = source.change(change)
        junk = config.domains.accounts["alice"].junk_filter
        assert junk is not None
        assert (junk.rare_words, config.domains.accounts["bob"].full_name) == (3, "Bob")


def test_a_change_gives_up_at_last(source: ConfigSource, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(*_: object, **__: object) -> None:
        raise FileChanged

    monkeypatch.setattr(source_module, "replace_file", changed)
    with pytest.raises(ChangeRefused, match="being edited"):
        source.change(name_of_bob("Bob"))
    assert source.version == 1


def test_two_changes_at_once_both_land(source: ConfigSource) -> None:
    people = {"alice": "A", "bob": "B"}
    barrier = threading.Barrier(2)

    def run(account: str) -> None:
        barrier.wait(120)
        source.change(lambda document: set_value(document, ("accounts", account, "full_name"), people[account]))

    threads = [threading.Thread(target=run, args=(account,)) for account in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    accounts = source.snapshot().domains.accounts
    assert {name: accounts[name].full_name for name in people} == people
    assert source.version == 3


def test_poll_does_not_wait_for_a_change(source: ConfigSource, clock: Clock) -> None:
    def change(document: object) -> None:
        clock.now += 5
        assert source.poll() is False
        assert source.snapshot().domains.accounts["bob"].full_name == ""
        name_of_bob("Bob")(document)

    source.change(change)


def test_removing_and_adding_back_restores(source: ConfigSource) -> None:
    old = source.snapshot()
    path = ("accounts", "alice", "destinations", "trap@example.org")
    kept: list[object] = []

    def take(document: object) -> None:
        kept.append(get_value(document, path).unwrap())  # type: ignore[arg-type]
        remove(document, path)  # type: ignore[arg-type]

    source.change(take)
    assert source.snapshot().derived != old.derived
    source.change(lambda document: set_value(document, path, kept[0]))
    assert source.snapshot().derived == old.derived
