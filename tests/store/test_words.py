"""The index of texts: whatever it answers is what a look at every text answers."""

import random
from datetime import date

import msgspec
import pytest
import trio
import trio.testing
from hypothesis import given, strategies as st

from appliance.store import account as accounts, indexing, mailbox, message, prepare, search, tables, words
from appliance.store.lookup import FEW, Lookup
from appliance.store.problems import NoSuchAccount
from appliance.store.search import InBody, InField, InText, SentBetween, in_body, in_field, in_text
from appliance.store.tables import Table
from support.quiet import settled
from support.stores import add_account, new_message, open_store

_WORDS = (
    "the order invoice meeting zebra schön Größe naïve 日本語 検索する ひらがな 漢字 한국어 Ελλάδα привет x y aa aaa aab "
    "don’t it's e-mail foo_bar 10% a+b=c <td> font-size:14px https://example.org/u?id=1&b=2 mox@localhost 🙂 🙂🙃 ﬁ İstanbul"
).split()
_BETWEEN = [" ", " ", " ", " ", "\r\n", "", ", ", ".", "\t", "-", "@", "  "]


def _text(chance: random.Random, size: int) -> str:
    out = []
    for _ in range(size):
        word = chance.choice(_WORDS)
        if chance.random() < 0.05:
            word = "".join(chance.choices("abcdefgh", k=chance.choice([3, 60, 130, 200, 260, 700])))
        out += [word.upper() if chance.random() < 0.1 else word, chance.choice(_BETWEEN)]
    return "".join(out)


def _message(chance: random.Random) -> bytes:
    names = [
        "Subject",
        *(name for name in ("From", "To", "Cc", "X-Odd-Field", "Message-ID", "to") if chance.random() < 0.5),
    ]
    lines = [f"{name}: {_text(chance, chance.randrange(5))}".replace("\r\n", "\r\n ") for name in names]
    if chance.random() < 0.8:
        lines.append(f"Date: {chance.randrange(1, 28)} {chance.choice(['Jan', 'Feb'])} 2024 23:59:59 -0900")
    body = _text(chance, chance.randrange(30))
    return "\r\n".join([*lines, "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "", body, ""]).encode()


def _needle(chance: random.Random, texts: list[bytes]) -> str:
    match chance.randrange(6):
        case 0:
            return _text(chance, 1).strip()
        case 1:
            return chance.choice(
                ["", "a", "x", " ", "@", ".", ":", "日", "語", "한", "’", "🙂", "\n", "\r\n", "\1", "\2", "ss"]
            )
        case 2:
            return _text(chance, 3)
        case _:
            # A piece of a text that is there, cut anywhere.
            text = chance.choice(texts).decode("utf-8", "replace").replace("\0", " ").replace("\ufffd", "")
            start = chance.randrange(len(text))
            return text[start : start + chance.choice([1, 2, 3, 5, 8, 20, 70, 300])]


def _query(chance: random.Random, texts: list[bytes]) -> search.Query:
    needle = _needle(chance, texts)
    match chance.randrange(5):
        case 0:
            return in_body(needle)
        case 1:
            return in_field(
                chance.choice(["subject", "FROM", "to", "cc", "bcc", "x-odd-field", "x-odd", "", "message-id"]), needle
            )
        case 2:
            day = date(2024, 1, chance.randrange(1, 31)).toordinal()
            return chance.choice([SentBetween(day, None), SentBetween(None, day), SentBetween(day, day)])
        case _:
            return chance.choice([in_text, search.in_shown])(needle)


def _ask(store, account, query: search.Query, ids) -> Lookup:
    lookup = Lookup(account, query, ids)
    more = True
    while more:
        with store.read() as tx:
            more = lookup.step(tx)
    return lookup


async def _filled(store, account, messages: list[bytes]) -> list[int]:
    with store.read() as tx:
        inbox = mailbox.by_name(tx, account, "Inbox").id
    return [(await store.write(message.add, account, inbox, new_message(store, one))).id for one in messages]


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(words, "MESSAGES", 40)
    monkeypatch.setattr(words, "BLOCK_OCTETS", 700)
    monkeypatch.setattr(words, "BLOCK_UNITS", 300)
    monkeypatch.setattr("appliance.store.lookup.FEW", 3)
    monkeypatch.setattr("appliance.store.lookup.FEW_VALUES", 1)


@pytest.mark.parametrize("seed", range(6))
async def test_the_index_answers_as_the_texts_do(tmp_path, small_segments, seed):
    chance = random.Random(seed)
    with open_store(tmp_path) as store:
        account = add_account(store)
        other = add_account(store, "bob")
        ids = await _filled(store, account, [_message(chance) for _ in range(150)])
        await _filled(store, other, [_message(chance) for _ in range(50)])
        await store.indexer.look(account)
        await store.indexer.look(other)
        with store.read() as tx:
            assert words.covered(tx, account) == ids[119]
            texts = dict(zip(ids, message.texts(tx, account, ids), strict=True))
        kept = list(texts.values())
        for _ in range(400):
            query = _query(chance, kept)
            some = chance.choice([ids, ids[:100], chance.sample(ids, 60), chance.sample(ids, 3)])
            lookup = _ask(store, account, query, some)
            assert lookup.found == {id for id in some if query.test(texts[id])}, query
            assert lookup.settled == len(some)
            assert lookup.doubtful == []


async def test_words_prove_what_they_can(tmp_path, small_segments):
    """No text is read for a needle that is one word's part, nor for the fields kept by value."""
    with open_store(tmp_path) as store:
        account = add_account(store)
        ids = await _filled(store, account, [b"Subject: number %d\r\n\r\nunique%dword\r\n" % (n, n) for n in range(40)])
        await store.indexer.look(account)
        with store.read() as tx:
            _, segment = next(words.segments(tx, account))
            for query, expected in (
                (in_text("que7wo"), {7}),
                (in_body("NUMBER"), set()),
                (in_field("subject", "ber 3"), {3, *range(30, 40)}),
                (in_field("subject", ""), set(range(40))),
                (in_field("cc", ""), set()),
            ):
                answer = words.ask(tx, account, segment, query)
                assert (answer.sure, answer.maybe) == (expected, set()), query
            answer = words.ask(tx, account, segment, in_text("number 7"))
            assert (answer.sure, answer.maybe) == (set(), {7})
        assert _ask(store, account, in_text("ique12w"), ids).found == {ids[12]}


@pytest.mark.parametrize(
    ("needle", "terms", "exact"),
    [
        pytest.param(b"word", (b"word",), True, id="part of a word"),
        pytest.param(b"two words", (b"\nwords", b"two\n"), False, id="end and beginning"),
        pytest.param(b"a whole word", (b"\nwhole\n", b"\nword", b"a\n"), False, id="whole between"),
        pytest.param(b" word ", (b"\nword\n",), False, id="spaces around"),
        pytest.param(b"x" * 65, (b"x" * 64,), False, id="longer than the overlap"),
        pytest.param(b"@", (), False, id="no word"),
        pytest.param("語".encode(), ("\n語\n".encode(),), True, id="one ideograph"),
        pytest.param("日語".encode(), ("\n日\n".encode(), "\n語\n".encode()), False, id="ideographs"),
    ],
)
def test_terms(needle, terms, exact):
    found = words.terms_of(needle)
    assert (set(found.terms), found.exact) == (set(terms), exact)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param(InText(b"two\nto: three"), True, id="across fields"),
        pytest.param(InText(b"\1"), False, id="the mark is no text"),
        pytest.param(InText(b""), True, id="nothing is everywhere"),
        pytest.param(InBody(b"one"), False, id="header is not body"),
        pytest.param(InBody(b"b"), True, id="second part"),
        pytest.param(InField(b"to", b"three"), True, id="field"),
        pytest.param(InField(b"o", b"three"), False, id="whole name"),
        pytest.param(InField(b"cc", b""), False, id="no such field"),
        pytest.param(InField(b"empty", b""), True, id="empty field"),
        pytest.param(InField(b"body", b"no"), False, id="field in the body"),
        pytest.param(SentBetween(date(2024, 1, 2).toordinal(), None), True, id="sent"),
        pytest.param(SentBetween(None, date(2024, 1, 1).toordinal()), False, id="sent before"),
    ],
)
def test_texts(query, found):
    text = b"\1subject: one two\nto: three\nempty:\ndate: tue, 2 jan 2024 00:30:00 +1400\0a\nbody: no\0b"
    assert query.test(text) is found


async def test_cut_texts_are_doubtful(tmp_path, small_segments):
    with open_store(tmp_path) as store:
        account = add_account(store)
        long = b"Subject: x\r\n\r\n" + b"word " * 60_000 + b"end\r\n"
        ids = await _filled(store, account, [long if n % 10 == 0 else b"Subject: x\r\n\r\nword\r\n" for n in range(40)])
        await store.indexer.look(account)
        lookup = _ask(store, account, in_text("end"), ids)
        assert (lookup.found, lookup.doubtful) == (set(), ids[::10])
        lookup = _ask(store, account, in_text("word"), ids)
        assert (lookup.found, lookup.doubtful) == (set(ids), [])
        assert _ask(store, account, in_field("subject", "y"), ids).doubtful == []


async def test_segments_that_have_lost_half_are_made_again(tmp_path, small_segments):
    with open_store(tmp_path) as store:
        account = add_account(store)
        ids = await _filled(store, account, [b"Subject: number%d\r\n\r\nx\r\n" % n for n in range(120)])
        await store.indexer.look(account)
        with store.read() as tx:
            inbox = mailbox.by_name(tx, account, "Inbox").id
            before = list(words.segments(tx, account))
        assert len(before) == 3
        uids = [uid for uid in range(1, 121) if uid > 80 or uid % 4]
        await store.write(message.expunge, account, inbox, uids)
        await store.write(message.erase, account, None, 1000)
        assert store.verify() == []
        store.indexer._looked.clear()
        await store.indexer.look(account)
        with store.read() as tx:
            [(last, segment)] = words.segments(tx, account)
            assert (last, list(segment.message_ids())) == (ids[119], ids[3:80:4])
            numbers = {key[4:8] for key, _ in tx.scan_prefix(Table.SEGMENT_PIECE, b"")}
            assert numbers == {segment.number.to_bytes(4, "big")}
        assert _ask(store, account, in_text("number7"), ids[3:80:4]).found == {ids[7], ids[71], ids[75], ids[79]}


async def test_a_build_that_was_interrupted_leaves_the_old(tmp_path, small_segments):
    with open_store(tmp_path) as store:
        account = add_account(store)
        ids = await _filled(store, account, [b"Subject: number%d\r\n\r\nx\r\n" % n for n in range(80)])
        # As a crash leaves it: pieces, and nothing that names them.
        await store.write(words.put_pieces, account, 1, [(0, 0, b"\nlitter\n"), (0, 99, b"\nlitter\n")])
        assert store.verify() == []
        assert _ask(store, account, in_text("litter"), ids).found == set()
        await store.indexer.look(account)
        assert _ask(store, account, in_text("litter"), ids).found == set()
        with store.read() as tx:
            assert [one.number for _, one in words.segments(tx, account)] == [1, 2]
            assert tx.get(Table.SEGMENT_PIECE, tables.segment_piece_key(account, 1, 0, 99)) is None


async def test_reindex_mends(tmp_path, small_segments):
    with open_store(tmp_path) as store:
        account = add_account(store)
        ids = await _filled(store, account, [b"Subject: number%d\r\n\r\nx\r\n" % n for n in range(90)])
        await store.indexer.look(account)
        with store.read() as tx:
            _, segment = next(words.segments(tx, account))
        key = tables.segment_piece_key(account, segment.number, 0, 0)

        def damage(tx):
            tx.put(Table.SEGMENT_PIECE, key, tx.get(Table.SEGMENT_PIECE, key).replace(b"number", b"nunber"))

        await store.write(damage)
        assert any("lack messages" in one for one in store.verify())
        made = await store.indexer.reindex(account)
        assert (made.messages, made.segments) == (90, 3)
        assert _ask(store, account, in_text("number"), ids).found == set(ids)
        with pytest.raises(NoSuchAccount):
            await store.indexer.reindex(99)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda one: {"ids": one.ids[8:] + one.ids[:8]}, "out of order", id="ids"),
        pytest.param(lambda one: {"sent": bytes(len(one.sent))}, "wrong days", id="days"),
        pytest.param(lambda one: {"header_blocks": one.header_blocks - 1}, "lack messages", id="blocks"),
        pytest.param(lambda one: {"body_blocks": one.body_blocks + 1}, "damaged", id="no such block"),
        pytest.param(lambda one: {"field_pieces": ((), *one.field_pieces[1:])}, "field subject", id="fields"),
        pytest.param(lambda one: {"number": one.number + 5}, "which is not there", id="number"),
    ],
)
async def test_damage_is_found(tmp_path, small_segments, change, said):
    with open_store(tmp_path) as store:
        account = add_account(store)
        await _filled(store, account, [b"Subject: n%d\r\nDate: 1 Jan 2024 10:00\r\n\r\nx\r\n" % n for n in range(40)])
        await store.indexer.look(account)
        with store.read() as tx:
            last, segment = next(words.segments(tx, account))
        await store.write(words.put_segment, account, last, msgspec.structs.replace(segment, **change(segment)))
        assert any(said in one for one in store.verify())
        await store.write(words.put_segment, account, last, segment)


async def test_the_keeper_hears_of_news(tmp_path, small_segments, autojump_clock):
    with open_store(tmp_path) as store:
        account = add_account(store)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.indexer.keep)
            await settled()
            ids = await _filled(store, account, [b"Subject: x\r\n\r\nx\r\n"] * 45)
            # A new account that goes again meanwhile does not trouble it.
            bob = add_account(store, "bob")
            await _filled(store, bob, [b"Subject: x\r\n\r\nx\r\n"])
            store.write_sync(accounts.begin_removal, "bob")
            while not store.write_sync(accounts.remove_part, "bob", 100):
                pass
            for _ in range(10_000):
                await trio.sleep(indexing.LEISURE_SECONDS)
                # The clock jumps while a thread still builds; this waits for a turn among the threads.
                await trio.to_thread.run_sync(lambda: None)
                with store.read() as tx:
                    if (covered := words.covered(tx, account)) == ids[39]:
                        break
            assert covered == ids[39]
            nursery.cancel_scope.cancel()


async def test_an_account_goes_with_its_index(tmp_path, small_segments):
    with open_store(tmp_path) as store:
        account = add_account(store)
        await _filled(store, account, [b"Subject: x\r\n\r\nx\r\n"] * 45)
        await store.indexer.look(account)
        store.write_sync(accounts.begin_removal, "alice")
        while not store.write_sync(accounts.remove_part, "alice", 10):
            pass
        with store.read() as tx:
            assert list(tx.scan_prefix(Table.SEGMENT, b"")) == list(tx.scan_prefix(Table.SEGMENT_PIECE, b"")) == []
        with pytest.raises(NoSuchAccount):
            await store.write(words.put_pieces, account, 9, [(0, 0, b"x")])


@given(
    st.lists(st.text("abß\0", max_size=8), min_size=1, max_size=4),
    st.text("abß", max_size=4),
    st.sampled_from((1, 2, 3, 100)),
)
def test_a_text_in_pieces_answers_as_the_whole(texts, words, size):
    folded = [prepare.fold(one) for one in texts]
    whole = prepare.COMPLETE + prepare.SEPARATOR.join([*folded, b""] if len(folded) == 1 else folded)
    for query in (search.in_text(words), search.in_body(words)):
        pieces = ([one[at : at + size] for at in range(0, len(one), size)] for one in folded)
        assert query.test_whole(pieces) == query.test(whole)


def test_long_texts_are_folded_alike(monkeypatch):
    for text in ("Some TEXT\0 of ASCII " * 99, "Größe ΟΔΟΣ e\u0301\ud800 " * 99):
        expected = prepare.fold(text)
        monkeypatch.setattr(prepare, "FOLD_CHARACTERS", 7)
        assert b"".join(prepare.fold_pieces(text)) == prepare.fold(text) == expected
        assert b"\0" not in expected


def test_prepare_and_search_agree_on_marks():
    assert (prepare.COMPLETE, prepare.CUT) == (b"\1", b"\2")
    assert FEW < words.MESSAGES


async def test_an_index_waits_for_a_quiet_moment_but_not_for_long(tmp_path, autojump_clock):
    async def busy() -> None:
        while True:
            await trio.sleep(0.5)
            store._environment.commits += 1

    async def rested() -> float:
        began = trio.current_time()
        await store.indexer._rest(1)
        return trio.current_time() - began

    with open_store(tmp_path) as store:
        assert await rested() == 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(busy)
            assert await rested() == indexing.BUSY_RESTS
            nursery.cancel_scope.cancel()
