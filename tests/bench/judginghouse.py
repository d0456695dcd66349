"""A house as `moxpy serve` runs it, with a new configuration and another way to the DNS, that can be asked for figures.

`python -m bench.judginghouse FOLDER SMTP IMAP DNS`: a folder with nothing in it yet, and ports of the loopback. A line
with a question on its standard input gets a line of JSON as the answer:

    state            what the filter has learned: hams, spams, words
    checks FILE N    microseconds of processor of the checks of each message of FILE (JSON of client and messages), N times
    classify FILE N  the same of their classification, and the probability of each that it is junk
    watch            from now on the longest steps of the event loop are noted, which costs time
    watched          those so far, in milliseconds of processor and of time, and the task; none is noted any more
    wait             from now on a task asks for its turn every millisecond
    waited           by how many milliseconds of the house's own work it was late: 99 of 100 times, and at most
"""

import base64
import ipaddress
import json
import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio
from trio.lowlevel import FdStream, add_instrument, remove_instrument

from appliance.base import limits, log
from appliance.base.clock import SystemClock
from appliance.config.domains import Domains
from appliance.config.generate import new_account, render
from appliance.config.source import ConfigSource
from appliance.config.values import AddressName
from appliance.delivery import judge, junk
from appliance.delivery.appliance import Appliance
from appliance.dns.network import Network
from appliance.dns.resolvconf import Configuration, NameServer
from appliance.dns.resolver import Resolver
from appliance.mail.address import parse_path
from appliance.mail.domain import parse_domain
from appliance.mail.scan import scan
from appliance.msgauth import check
from appliance.msgauth.client import Client
from appliance.operations import accounts, passwords
from appliance.serve import Parts, serve
from appliance.store import junk as stored, tables
from appliance.store.defaults import STORE
from appliance.store.store import Store
from appliance.store.tables import Table

ACCOUNT, ADDRESS, PASSWORD = "bench", "bench@ours.example", "correct-horse"
#: Steps that are told.
LONGEST = 20


def configure(folder: Path, smtp: int, imap: int) -> ConfigSource:
    """A house with one account, as it is generated, whom strangers need not wait for."""
    (folder / "moxpy.toml").write_text(
        f"""\
data_dir = "data"
log_level = "info"
user = "{os.getuid()}"
hostname = "mx.ours.example"

[postmaster]
account = "{ACCOUNT}"
mailbox = "Postmaster"

[listeners.local]
ips = ["127.0.0.1"]

[listeners.local.smtp]
enabled = true
port = {smtp}
no_starttls = true
first_time_sender_delay = "0s"

[listeners.local.imap]
enabled = true
port = {imap}
no_require_starttls = true
"""
    )
    account = new_account(AddressName(ADDRESS))
    (folder / "domains.toml").write_text(
        '[domains."ours.example"]\n' + render(Domains(domains={}, accounts={ACCOUNT: account}))
    )
    source = ConfigSource(folder / "moxpy.toml")
    config = source.snapshot()
    config.data_directory.mkdir()
    store = Store(config.data_directory, clock=SystemClock(), limits=STORE)
    try:
        accounts.create_missing(store, config)
        accounts.set_password_sync(store, ACCOUNT, passwords.derive_credentials(PASSWORD, SystemClock().microseconds()))
    finally:
        store.close()
    return source


class Steps(trio.abc.Instrument):
    """The longest steps of the event loop: what nobody else could do anything in."""

    def __init__(self) -> None:
        self.longest: list[tuple[float, float, str]] = []
        self._cpu, self._began = time.thread_time(), time.perf_counter()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began, self._cpu = time.perf_counter(), time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        cpu, seconds = time.thread_time() - self._cpu, time.perf_counter() - self._began
        if cpu > 0.001 or seconds > 0.005:
            self.longest.append((cpu * 1000, seconds * 1000, task.name))
            if len(self.longest) > 10 * LONGEST:
                self._cut()

    def _cut(self) -> None:
        self.longest = sorted(self.longest, reverse=True)[:LONGEST]

    def told(self) -> list[tuple[float, float, str]]:
        self._cut()
        return self.longest


class Heart:
    """What anybody else has to wait: for steps of the event loop, and for threads that hold the interpreter.

    Not for other programs: what counts is processor time of this one.
    """

    BEAT_SECONDS = 0.001

    def __init__(self) -> None:
        self._late: list[float] = []
        self._scope = trio.CancelScope()

    async def beat(self) -> None:
        with self._scope:
            while True:
                began, worked = time.perf_counter(), time.process_time()
                await trio.sleep(self.BEAT_SECONDS)
                late = time.perf_counter() - began - self.BEAT_SECONDS
                self._late.append(min(late, time.process_time() - worked) * 1000)

    def stop(self) -> list[float]:
        self._scope.cancel()
        late = sorted(self._late) or [0.0]
        return [late[len(late) * 99 // 100], late[-1]]


@dataclass
class Asked:
    """The questions."""

    app: Appliance
    nursery: trio.Nursery
    steps: Steps | None = None
    heart: Heart | None = None

    async def answer(self, line: str) -> Any:
        match line.split():
            case ["state"]:
                return self.state()
            case ["checks", file, times]:
                return await self.checks(json.loads(Path(file).read_text()), int(times))
            case ["classify", file, times]:
                return await self.classify(json.loads(Path(file).read_text()), int(times))
            case ["watch"]:
                self.steps = Steps()
                add_instrument(self.steps)
                return {}
            case ["watched"]:
                assert self.steps is not None
                remove_instrument(self.steps)
                return self.steps.told()
            case ["wait"]:
                self.heart = Heart()
                self.nursery.start_soon(self.heart.beat)
                return {}
            case ["waited"]:
                assert self.heart is not None
                return self.heart.stop()
        raise ValueError(line)

    def state(self) -> dict[str, int]:
        with self.app.store.read() as tx:
            account = tx.account_id(ACCOUNT)
            assert account is not None
            state = stored.learned(tx, account)
            words = sum(1 for _ in tx.scan_prefix(Table.JUNK_WORD, tables.word_prefix(account, state.filter)))
        return {"hams": state.hams, "spams": state.spams, "words": words}

    async def checks(self, asked: dict[str, Any], times: int) -> list[float]:
        taken = []
        for number in range(times * len(asked["messages"])):
            mail_from, encoded = asked["messages"][number % len(asked["messages"])]
            octets = base64.b64decode(encoded)
            client = Client(
                ipaddress.ip_address(asked["address"]),
                parse_domain(asked["helo"]),
                parse_path(f"<{mail_from}>".encode(), smtputf8=False),
                "mx.ours.example",
            )
            scanned = scan(octets, limits.SCAN)
            message = check.Message(scanned.header, scanned.size, lambda start, end, octets=octets: octets[start:end])
            began = time.process_time()
            found = await check.check(self.app.resolver, client, message, judge.log, chance=0.5)
            taken.append((time.process_time() - began) * 1e6)
            told = found.spf.status, *(one.status for one in found.dkim), found.dmarc.status
            if [str(one) for one in told] != ["pass"] * 4:
                raise ValueError(f"a check of a message of ours failed: {found}")
        return taken

    async def classify(self, asked: dict[str, Any], times: int) -> list[tuple[float, float]]:
        taken = []
        settings = self.app.config.snapshot().domains.accounts[ACCOUNT].junk_filter
        assert settings is not None
        with self.app.store.read() as tx:
            account = tx.account_id(ACCOUNT)
        assert account is not None
        for number in range(times * len(asked["messages"])):
            octets = base64.b64decode(asked["messages"][number % len(asked["messages"])][1])
            scanned = scan(octets, limits.SCAN)
            began = time.process_time()
            words = junk.Words(scanned, lambda start, end, octets=octets: octets[start:end])
            score = await junk.classify(self.app.store, account, words, settings)
            taken.append(((time.process_time() - began) * 1e6, score.probability))
        return taken


async def run(source: ConfigSource, parts: Parts) -> None:
    """Serve, and answer questions meanwhile."""
    started = trio.Event()
    houses: list[Appliance] = []

    def ready(app: Appliance) -> None:
        houses.append(app)
        started.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answering, started, houses, nursery)
        await serve(source, parts, ready=ready)
        nursery.cancel_scope.cancel()


async def answering(started: trio.Event, houses: list[Appliance], nursery: trio.Nursery) -> None:
    await started.wait()
    asked = Asked(houses[0], nursery)
    async with FdStream(os.dup(0)) as stream:
        rest = b""
        async for octets in stream:
            *lines, rest = (rest + octets).split(b"\n")
            for line in lines:
                print(json.dumps(await asked.answer(line.decode())), flush=True)


def main() -> None:
    folder, smtp, imap, names = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    log.configure("info")
    source = configure(folder, smtp, imap)
    asked = Configuration(servers=(NameServer("127.0.0.1", names),))

    def resolver(_: ConfigSource) -> Resolver:
        network = Network(SystemClock(), configuration=asked)
        return Resolver(network, kept=network.kept)

    trio.run(partial(run, source, Parts(resolver=resolver)))


if __name__ == "__main__":
    main()
