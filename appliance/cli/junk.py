"""Junk filters without a server, for trying out settings on mail of one's own: junk train, check, test, analyze, play.

Mail is read from folders of files, Maildirs or mbox files. The filter is a file. Unlike those of accounts, it counts a
word from its second message on: trained at one go on much mail, words that never come again would fill it.
"""

import os
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from appliance.base import limits
from appliance.cli.main import OK, Failed, Invocation, UsageError
from appliance.config.domains import JunkFilter
from appliance.delivery.junk import Score, grams, score
from appliance.mail import date, header, mbox, scan
from appliance.mail.tokens import has_bad_content_type, tokens
from appliance.store.junk import Counts

#: A larger message is cut: what makes it junk stands before.
MESSAGE_OCTETS: Final = 16 * limits.MIB
_PIECE_OCTETS: Final = 256 * 1024


class _Stored(msgspec.Struct):
    """The file of a filter."""

    grams: tuple[int, ...]
    hams: int = 0
    spams: int = 0
    words: dict[str, tuple[int, int]] = {}
    #: Words seen in one message so far.
    once: set[str] = set()


@dataclass(frozen=True, slots=True)
class _Mail:
    """A message to learn from or to judge."""

    name: str
    octets: bytes

    def words(self, lengths: tuple[int, ...]) -> frozenset[str] | None:
        """None when its Content-Type cannot be read."""
        root = scan.scan(self.octets, limits.SCAN).root
        if has_bad_content_type(root):
            return None
        return tokens(root, lambda start, end: self.octets[start:end], lengths, limits.TOKENS)

    @property
    def when(self) -> datetime:
        """Its Date; without a readable one it is the oldest."""
        fields = header.fields(self.octets, limits=limits.HEADER)
        value = header.get(self.octets, fields, b"Date")
        found = None if value is None else date.parse(value)
        return found or datetime.min.replace(tzinfo=UTC)


class _Filter:
    """A filter in memory."""

    def __init__(self, stored: _Stored, settings: JunkFilter) -> None:
        self.stored = stored
        self._settings = settings

    def learn(self, mail: _Mail, *, spam: bool) -> bool:
        """Whether the message could be read."""
        stored = self.stored
        words = mail.words(stored.grams)
        if words is None:
            return False
        for word in words:
            if word in stored.words:
                ham_count, spam_count = stored.words[word]
                stored.words[word] = (ham_count + (not spam), spam_count + spam)
            elif word in stored.once:
                stored.once.discard(word)
                stored.words[word] = (int(not spam), int(spam))
            else:
                stored.once.add(word)
        stored.hams += not spam
        stored.spams += spam
        return True

    def judge(self, mail: _Mail) -> Score:
        """What it thinks of a message."""
        stored = self.stored
        words = mail.words(stored.grams)
        if words is None:
            return Score(1.0, significant=True, malformed=True)
        known: dict[Counts, list[str]] = {}
        for word in words:
            if word in stored.words:
                known.setdefault(Counts(*stored.words[word]), []).append(word)
        return score(known, hams=stored.hams, spams=stored.spams, settings=self._settings)


def train(invocation: Invocation) -> int:
    """Learn from folders of ham and spam, into the file of a filter, new or not."""
    settings = _settings(invocation)
    path = Path(invocation.text("dbpath") or "filter.db")
    filter = _Filter(_load(path) if path.exists() else _Stored(grams(settings)), settings)
    if filter.stored.grams != grams(settings):
        raise Failed(f"{path} was made with other words in a row than the flags say")
    malformed = sum(not filter.learn(mail, spam=spam) for mail, spam in _both(invocation))
    new = path.with_name(path.name + ".new")
    new.write_bytes(msgspec.msgpack.encode(filter.stored))
    os.replace(new, path)
    stored = filter.stored
    print(f"trained: {stored.hams} ham, {stored.spams} spam, {malformed} malformed, {len(stored.words)} words")
    return OK


def check(invocation: Invocation) -> int:
    """Judge one message."""
    filter = _Filter(_load(Path(invocation.text("dbpath") or "filter.db")), _settings(invocation))
    outcome = filter.judge(_Mail(invocation.arguments[0], _read(Path(invocation.arguments[0]))))
    print(f"{outcome.probability:.6f}, {'significant' if outcome.significant else 'not significant'}")
    if invocation.given("debug"):
        for word, share in (*outcome.ham_words, *outcome.spam_words):
            print(f"{share:.4f} {word}", file=sys.stderr)
    return OK


def test(invocation: Invocation) -> int:
    """Judge folders of ham and spam by the file of a filter."""
    filter = _Filter(_load(Path(invocation.text("dbpath") or "filter.db")), _settings(invocation))
    tally = _Tally(_ratio(invocation, "spam-threshold", 0.95))
    for mail, spam in _both(invocation):
        tally.add(mail, filter.judge(mail), spam=spam)
    tally.show()
    return OK


def analyze(invocation: Invocation) -> int:
    """Learn from a part of the messages and judge the others."""
    settings = _settings(invocation)
    filter = _Filter(_Stored(grams(settings)), settings)
    tally = _Tally(_ratio(invocation, "spam-threshold", 0.95))
    chance = random.Random(0) if not invocation.given("seed") else random.Random()
    share = _ratio(invocation, "train-ratio", 0.5)
    to_judge: list[tuple[_Mail, bool]] = []
    trained, malformed = [0, 0], 0
    for spam in (False, True):
        some = [mail for mail, is_spam in _both(invocation) if is_spam is spam]
        chance.shuffle(some)
        count = int(len(some) * share)
        for mail in some[:count]:
            learned = filter.learn(mail, spam=spam)
            trained[spam] += learned
            malformed += not learned
        to_judge += [(mail, spam) for mail in some[count:]]
    for mail, spam in to_judge:
        tally.add(mail, filter.judge(mail), spam=spam)
    tally.show()
    print(f"trained: {trained[False]} ham, {trained[True]} spam, {malformed} malformed")
    return OK


def play(invocation: Invocation) -> int:
    """Judge each message and then learn from it, in the order they were written."""
    settings = _settings(invocation)
    filter = _Filter(_Stored(grams(settings)), settings)
    tally = _Tally(_ratio(invocation, "spam-threshold", 0.95))
    for mail, spam in sorted(_both(invocation), key=lambda one: one[0].when):
        tally.add(mail, filter.judge(mail), spam=spam)
        filter.learn(mail, spam=spam)
    tally.show()
    return OK


class _Tally:
    """How often a filter was right."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._right = {False: 0, True: 0}
        self._wrong = {False: 0, True: 0}

    def add(self, mail: _Mail, outcome: Score, *, spam: bool) -> None:
        """Count a message; one that was misjudged is printed."""
        if (outcome.probability > self._threshold) is spam:
            self._right[spam] += 1
        else:
            self._wrong[spam] += 1
            print(f"{'spam' if spam else 'ham'} {outcome.probability:.4f} {mail.name}")

    def show(self) -> None:
        """Print the totals."""
        right, wrong = self._right, self._wrong
        for spam, name in ((False, "ham"), (True, "spam")):
            print(f"{name}: {right[spam]} ok, {wrong[spam]} bad")
        print(f"specificity: {_share(right[False], wrong[False]):.6f}")
        print(f"sensitivity: {_share(right[True], wrong[True]):.6f}")
        print(f"accuracy: {_share(sum(right.values()), sum(wrong.values())):.6f}")


def _share(right: int, wrong: int) -> float:
    return right / (right + wrong) if right + wrong else 0.0


def _settings(invocation: Invocation) -> JunkFilter:
    settings = JunkFilter(
        threshold=1,
        onegrams=invocation.given("one-grams"),
        twograms=invocation.flags.get("two-grams") is not False,
        threegrams=invocation.given("three-grams"),
        max_power=_ratio(invocation, "max-power", 0.05),
        ignore_words=_ratio(invocation, "ignore-words", 0.1),
        top_words=_count(invocation, "top-words", 10),
        rare_words=_count(invocation, "rare-words", 1),
    )
    if not grams(settings):
        raise UsageError("one of --one-grams, --two-grams and --three-grams is needed")
    return settings


def _ratio(invocation: Invocation, flag: str, default: float) -> float:
    try:
        value = float(invocation.text(flag) or default)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise UsageError(f"--{flag} takes a number from 0 to 1")
    return value


def _count(invocation: Invocation, flag: str, default: int) -> int:
    text = invocation.text(flag) or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise UsageError(f"--{flag} takes a number")
    return int(text)


def _load(path: Path) -> _Stored:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=_Stored)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise Failed(f"{path} is no junk filter") from error


def _both(invocation: Invocation) -> Iterator[tuple[_Mail, bool]]:
    """All messages, and whether they are spam; what was sent is ham."""
    ham, spam = invocation.arguments
    sent = invocation.text("sent-dir")
    yield from ((mail, False) for mail in _mails(Path(ham)))
    yield from ((mail, False) for mail in (_mails(Path(sent)) if sent else ()))
    yield from ((mail, True) for mail in _mails(Path(spam)))


def _mails(path: Path) -> Iterable[_Mail]:
    """Messages of a folder, of a Maildir, or of an mbox file."""
    if not path.exists():
        raise Failed(f"{path}: no such file or folder")
    if path.is_file():
        yield from _mbox(path)
        return
    folders = [path / name for name in ("cur", "new") if (path / name).is_dir()] or [path]
    for folder in folders:
        for file in sorted(folder.iterdir()):
            if file.is_file():
                yield _Mail(str(file), _read(file))


def _mbox(path: Path) -> Iterator[_Mail]:
    """Messages of a file, one in memory at a time."""
    splitter = mbox.Splitter()
    number, octets = 0, bytearray()
    try:
        with path.open("rb") as file:
            pieces = iter(lambda: file.read(_PIECE_OCTETS), b"")
            for event in chain(chain.from_iterable(map(splitter.feed, pieces)), splitter.finish()):
                if isinstance(event, bytes):
                    octets += event[: MESSAGE_OCTETS - len(octets)]
                    continue
                if number:
                    yield _Mail(f"{path}:{number}", bytes(octets))
                number += 1
                octets.clear()
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    if number:
        yield _Mail(f"{path}:{number}", bytes(octets))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MESSAGE_OCTETS)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
