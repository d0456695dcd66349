import random

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from appliance.config.domains import AutomaticJunkFlags
from appliance.config.values import Pattern
from appliance.store import account as accounts, junk, mailbox, message
from appliance.store.junk import Counts, Lesson
from appliance.store.records import JUNK, NOT_JUNK, SEEN, Origin, Role
from support.stores import add_account, new_message, open_store

WORDS = ["free", "money", "Subject:sale", "gr\u00fcn", "free money", "0xbeef", "it's"]


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path) as store:
        yield store


@pytest.fixture
def alice(store):
    account = add_account(store)
    store.write_sync(junk.begin, account, (1,))
    store.write_sync(junk.finish, account)
    return account


def add(store, account, flags=0, name="Archive"):
    with store.read() as tx:
        target = mailbox.by_name(tx, account, name).id
    return target, store.write_sync(message.add, account, target, new_message(store), flags=flags)


def learn(store, account, *lessons, filter=1):
    return store.write_sync(junk.learn, account, filter, [Lesson(id, frozenset(words)) for id, words in lessons])


def state(store, account):
    with store.read() as tx:
        return junk.learned(tx, account), dict(junk.words(tx, account))


def known(store, account, words, remembered):
    with store.read() as tx:
        return {word: counts for counts, some in junk.known(tx, account, words, remembered)[1].items() for word in some}


def flag(store, account, target, uid, flags):
    store.write_sync(message.store_flags, account, target, [uid], "=", flags)


def test_learned_once_and_as_judged_now(store, alice):
    target, one = add(store, alice, JUNK)
    assert learn(store, alice, (one.id, ["free", "money"])) == 1
    assert learn(store, alice, (one.id, ["free", "money"])) == 0
    learned, words = state(store, alice)
    assert (learned.hams, learned.spams) == (0, 1)
    assert words == {"free": Counts(0, 1), "money": Counts(0, 1)}
    flag(store, alice, target, one.uid, NOT_JUNK)
    assert learn(store, alice, (one.id, ["free", "money"])) == 1
    assert state(store, alice)[1] == {"free": Counts(1, 0), "money": Counts(1, 0)}
    flag(store, alice, target, one.uid, 0)
    assert learn(store, alice, (one.id, ["free", "money"])) == 1
    learned, words = state(store, alice)
    assert (learned.hams, learned.spams, words) == (0, 0, {})


def test_lookup_knows_only_what_it_learned(store, alice):
    _, one = add(store, alice, NOT_JUNK)
    learn(store, alice, (one.id, WORDS))
    with store.read() as tx:
        learned, known = junk.known(tx, alice, ["money", "unknown", "gr\u00fcn"], junk.Remembered(100))
    assert learned.hams == 1
    assert known == {Counts(1, 0): ["money", "gr\u00fcn"]}


def test_accounts_know_nothing_of_one_another(store, alice):
    bob = add_account(store, "bob")
    _, one = add(store, alice, JUNK)
    learn(store, alice, (one.id, ["free"]))
    with store.read() as tx:
        assert junk.known(tx, bob, ["free"], junk.Remembered(100))[1] == {}


def test_another_filter_is_not_taught(store, alice):
    _, one = add(store, alice, JUNK)
    assert learn(store, alice, (one.id, ["free"]), filter=7) == 0
    assert state(store, alice)[1] == {}


def test_counts_never_fall_below_zero(store, alice):
    store.write_sync(junk.count, alice, 1, ["free"], ham=-1, spam=0)
    assert state(store, alice)[1] == {}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from(WORDS))), max_size=8), st.randoms())
def test_order_means_nothing_and_unlearning_leaves_nothing(tmp_path_factory, lessons, chance: random.Random):
    with open_store(tmp_path_factory.mktemp("store")) as store:
        outcomes = []
        remembered = junk.Remembered(4)
        for name in ("alice", "bob"):
            account = add_account(store, name)
            store.write_sync(junk.begin, account, (1,))
            store.write_sync(junk.finish, account)
            chance.shuffle(lessons)
            stored = []
            for is_junk, words in lessons:
                target, one = add(store, account, JUNK if is_junk else NOT_JUNK)
                stored.append((target, one, words))
                learn(store, account, (one.id, words))
                asked = chance.sample(WORDS, 3)
                there = state(store, account)[1]
                assert known(store, account, asked, remembered) == {
                    word: there[word] for word in asked if word in there
                }
            outcomes.append(state(store, account))
            chance.shuffle(stored)
            for target, one, words in stored:
                flag(store, account, target, one.uid, 0)
                learn(store, account, (one.id, words))
            learned, left = state(store, account)
            assert (learned.hams, learned.spams, left) == (0, 0, {})
        assert outcomes[0] == outcomes[1]


def test_what_is_remembered_is_what_is_there(store, alice):
    remembered = junk.Remembered(100)
    target, one = add(store, alice, JUNK)
    _, two = add(store, alice, NOT_JUNK)
    learn(store, alice, (one.id, ["free"]), (two.id, ["money"]))
    words = ["free", "money", "none"]
    then = {"free": Counts(0, 1), "money": Counts(1, 0)}
    assert known(store, alice, words, remembered) == then
    # Nobody may change counts so: here it shows that nothing is asked twice.
    store.write_sync(junk.count, alice, 1, words, ham=5, spam=0)
    assert known(store, alice, words, remembered) == then
    # The totals are the same afterwards, the counts are not.
    store.write_sync(junk.count, alice, 1, words, ham=-5, spam=0)
    flag(store, alice, target, one.uid, NOT_JUNK)
    flag(store, alice, target, two.uid, JUNK)
    learn(store, alice, (one.id, ["free"]), (two.id, ["money"]))
    assert known(store, alice, words, remembered) == {"free": Counts(1, 0), "money": Counts(0, 1)}
    number = store.write_sync(junk.begin, alice, (1,))
    learn(store, alice, (one.id, ["free"]), filter=number)
    assert known(store, alice, words, remembered) == {"free": Counts(1, 0), "money": Counts(0, 1)}
    store.write_sync(junk.finish, alice)
    assert known(store, alice, words, remembered) == {"free": Counts(1, 0)}


def test_not_too_much_is_remembered(store, alice):
    remembered = junk.Remembered(3)
    _, one = add(store, alice, JUNK)
    learn(store, alice, (one.id, ["free"]))
    for words in (["free", "one", "two"], ["free", "three"], ["free"]):
        assert known(store, alice, words, remembered) == {"free": Counts(0, 1)}
    with store.read() as tx:
        assert set(remembered.of(alice, junk.learned(tx, alice))) == {"free"}


def test_new_filter_beside_the_old(store, alice):
    _, one = add(store, alice, JUNK)
    _, two = add(store, alice, NOT_JUNK)
    learn(store, alice, (one.id, ["free"]), (two.id, ["money"]))
    number = store.write_sync(junk.begin, alice, (2,))
    learn(store, alice, (one.id, ["free money"]), filter=number)
    assert state(store, alice)[1] == {"free": Counts(0, 1), "money": Counts(1, 0)}
    learn(store, alice, (two.id, ["more money"]), filter=number)
    store.write_sync(junk.finish, alice)
    learned, words = state(store, alice)
    assert (learned.filter, learned.hams, learned.spams, learned.grams) == (number, 1, 1, (2,))
    assert words == {"free money": Counts(0, 1), "more money": Counts(1, 0)}
    assert not store.write_sync(junk.drop_others, alice, 1)
    while not store.write_sync(junk.drop_others, alice, 1):
        pass
    assert state(store, alice)[1] == words


def test_account_removed_with_its_filter(store, alice):
    _, one = add(store, alice, JUNK)
    learn(store, alice, (one.id, ["free"]))
    store.write_sync(accounts.begin_removal, "alice")
    while not store.write_sync(accounts.remove_part, "alice", 1):
        pass


def regexps(junk_=None, neutral=None, not_junk=None, enabled=True):
    patterns = [None if one is None else Pattern(one) for one in (junk_, neutral, not_junk)]
    return AutomaticJunkFlags(
        enabled=enabled,
        junk_mailbox_regexp=patterns[0],
        neutral_mailbox_regexp=patterns[1],
        not_junk_mailbox_regexp=patterns[2],
    )


USUAL = regexps("^(junk|spam)", "^(inbox|rejects)")


@pytest.mark.parametrize(
    ("name", "roles", "rules", "before", "after"),
    [
        pytest.param("Junk", 0, USUAL, 0, JUNK, id="junk"),
        pytest.param("SPAM/2020", 0, USUAL, NOT_JUNK, JUNK, id="lower-cased, overrides"),
        pytest.param("Inbox", 0, USUAL, JUNK | SEEN, SEEN, id="neutral clears"),
        pytest.param("Archive", 0, USUAL, 0, NOT_JUNK, id="the third by default"),
        pytest.param("Archive", int(Role.JUNK), USUAL, 0, JUNK, id="special use wins"),
        pytest.param("Inbox", int(Role.JUNK), regexps(enabled=False), NOT_JUNK, JUNK, id="special use without rules"),
        pytest.param("Junk", 0, regexps("^junk", enabled=False), NOT_JUNK, NOT_JUNK, id="not enabled"),
        pytest.param("Lists", int(Role.ARCHIVE), regexps("^junk"), JUNK, JUNK, id="one rule has no default"),
        pytest.param("Lists", 0, regexps(), JUNK, JUNK, id="no rule"),
        pytest.param("Lists", 0, regexps("^junk", None, "^good"), JUNK, 0, id="neutral by default"),
        pytest.param("Lists", 0, regexps(None, "^inbox", "^good"), 0, JUNK, id="junk by default"),
        pytest.param("Lists", 0, regexps("^junk", "^inbox", "^good"), JUNK, JUNK, id="three rules have no default"),
        pytest.param("junkgood", 0, regexps("^junk", "junk", "good"), 0, JUNK, id="junk comes first"),
        pytest.param("xjunkgood", 0, regexps("^junk", "junk", "good"), JUNK, 0, id="then neutral"),
    ],
)
def test_flags_by_mailbox(name, roles, rules, before, after):
    assert junk.judge(before, name, roles, rules) == after


@pytest.mark.parametrize(
    ("old", "new", "after"),
    [
        (0, JUNK, JUNK),
        (JUNK, 0, 0),
        (JUNK, JUNK | NOT_JUNK | SEEN, NOT_JUNK | SEEN),
        (NOT_JUNK, JUNK | NOT_JUNK, JUNK),
        (0, JUNK | NOT_JUNK, JUNK),
        (JUNK | NOT_JUNK, JUNK | NOT_JUNK, JUNK),
    ],
)
def test_exclusive(old, new, after):
    assert junk.exclusive(old, new) == after


@pytest.mark.parametrize(
    ("flags", "expected"), [(0, None), (SEEN, None), (JUNK, True), (NOT_JUNK | SEEN, False), (JUNK | NOT_JUNK, None)]
)
def test_judgement(flags, expected):
    assert junk.judgement(flags) is expected


def box(store, account, name):
    with store.read() as tx:
        return mailbox.by_name(tx, account, name).id


def destined(store, account, name, *, is_reject=False, flags=0):
    """A message that lies in a mailbox of its own and was meant for the Inbox."""
    for_inbox = msgspec.structs.replace(
        new_message(store), destined_mailbox=box(store, account, "Inbox"), origin=Origin(is_reject=is_reject)
    )
    if name not in {"Sent", "Archive", "Junk"}:
        store.write_sync(mailbox.create, account, name, limits=store.limits.mailbox)
    return store.write_sync(message.add, account, box(store, account, name), for_inbox, flags=flags)


def at(store, account, name):
    """Flags, mailbox of origin, mailbox destined for, whether it was refused: of the only message in a mailbox."""
    with store.read() as tx:
        ((_, row),) = message.rows(tx, account, mailbox.by_name(tx, account, name).id)
        facts = message.facts(tx, account, row.id)
        names = {one.id: one.name for one in tx.mailboxes(account)}
    return row.flags, names[facts.origin_mailbox], names.get(facts.destined_mailbox), facts.origin.is_reject


@pytest.mark.parametrize("verb", [message.move, message.copy])
@pytest.mark.parametrize(
    ("is_reject", "flags", "target", "expected"),
    [
        pytest.param(False, SEEN, "Inbox", (SEEN | NOT_JUNK, "Inbox", None, False), id="vouched for"),
        pytest.param(False, JUNK, "Inbox", (NOT_JUNK, "Inbox", None, False), id="neutral clears, then vouched for"),
        pytest.param(False, 0, "Junk", (JUNK, "Inbox", None, False), id="junk among what the Inbox gets"),
        pytest.param(False, 0, "Rejects", (0, "First", "Inbox", False), id="neither judged nor where it should be"),
        pytest.param(True, SEEN, "Inbox", (0, "Inbox", None, False), id="refused, says nothing by itself"),
        pytest.param(True, SEEN, "Archive", (NOT_JUNK, "Inbox", None, False), id="refused, judged by the mailbox"),
    ],
)
def test_out_of_where_it_was_put_aside(store, alice, verb, is_reject, flags, target, expected):
    one = destined(store, alice, "First", is_reject=is_reject, flags=flags)
    if target == "Rejects":
        store.write_sync(mailbox.create, alice, "Rejects", limits=store.limits.mailbox)
    store.write_sync(verb, alice, box(store, alice, "First"), [one.uid], box(store, alice, target), junk_rules=USUAL)
    assert at(store, alice, target) == expected


def test_judged_where_it_was_put_aside(store, alice):
    one = destined(store, alice, "First", is_reject=True)
    first = box(store, alice, "First")
    flag(store, alice, first, one.uid, SEEN)
    assert at(store, alice, "First") == (SEEN, "First", "Inbox", True)
    flag(store, alice, first, one.uid, JUNK)
    assert at(store, alice, "First") == (JUNK, "Inbox", None, True)
