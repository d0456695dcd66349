"""Messages made to keep a server busy are looked at in threads: the loop has no long step because of them."""

import gc
import time
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from support.judging import DOMAINS, deliver, judging_house, mail, teach

#: Of processor time, so that it does not matter what else the machine does. What is looked at inline takes some 2.
MOST_SECONDS = 0.03
ALICE = "alice@example.org"
MEMBERS = [f"m{number}@example.org" for number in range(300)]
PEOPLE = ",\r\n ".join(f"<person{number}@domain{number % 50}.example>" for number in range(3500))
RULE = '[[accounts.alice.destinations."{0}".rulesets]]\nheaders_regexp = {{ "^x-none-{1}$" = "value.*x" }}\nmailbox = "Lists"\n'
HOUSE = (
    DOMAINS.replace(
        '[domains."example.org"]\n',
        f'[domains."example.org"]\n[domains."example.org".aliases.team]\npost_public = true\naddresses = {MEMBERS}\n',
    ).replace(
        f'[accounts.alice.destinations."{ALICE}"]\n',
        f'[accounts.alice.destinations."{ALICE}"]\n' + "".join(RULE.format(ALICE, number) for number in range(100)),
    )
    + "".join(f'[accounts.m{number}.destinations."{member}"]\n' for number, member in enumerate(MEMBERS))
    + '[accounts.alice.subject_pass]\nperiod = "12h"\n'
)
FIELDS = {f"X_Field_{number}": "v" * 200 for number in range(1000)}
TEXT = "<p>the <b>quick</b> brown fox &amp; jumps</p>\r\n" * 2200
SUBJECT = "\r\n ".join(["=?utf-8?q?=C3=A9" + "a" * 50 + "?="] * 1500)


class Steps(trio.abc.Instrument):
    """The longest step of a session."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if "serve" in task.name:
            self.longest = max(self.longest, time.thread_time() - self._began)


@pytest.mark.parametrize(
    ("octets", "to"),
    [
        pytest.param(mail(**FIELDS), ALICE, id="rulesets and a large header"),
        pytest.param(mail().replace(b"<alice@example.org>", PEOPLE.encode()), ALICE, id="To"),
        pytest.param(mail().replace(b"<ann@sender.example>", PEOPLE.encode()), ALICE, id="From"),
        pytest.param(mail(SUBJECT, Message_ID="<x@y.example>"), ALICE, id="Subject"),
        pytest.param(mail(body=TEXT, Content_Type="text/html"), ALICE, id="HTML"),
        pytest.param(mail(), "team@example.org", id="an alias of many"),
    ],
)
async def test_no_long_step(tmp_path: Path, octets: bytes, to: str) -> None:
    longest = []
    async with judging_house(tmp_path, HOUSE) as house:
        house.door = replace(house.door, protocol=replace(house.door.protocol, max_message_octets=1_000_000))
        await teach(house, {"quick": (20, 20)}, hams=20, spams=20)
        await deliver(house, mail("first"))  # Reads what is read once.
        gc.collect()
        gc.disable()  # What other tests left behind is not what is asked about.
        try:
            for _ in range(3):
                steps = Steps()
                trio.lowlevel.add_instrument(steps)
                assert await deliver(house, octets, to) == "250 2.2.0 message is stored"
                trio.lowlevel.remove_instrument(steps)
                longest.append(steps.longest)
        finally:
            gc.enable()
    # A step that must take long does so each time.
    assert 0 < min(longest) < MOST_SECONDS
