"""DKIM keys of a domain take the place of those that sign: added, waited for, switched to, and the old ones withdrawn.

A rotation is a few steps over a week, written down after each, so that a restart goes on where it was. Records are
changed at the name server that `dns_updates` names for the domain; where none is named, the operator is told which to
change, and the rotation goes on when every name server of the zone has the change. Nobody may find a signature whose
key is not in the DNS: the new keys sign only when they are seen everywhere, and the old ones stay published until what
they signed has arrived or was given up (RFC 6376 §3.1, §6.1.2).
"""

import dataclasses
import string
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio
from msgspec.structs import replace

from appliance.base.log import Log
from appliance.base.problem import Problem
from appliance.config.addresses import DomainEntry
from appliance.config.source import Config
from appliance.config.values import DomainName
from appliance.delivery.appliance import Appliance
from appliance.dns.answers import Type
from appliance.dns.problems import UpdateFailed
from appliance.dns.resolver import Resolver
from appliance.msgauth.dkim import keys as dkimkeys, record as dkimrecord
from appliance.operations import configuring, dnspublish, domainsettings
from appliance.operations.configuring import Exists
from appliance.operations.dnsrecords import TTL_SECONDS, Wanted
from appliance.operations.settings import BadSetting
from appliance.store import rotation
from appliance.store.rotation import Pair, Rotation, Step

if TYPE_CHECKING:
    from appliance.dns.update import Updater

log = Log("rotation")

#: So long the old keys stay published, once they sign no more: messages wait in queues for days. Longer where
#: signatures say that they are good for longer, up to a limit.
RETIRE_SECONDS: Final = 7 * 86400
RETIRE_MOST_SECONDS: Final = 30 * 86400
#: Others remember for a day at most that there was no record.
_DENIAL_MOST_SECONDS: Final = 86400
#: Name servers are asked this often, at first and later.
_ASK_SECONDS, _ASK_LATER_SECONDS, _FIRST_SECONDS = 60, 600, 3600
#: Something that fails by itself for so long is the operator's to look at.
STUCK_SECONDS: Final = 3600
#: The keeper looks this often at least: the configuration may have changed.
_LOOK_SECONDS: Final = 3600
_SECOND: Final = 1_000_000

_NAMES: Final = {
    Step.MAKE: "make",
    Step.PUBLISH: "publish",
    Step.SPREAD: "spread",
    Step.RETIRE: "retire",
    Step.WITHDRAW: "withdraw",
    Step.DONE: "done",
}


@dataclass(frozen=True, slots=True)
class Told:
    """How a rotation stands, for people and programs."""

    domain: str
    #: make, publish, spread, retire, withdraw or done.
    step: str
    text: str
    #: Selectors and those that take their places.
    selectors: Mapping[str, str]
    began: datetime
    since: datetime
    #: When it goes on by itself; None: when something is seen, or never.
    goes_on: datetime | None
    automatic: bool
    #: Whether we change records; otherwise the operator does.
    updates: bool
    #: Records that are to be added or removed now, as lines of a zone file.
    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Stuck:
    """A rotation that needs somebody, and what to do."""

    domain: str
    text: str
    remedy: str


# The verbs of the operator.


async def start(app: Appliance, domain: DomainName, *, automatic: bool = False) -> Told:
    """Begin to replace all keys that sign for a domain.

    Raises NoSuchDomain, Exists (one is under way), BadSetting (nothing signs), and what making keys raises.
    """
    async with app.rotating:
        config = app.config.snapshot()
        entry = _entry(config, domain)
        before = _get(app, domain)
        if before is not None and before.step is not Step.DONE:
            raise Exists(f"the keys of {domain} are being replaced already; see: moxpy config dkim rotate status")
        now = app.clock.microseconds()
        one = Rotation(Step.MAKE, now, now, tuple(_pairs(config, entry, app.clock.now())), automatic)
        await app.store.write(rotation.put, str(domain), one)
        log.info("rotation of DKIM keys begun", domain=str(domain), selectors=[pair.new for pair in one.pairs])
        one = await _advance(app, domain, one)
    app.rotations.ring()
    return _told(app.config.snapshot(), entry, one)


async def hurry(app: Appliance, domain: DomainName) -> Told:
    """Do not wait for the end of the present step. Raises NoSuchDomain, BadSetting (none is under way)."""
    async with app.rotating:
        entry, one = _under_way(app, domain)
        log.info("rotation of DKIM keys hurried", domain=str(domain), step=_NAMES[one.step])
        one = await _advance(app, domain, replace(one, hurried=True, problem="", problem_since=0))
    app.rotations.ring()
    return _told(app.config.snapshot(), entry, one)


async def abort(app: Appliance, domain: DomainName) -> Told:
    """End a rotation. Before the switch the new keys go; after it old and new stay, and the new ones sign.

    Raises NoSuchDomain, BadSetting (none is under way), and what a change of the configuration raises.
    """
    async with app.rotating:
        entry, one = _under_way(app, domain)
        remove: list[str] = []
        if one.step in {Step.MAKE, Step.PUBLISH, Step.SPREAD}:
            await _put_away(app, domain, [pair.new for pair in one.pairs])
            for pair in one.pairs:
                if not pair.new_record:
                    continue
                try:
                    updater = await trio.to_thread.run_sync(_updater, app.config.snapshot(), entry)
                    if updater is not None:
                        await _withdrawn(updater, entry, pair.new, pair.new_record)
                        continue
                except (UpdateFailed, OSError, ValueError) as problem:
                    log.warn("a record was not removed", problem, name=_name(entry, pair.new))
                remove.append(_line(entry, pair.new, pair.new_record))
        elif one.step is Step.WITHDRAW:
            remove = [_line(entry, pair.old, pair.old_record) for pair in one.pairs]
        ended = replace(one, step=Step.DONE, since=app.clock.microseconds(), problem="", problem_since=0)
        await app.store.write(rotation.put, str(domain), ended)
        log.info("rotation of DKIM keys ended before its time", domain=str(domain), step=_NAMES[one.step])
    told = _told(app.config.snapshot(), entry, ended)
    return dataclasses.replace(told, text=_ENDED[one.step], remove=remove)


_ENDED: Final = {
    Step.MAKE: "ended; the old keys sign as before",
    Step.PUBLISH: "ended; the old keys sign as before",
    Step.SPREAD: "ended; the old keys sign as before",
    Step.RETIRE: "ended; the new keys sign, and the old ones stay configured and published",
    Step.WITHDRAW: "ended; the new keys sign, and the old ones are put away",
}


def status(app: Appliance, domain: DomainName | None = None) -> list[Told]:
    """How rotations stand, of one domain or of all that had one. Raises NoSuchDomain."""
    config = app.config.snapshot()
    if domain is not None:
        _entry(config, domain)
    with app.store.read() as tx:
        listed = rotation.listed(tx)
    found = []
    for name, one in sorted(listed.items()):
        if one.pairs and name in config.domains.domains and domain in {None, name}:
            found.append(_told(config, _entry(config, DomainName(name)), one))
    return found


def stuck(app: Appliance) -> list[Stuck]:
    """Rotations that need the operator."""
    now = app.clock.microseconds()
    with app.store.read() as tx:
        listed = rotation.listed(tx)
    config = app.config.snapshot()
    found = []
    for name, one in sorted(listed.items()):
        if one.step is Step.DONE or name not in config.domains.domains:
            continue
        told = _told(config, _entry(config, DomainName(name)), one)
        waits = (now - (one.problem_since or now)) / _SECOND
        if not told.updates and (told.add or told.remove):
            change = "added" if told.add else "removed"
            remedy = f"{'Add' if told.add else 'Remove'}: {'; '.join((*told.add, *told.remove))}"
            found.append(Stuck(name, f"New DKIM keys of {name} wait for records to be {change}", remedy))
        elif waits > STUCK_SECONDS:
            remedy = f"Mend that, or see: moxpy config dkim rotate status {name}"
            found.append(Stuck(name, f"New DKIM keys of {name} cannot go on: {one.problem}", remedy))
    return found


# The keeper.


async def keep(app: Appliance) -> None:
    """Keeper task: goes on with rotations, and begins those that are due."""
    while True:
        seconds = await look(app)
        with trio.move_on_after(seconds):
            await app.rotations.wait()


async def look(app: Appliance) -> float:
    """Do what is due now; in how many seconds there may be something to do again."""
    with app.store.read() as tx:
        listed = rotation.listed(tx)
    domains = app.config.snapshot().domains.domains
    seconds = float(_LOOK_SECONDS)
    for name in sorted({*listed, *domains}):
        try:
            seconds = min(seconds, await _look_at(app, DomainName(name)))
        except Problem as problem:
            log.error("a rotation of DKIM keys failed for now", problem, domain=name)
            seconds = min(seconds, _ASK_SECONDS)
    return max(seconds, 1.0)


async def _look_at(app: Appliance, domain: DomainName) -> float:
    config = app.config.snapshot()
    one = _get(app, domain)
    if domain not in config.domains.domains:
        if one is not None:
            await app.store.write(rotation.remove, str(domain))
        return _LOOK_SECONDS
    every = config.domains.domains[domain].dkim.rotate_every
    if one is None or one.step is Step.DONE:
        if every is None or not config.domains.domains[domain].dkim.sign:
            return _LOOK_SECONDS
        now = app.clock.microseconds()
        if one is None:
            # From now on: nobody knows how old keys are.
            await app.store.write(rotation.put, str(domain), Rotation(Step.DONE, now, now))
            return _LOOK_SECONDS
        left = one.since / _SECOND + every.seconds - now / _SECOND
        if left > 0:
            return left
        await start(app, domain, automatic=True)
    async with app.rotating:
        one = _get(app, domain)
        if one is None or one.step is Step.DONE:
            return _LOOK_SECONDS
        now = app.clock.microseconds()
        if _due(app.config.snapshot(), domain, one) <= now:
            one = await _advance(app, domain, one)
        return (_due(app.config.snapshot(), domain, one) - app.clock.microseconds()) / _SECOND


def _due(config: Config, domain: DomainName, one: Rotation) -> int:
    """When something is to be done next, in microseconds since 1970."""
    if one.step is Step.SPREAD:
        return one.since + max(one.denial_seconds, TTL_SECONDS) * _SECOND
    if one.step is Step.RETIRE:
        return one.since + int(_retire_seconds(config, domain, one) * _SECOND)
    if one.step is Step.DONE:
        return one.since + _LOOK_SECONDS * _SECOND
    pause = _ASK_SECONDS if one.asked - one.since < _FIRST_SECONDS * _SECOND else _ASK_LATER_SECONDS
    return one.asked + pause * _SECOND


def _retire_seconds(config: Config, domain: DomainName, one: Rotation) -> float:
    selectors = config.domains.domains[domain].dkim.selectors
    expirations = [
        selectors[pair.old].expiration for pair in one.pairs if pair.old in selectors and selectors[pair.old].expiration
    ]
    longest = max((found.seconds for found in expirations if found is not None), default=0.0)
    return max(RETIRE_SECONDS, min(longest, RETIRE_MOST_SECONDS))


async def _advance(app: Appliance, domain: DomainName, one: Rotation) -> Rotation:
    """As many steps as can be done now; each is written down. Where it has come to."""
    while one.step is not Step.DONE:
        try:
            after = await _STEPS[one.step](app, domain, one)
        except (Problem, UpdateFailed, OSError, ValueError) as problem:
            after = _with_problem(app, one, str(problem) or type(problem).__name__)
        if after.step is not one.step:
            log.info("DKIM keys", domain=str(domain), step=_NAMES[after.step])
            after = replace(after, since=app.clock.microseconds(), hurried=False, problem="", problem_since=0, asked=0)
        elif after.problem and after.problem != one.problem:
            log.warn("DKIM keys cannot go on yet", domain=str(domain), step=_NAMES[one.step], why=after.problem)
        if after != one:
            await app.store.write(rotation.put, str(domain), after)
        if after.step is one.step:
            return after
        one = after
    return one


def _with_problem(app: Appliance, one: Rotation, problem: str) -> Rotation:
    now = app.clock.microseconds()
    since = (one.problem_since or now) if problem else 0
    return replace(one, problem=problem, problem_since=since, asked=now)


async def _make(app: Appliance, domain: DomainName, one: Rotation) -> Rotation:
    """Keys that are there already were made before a crash."""
    made = []
    for pair in one.pairs:
        config = app.config.snapshot()
        selectors = config.domains.domains[domain].dkim.selectors
        old = selectors.get(pair.old)
        if old is None:
            raise BadSetting(f"key {pair.old} was removed meanwhile; abort, and begin anew")
        if pair.new not in selectors:
            await domainsettings.add_key(
                app,
                domain,
                pair.new,
                "ed25519" if dkimkeys.key_type(_key(config, domain, pair.old)) == "ed25519" else "rsa",
                hash=old.hash,
                canonicalization=old.canonicalization,
                seal=not old.dont_seal_headers,
                headers=old.headers,
                expiration=old.expiration,
            )
        record = dkimrecord.compose(_key(app.config.snapshot(), domain, pair.new))
        made.append(replace(pair, new_record=record))
    return replace(one, step=Step.PUBLISH, pairs=tuple(made))


async def _publish(app: Appliance, domain: DomainName, one: Rotation) -> Rotation:
    if one.hurried:
        return replace(one, step=Step.SPREAD)
    config = app.config.snapshot()
    entry = _entry(config, domain)
    updater = await trio.to_thread.run_sync(_updater, config, entry)
    problems = []
    if updater is not None:
        wanted = [Wanted(_name(entry, pair.new), "TXT", pair.new_record) for pair in one.pairs]
        steps = await dnspublish.plan(updater, entry, wanted)
        problems += [step.why_not for step in await dnspublish.apply(updater, entry, steps)]
    missing, denial = [], one.denial_seconds
    for pair in one.pairs:
        name = _name(entry, pair.new)
        for said in await app.zone_texts(_resolver(app), name):
            found = [text for text in said.texts if dkimrecord.is_record(text)]
            if said.problem:
                missing.append(f"{said.server}: {said.problem}")
            elif len(found) > 1:
                missing.append(f"{said.server} has {len(found)} key records of {name}")
            elif not found or not _is_same(found[0], pair.new_record):
                missing.append(f"{said.server} has {'another' if found else 'no'} record of {name}")
                denial = max(denial, min(said.ttl_seconds, _DENIAL_MOST_SECONDS))
    if not missing and not problems:
        return replace(one, step=Step.SPREAD, denial_seconds=denial)
    return replace(_with_problem(app, one, "; ".join(dict.fromkeys((*problems, *missing)))), denial_seconds=denial)


async def _spread(app: Appliance, domain: DomainName, one: Rotation) -> Rotation:
    if not one.hurried and app.clock.microseconds() < _due(app.config.snapshot(), domain, one):
        return one
    await domainsettings.replace_signing(app, domain, {pair.old: pair.new for pair in one.pairs})
    return replace(one, step=Step.RETIRE)


async def _retire(app: Appliance, domain: DomainName, one: Rotation) -> Rotation:
    if not one.hurried and app.clock.microseconds() < _due(app.config.snapshot(), domain, one):
        return one
    # Somebody may have switched back.
    signing = set(app.config.snapshot().domains.domains[domain].dkim.sign)
    if again := [pair.old for pair in one.pairs if pair.old in signing]:
        raise BadSetting(f"{', '.join(again)} sign again: somebody changed that; abort, or let the new ones sign")
    return replace(one, step=Step.WITHDRAW)


async def _withdraw(app: Appliance, domain: DomainName, one: Rotation) -> Rotation:
    """The key leaves the configuration first, so that nobody is told to publish it; its file goes at the end."""
    await _put_away(app, domain, [pair.old for pair in one.pairs], keep_files=True)
    config = app.config.snapshot()
    entry = _entry(config, domain)
    problems = []
    updater = await trio.to_thread.run_sync(_updater, config, entry)
    for pair in one.pairs:
        if updater is not None and not one.hurried:
            await _withdrawn(updater, entry, pair.old, pair.old_record)
        name = _name(entry, pair.old)
        for said in [] if one.hurried else await app.zone_texts(_resolver(app), name):
            if said.problem:
                problems.append(f"{said.server}: {said.problem}")
            elif any(_is_same(text, pair.old_record) for text in said.texts):
                problems.append(f"{said.server} has the record of {name} still")
    if problems:
        return _with_problem(app, one, "; ".join(dict.fromkeys(problems)))
    await trio.to_thread.run_sync(_unlink, config, [pair.old_file for pair in one.pairs])
    return replace(one, step=Step.DONE)


_STEPS: Final[Mapping[Step, Callable[[Appliance, DomainName, Rotation], Awaitable[Rotation]]]] = {
    Step.MAKE: _make,
    Step.PUBLISH: _publish,
    Step.SPREAD: _spread,
    Step.RETIRE: _retire,
    Step.WITHDRAW: _withdraw,
}


# Helpers.


def _get(app: Appliance, domain: DomainName) -> Rotation | None:
    with app.store.read() as tx:
        return rotation.get(tx, str(domain))


def _entry(config: Config, domain: DomainName) -> DomainEntry:
    configuring.require_domain(config, domain)
    return config.derived.addresses.domains[domain.domain.ascii]


def _under_way(app: Appliance, domain: DomainName) -> tuple[DomainEntry, Rotation]:
    entry = _entry(app.config.snapshot(), domain)
    one = _get(app, domain)
    if one is None or one.step is Step.DONE:
        raise BadSetting(f"no keys of {domain} are being replaced")
    return entry, one


def _key(config: Config, domain: DomainName, selector: str) -> "dkimkeys.PrivateKey":
    """Raises BadSetting."""
    entry = _entry(config, domain)
    key = config.derived.dkim_keys.get((entry.name, selector))
    if key is None:
        raise BadSetting(f"the key {selector} of {domain} cannot be read; see: moxpy config test")
    return key


def _pairs(config: Config, entry: DomainEntry, now: datetime) -> Iterator[Pair]:
    """Which keys take whose places. Raises BadSetting."""
    dkim = entry.config.dkim
    if not dkim.sign:
        raise BadSetting(f"no key signs for {entry.domain}, so there is none to replace")
    names = (f"{now.astimezone(UTC):%Y%m}{letter}" for letter in string.ascii_lowercase)
    free = (name for name in names if name not in dkim.selectors)
    for old in dkim.sign:
        record = dkimrecord.compose(_key(config, DomainName(entry.name), old))
        new = next(free, None)
        if new is None:
            raise BadSetting(f"{entry.domain} has too many keys of this month")
        yield Pair(old, new, record, old_file=str(dkim.selectors[old].private_key_file))


def _name(entry: DomainEntry, selector: str) -> str:
    return f"{selector}._domainkey.{entry.domain.ascii}"


def _line(entry: DomainEntry, selector: str, record: str) -> str:
    return f"{_name(entry, selector)}. TXT {Wanted('', 'TXT', record).data}"


def _is_same(text: str, record: str) -> bool:
    """Whether a published text has the key of a record, however it is spelled; a revoked one has none."""
    try:
        found = dkimrecord.parse(text).key
        return found is not None and found == dkimrecord.parse(record).key
    except dkimrecord.RecordError:
        return False


def _resolver(app: Appliance) -> Resolver:
    return (app.new_resolver() if app.new_resolver else app.resolver).named("rotation")


def _updater(config: Config, entry: DomainEntry) -> "Updater | None":
    """What changes records of a domain; None: nothing does. Raises OSError, ValueError."""
    settings = dnspublish.settings(config, entry)
    if settings is None:
        return None
    from appliance.dns import update

    return update.configured(settings, config.directory)


async def _withdrawn(updater: "Updater", entry: DomainEntry, selector: str, record: str) -> None:
    """Take a record away. Raises UpdateFailed."""
    for value in await updater.values(_name(entry, selector), Type.TXT):
        if _is_same(value, record):
            await updater.drop(_name(entry, selector), Type.TXT, value)


async def _put_away(app: Appliance, domain: DomainName, selectors: Sequence[str], *, keep_files: bool = False) -> None:
    """Take keys out of the configuration."""
    files = []
    for selector in selectors:
        found = app.config.snapshot().domains.domains[domain].dkim.selectors.get(selector)
        if found is not None:
            files.append(str(found.private_key_file))
            await domainsettings.remove_key(app, domain, selector)
    if not keep_files:
        await trio.to_thread.run_sync(_unlink, app.config.snapshot(), files)


def _unlink(config: Config, files: Sequence[str]) -> None:
    """Remove the files of keys that were put away."""
    for name in files:
        if name:
            file = config.path(name)
            (file.parent / "old" / Path(name).name).unlink(missing_ok=True)


def _at(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / _SECOND, UTC)


def _told(config: Config, entry: DomainEntry, one: Rotation) -> Told:
    updates = dnspublish.settings(config, entry) is not None
    goes_on = _due(config, DomainName(entry.name), one) if one.step in {Step.SPREAD, Step.RETIRE} else None
    add = [_line(entry, pair.new, pair.new_record) for pair in one.pairs] if one.step is Step.PUBLISH else []
    remove = [_line(entry, pair.old, pair.old_record) for pair in one.pairs] if one.step is Step.WITHDRAW else []
    return Told(
        domain=entry.name,
        step=_NAMES[one.step],
        text=_TEXTS[one.step],
        selectors={pair.old: pair.new for pair in one.pairs},
        began=_at(one.began),
        since=_at(one.since),
        goes_on=None if goes_on is None else _at(goes_on),
        automatic=one.automatic,
        updates=updates,
        add=add,
        remove=remove,
        problem=one.problem,
    )


_TEXTS: Final = {
    Step.MAKE: "the new keys are being made",
    Step.PUBLISH: "the records of the new keys are to be seen at all name servers",
    Step.SPREAD: "the records are there; who asked before may not know it yet",
    Step.RETIRE: "the new keys sign; what the old ones signed is on its way",
    Step.WITHDRAW: "the records of the old keys are to go from all name servers",
    Step.DONE: "done",
}
