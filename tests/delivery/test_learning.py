"""Learning by flags and moves, as a user does it by IMAP."""

import random
from pathlib import Path

import pytest

from appliance.config.domains import JunkFilter
from appliance.delivery.junk import Words, classify
from appliance.delivery.learning import NoJunkFilter
from appliance.operations import upkeep
from appliance.store import junk, message
from appliance.store.junk import Counts
from appliance.store.problems import NoSuchAccount
from appliance.store.records import JUNK, NOT_JUNK
from support.imaphouse import DOMAINS, House, open_house

RULES = """\
[accounts.alice.automatic_junk_flags]
enabled = true
junk_mailbox_regexp = "^(junk|spam)"
neutral_mailbox_regexp = "^(inbox|rejects)"
"""
FILTER = """\
[accounts.alice.junk_filter]
threshold = 0.95
onegrams = true
max_power = 0.01
top_words = 10
ignore_words = 0.1
rare_words = 2
"""
LEARNING = DOMAINS + RULES + FILTER
PILLS = b"Subject: cheap pills\r\n\r\npills now\r\n"
LUNCH = b"Subject: lunch today\r\n\r\nmeet now\r\n"


class Heard:
    """Progress."""

    last = 0

    async def __call__(self, count: int) -> None:
        self.last = count


async def look(house: House) -> None:
    await house.app.learner.look(house.store, house.app.config, house.account)
    with house.store.read() as tx:
        assert junk.noted(tx, house.account, 1) == []


def filter_of(house: House) -> tuple[int, int, dict[str, Counts]]:
    with house.store.read() as tx:
        state = junk.learned(tx, house.account)
        return state.hams, state.spams, dict(junk.words(tx, house.account))


async def flags_of(client, uid: int) -> set[bytes]:
    line = next(line for line in await client.command(f"UID FETCH {uid} FLAGS") if b"FETCH" in line)
    return set(line.partition(b"FLAGS (")[2].partition(b")")[0].split())


async def test_moving_to_junk_teaches_and_moving_back_takes_it_back(tmp_path: Path) -> None:
    async with open_house(tmp_path, LEARNING) as house:
        uid = await house.deliver(PILLS)
        client = await house.log_in()
        await client.command("SELECT INBOX")
        await look(house)
        assert filter_of(house) == (0, 0, {})
        await client.command(f"UID MOVE {uid} Junk")
        await look(house)
        hams, spams, words = filter_of(house)
        assert (hams, spams) == (0, 1)
        assert words == {word: Counts(0, 1) for word in ("Subject:cheap", "Subject:pills", "pills", "now")}
        await client.command("SELECT Junk")
        assert b"$Junk" in await flags_of(client, 1)
        await client.command("UID MOVE 1 INBOX")
        await look(house)
        assert filter_of(house) == (0, 0, {})
        await client.command("SELECT INBOX")
        assert not {b"$Junk", b"$NotJunk"} & await flags_of(client, uid + 1)
        await client.command(f"UID MOVE {uid + 1} Archive")
        await look(house)
        assert filter_of(house)[:2] == (1, 0)


async def test_one_flag_clears_the_other_and_the_client_hears_of_it(tmp_path: Path) -> None:
    async with open_house(tmp_path, LEARNING) as house:
        uid = await house.deliver(PILLS, flags=NOT_JUNK)
        client = await house.log_in()
        await client.command("SELECT INBOX")
        await look(house)
        assert filter_of(house)[:2] == (1, 0)
        lines = await client.command(f"UID STORE {uid} +FLAGS.SILENT ($Junk)")
        assert any(b"$Junk" in line and b"FETCH" in line and b"$NotJunk" not in line for line in lines)
        await look(house)
        assert filter_of(house)[:2] == (0, 1)
        assert len(await client.command(f"UID STORE {uid} -FLAGS.SILENT ($Junk)")) == 1
        await look(house)
        assert filter_of(house) == (0, 0, {})
        # Thunderbird's spelling.
        await client.command(f"UID STORE {uid} +FLAGS (NonJunk)")
        assert b"$NotJunk" in await flags_of(client, uid)


async def test_copies_and_removals(tmp_path: Path) -> None:
    async with open_house(tmp_path, LEARNING) as house:
        client = await house.log_in()
        # The mailbox goes before the flag the client gave.
        await client.append(PILLS, "Junk", "$NotJunk")
        await client.command("SELECT Junk")
        await client.command("COPY 1 Junk2", expect=b"NO")
        await client.command("CREATE Spam")
        await client.command("COPY 1 Spam")
        await look(house)
        assert filter_of(house)[:2] == (0, 2)
        await client.command("STORE 1 +FLAGS (\\Deleted)")
        await client.command("EXPUNGE")
        # The content must not go before it is unlearned.
        await house.store.write(message.erase, house.account, None, 100)
        await look(house)
        assert filter_of(house)[:2] == (0, 1)
        await client.command("DELETE Spam")
        await look(house)
        assert filter_of(house) == (0, 0, {})
        assert not await house.store.write(message.erase, house.account, None, 100)
        with house.store.read() as tx:
            assert message.waiting_to_be_erased(tx) == set()


async def test_what_never_was_learned_is_erased_at_once(tmp_path: Path) -> None:
    async with open_house(tmp_path, LEARNING) as house:
        uid = await house.deliver(PILLS, flags=JUNK)
        client = await house.log_in()
        await client.command("SELECT INBOX")
        await client.command(f"UID STORE {uid} +FLAGS (\\Deleted)")
        await client.command("EXPUNGE")
        await house.store.write(message.erase, house.account, None, 100)
        with house.store.read() as tx:
            assert message.waiting_to_be_erased(tx) == set()


async def test_flags_are_kept_without_a_filter_and_learned_when_there_is_one(tmp_path: Path) -> None:
    async with open_house(tmp_path, DOMAINS + RULES) as house:
        uid = await house.deliver(PILLS, flags=JUNK)
        await house.deliver(LUNCH, "Archive", flags=NOT_JUNK)
        await look(house)
        assert filter_of(house) == (0, 0, {})
        with pytest.raises(NoJunkFilter):
            await upkeep.retrain(house.app.store, house.app.learner, house.app.config, "alice", Heard())
        configure(house, tmp_path, LEARNING)
        await look(house)
        assert filter_of(house)[:2] == (1, 1)
        # Gone and changed meanwhile: the next filter is made anew.
        configure(house, tmp_path, DOMAINS + RULES)
        client = await house.log_in()
        await client.command("SELECT INBOX")
        await client.command(f"UID STORE {uid} FLAGS ($NotJunk)")
        await look(house)
        configure(house, tmp_path, LEARNING)
        await look(house)
        assert filter_of(house)[:2] == (2, 0)


def configure(house: House, folder: Path, domains: str) -> None:
    (folder / "domains.toml").write_text(domains)
    house.app.config.reload()


async def test_other_words_wanted(tmp_path: Path) -> None:
    async with open_house(tmp_path, LEARNING) as house:
        await house.deliver(PILLS, flags=JUNK)
        await look(house)
        configure(house, tmp_path, LEARNING.replace("onegrams", "twograms"))
        await look(house)
        assert filter_of(house) == (0, 1, {"Subject:cheap pills": Counts(0, 1), "pills now": Counts(0, 1)})


async def test_retraining_comes_to_the_same(tmp_path: Path) -> None:
    chance = random.Random(5)
    words = ["cheap", "pills", "lunch", "meeting", "offer", "invoice", "holiday", "lottery"]
    async with open_house(tmp_path, LEARNING) as house:
        client = await house.log_in()
        for _ in range(30):
            text = " ".join(chance.choices(words, k=4)).encode()
            await house.deliver(b"Subject: " + text + b"\r\n\r\n" + text[::-1] + b"\r\n")
        await client.command("SELECT INBOX")
        for step in range(60):
            uid = chance.randint(1, 30)
            flag = chance.choice(["+FLAGS ($Junk)", "+FLAGS ($NotJunk)", "FLAGS ()", "+FLAGS (\\Deleted)"])
            if chance.random() < 0.2:
                await client.command(f"UID COPY {uid} {chance.choice(['Junk', 'Archive'])}")
            await client.command(f"UID STORE {uid} {flag}")
            if step % 20 == 10:
                await client.command("EXPUNGE")
            if step % 7 == 0:
                await look(house)
        await look(house)
        before = filter_of(house)
        heard = Heard()
        made = await upkeep.retrain(house.app.store, house.app.learner, house.app.config, "alice", heard)
        assert filter_of(house) == before
        assert (made.hams, made.spams) == before[:2]
        assert heard.last == sum(before[:2])
        assert before[0]
        assert before[1]


async def test_begun_and_not_finished_is_made_again(tmp_path: Path) -> None:
    async with open_house(tmp_path, LEARNING) as house:
        for octets, flags in ((PILLS, JUNK), (LUNCH, NOT_JUNK)):
            await house.deliver(octets, flags=flags)
        await look(house)
        before = filter_of(house)
        # As a crash in the middle of it leaves them.
        number = await house.store.write(junk.begin, house.account, (1,))
        with house.store.read() as tx:
            ids, _ = junk.judged(tx, house.account, 0, 1)
        await house.store.write(junk.learn, house.account, number, [junk.Lesson(ids[0], frozenset({"wrong"}))])
        assert filter_of(house) == before
        await look(house)
        assert filter_of(house) == before


async def test_unknown_account(tmp_path: Path) -> None:
    async with open_house(tmp_path, LEARNING) as house:
        with pytest.raises(NoSuchAccount):
            await upkeep.retrain(house.app.store, house.app.learner, house.app.config, "nobody", Heard())


@pytest.mark.parametrize("padding", [0, 200_000])
async def test_judging_a_message(tmp_path: Path, padding: int) -> None:
    settings = JunkFilter(threshold=0.95, onegrams=True, max_power=0.01, top_words=10)

    async def judged(house: House, octets: bytes):
        octets += b" " * padding
        spooled = house.store.spooled(octets)
        words = Words(spooled.scanned, spooled.reader)
        return await classify(house.store, house.account, words, settings)

    async with open_house(tmp_path, LEARNING) as house:
        nothing = await judged(house, PILLS)
        assert (nothing.probability, nothing.significant) == (0.5, False)
        for number in range(50):
            await house.deliver(LUNCH.replace(b"today", b"day%d" % number), flags=NOT_JUNK)
            await house.deliver(PILLS, flags=JUNK)
        await look(house)
        assert (await judged(house, PILLS)).probability > 0.99
        good = await judged(house, LUNCH)
        assert good.probability < 0.01
        assert good.significant
        assert [word for word, _ in good.ham_words] == ["Subject:lunch", "meet"]
        assert (await judged(house, b"Subject: else\r\n\r\nnow\r\n")).probability == 0.5
        bad = await judged(house, b"Content-Type: ;\r\n\r\nmeet\r\n")
        assert (bad.probability, bad.significant, bad.malformed) == (1.0, True, True)
