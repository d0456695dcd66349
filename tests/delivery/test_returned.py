"""Notices of other servers about messages of ours: taken in, and written down with the message they are about."""

import json

import pytest

from appliance.delivery import returned
from appliance.store import hook, queued, submission, suppression
from appliance.store.bodies import of_octets
from appliance.store.hookrecords import Hook
from appliance.store.queuerecords import QueuedMessage
from appliance.store.submission import NewSubmission
from appliance.store.tables import BodyID, MessageID, QueueID, Table
from appliance.store.transaction import decode
from support.judging import DOMAINS, account, contents, deliver, judging_house, reason, teach

HOUSE = DOMAINS.replace('[domains."example.org"]\n', '[domains."example.org"]\nlocalpart_catchall_separators = ["+"]\n')
ID = "cHJvdmVyYmlhbGx5bG"
YEAR = 365 * 24 * 3600 * 1_000_000
REFUSED = "451 4.3.0 error processing"
TAKEN = "250 2.2.0 message is stored"
GONE = "failed 5.1.1 smtp; 550 5.1.1 gone"


def notice(*told, report="delivery-status", subject="Undelivered"):
    """A notice; each recipient as `action status diagnostic`."""
    groups = ["Reporting-MTA: dns; mx.them.example"]
    for one in told:
        action, status, *diagnostic = one.split(" ", 2)
        lines = ["Final-Recipient: rfc822; other@them.example", f"Action: {action}", f"Status: {status}"]
        groups.append("\r\n".join(lines + [f"Diagnostic-Code: {each}" for each in diagnostic]))
    return (
        f"From: MAILER-DAEMON@fail.example\r\nTo: alice@example.org\r\nSubject: {subject}\r\n"
        f"Message-ID: <n@fail.example>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={report}; boundary="b"\r\n\r\n'
        "--b\r\n\r\nSorry gibberish nonsense rubbish.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        + "\r\n\r\n".join(groups)
        + "\r\n\r\n--b--\r\n"
    ).encode()


def add(house, name="alice", *, from_id=ID, success=True, keep=YEAR, is_done=True, submission=0):
    """A message that was sent."""
    one = QueuedMessage(
        id=QueueID(0),
        base_id=QueueID(0),
        account=account(house, name),
        queued=0,
        reverse_path=f"{name}+{from_id}@example.org",
        recipient="Bo.b@them.example",
        body=BodyID(0),
        size=0,
        next_attempt=house.app.clock.microseconds() + YEAR,
        from_id=from_id,
        submission=submission,
    )
    house.store.write_sync(queued.add, [one], of_octets(b"\r\n"))
    if is_done:
        house.store.write_sync(queued.remove, one, success=success, keep=keep)
    return one.id


def known(house, id=1):
    with house.store.read() as tx:
        return queued.retired(tx, id)


def entries(house, name="alice"):
    with house.store.read() as tx:
        return [(one.base_address, one.reason) for one in suppression.some(tx, account(house, name), "", 10)]


async def bring(house, octets, *, from_id=ID, mail_from="", to="alice"):
    """To an account that takes such words for junk: all notices have them."""
    if to == "alice" and not contents(house):
        await teach(house, dict.fromkeys(("sorry", "gibberish", "nonsense", "rubbish"), (0, 50)))
    address = f"{to}+{from_id}@example.org" if from_id else f"{to}@example.org"
    return await deliver(house, octets, address, mail_from=mail_from, helo="fail.example")


async def test_a_notice_about_a_message_of_ours(tmp_path):
    async with judging_house(tmp_path, HOUSE) as house:
        add(house)
        house.app.clock.move(60)
        assert await bring(house, notice(GONE)) == TAKEN
        assert contents(house)["Inbox"][-1] == "Undelivered"
        assert reason(house) == "notice"
        done = known(house)
        (result,) = done.results
        assert (done.success, done.last_activity) == (False, result.start)
        assert result.start == house.app.clock.microseconds()
        assert (result.success, result.code, result.status) == (False, 550, "5.1.1")
        assert result.text == "notice from mx.them.example: failed: 550 5.1.1 gone"
        assert entries(house) == [("bob@them.example", "delivery failed: 550 5.1.1 gone")]
        with house.store.read() as tx:
            assert queued.outcomes(tx, account(house), "Bo.b@them.example", 5) == [False]


@pytest.mark.parametrize(
    ("told", "result", "success", "is_suppressed"),
    [
        (GONE, (False, 550, "5.1.1"), False, True),
        ("failed 5.1.1", (False, 0, "5.1.1"), False, True),
        ("failed 5.0.0 smtp; 554 no", (False, 554, "5.0.0"), False, False),
        ("failed 5.2.2 x-unix; mailbox is full", (False, 0, "5.2.2"), False, False),
        ("failed 4.4.7 smtp; 421 4.4.2 later", (False, 421, "4.4.7"), False, False),
        ("failed 5.0.0 smtp; 5501 nothing", (False, 0, "5.0.0"), False, False),
        ("delayed 4.4.1", (False, 0, "4.4.1"), True, False),
        ("delayed 4.1.1 smtp; 450 4.1.1 wait", (False, 450, "4.1.1"), True, False),
        ("delivered 2.0.0", (True, 0, "2.0.0"), True, False),
        ("relayed 2.0.0 smtp; 250 2.0.0 ok", (True, 250, "2.0.0"), True, False),
        ("expanded 2.1.5", (True, 0, "2.1.5"), True, False),
    ],
)
async def test_what_it_says(tmp_path, told, result, success, is_suppressed):
    async with judging_house(tmp_path, HOUSE) as house:
        add(house)
        assert await bring(house, notice(told)) == TAKEN
        done = known(house)
        assert [(one.success, one.code, one.status) for one in done.results] == [result]
        assert done.success is success
        assert [address for address, _ in entries(house)] == ["bob@them.example"] * is_suppressed


@pytest.mark.parametrize(
    ("sent", "octets", "options"),
    [
        pytest.param({}, notice(GONE), {"from_id": "x" * 18}, id="an id nobody has"),
        pytest.param({}, notice(GONE), {"from_id": ID.lower()}, id="in lower case"),
        pytest.param({}, notice(GONE), {"from_id": ""}, id="no id"),
        pytest.param({}, notice(GONE), {"to": "bob"}, id="another account"),
        pytest.param({}, notice(GONE, GONE), {}, id="two recipients"),
        pytest.param({}, notice(), {}, id="no recipient"),
        pytest.param({}, notice("lost 5.1.1"), {}, id="unreadable"),
        pytest.param({}, notice(GONE, report="disposition-notification"), {}, id="another report"),
        pytest.param({}, b"From: x@fail.example\r\n\r\nSorry gibberish nonsense rubbish.\r\n", {}, id="no report"),
        pytest.param({"keep": 0}, notice(GONE), {}, id="nothing is remembered"),
    ],
)
async def test_mail_like_any_other(tmp_path, sent, octets, options):
    async with judging_house(tmp_path, HOUSE) as house:
        add(house, **sent)
        # Bob has no filter.
        assert await bring(house, octets, **options) == (TAKEN if "to" in options else REFUSED)
        if not sent:
            assert (known(house).success, known(house).results) == (True, ())
        assert entries(house) == []


@pytest.mark.parametrize(
    ("sent", "options"),
    [
        pytest.param({"from_id": "word"}, {"from_id": "word"}, id="an id that others guess"),
        pytest.param({}, {"mail_from": "x@fail.example"}, id="not from the null path"),
    ],
)
async def test_judged_like_any_other_and_heard_where_it_is_taken(tmp_path, sent, options):
    """Bob takes what his history and filter, of which he has none, do not speak against."""
    async with judging_house(tmp_path, HOUSE) as house:
        for name in ("alice", "bob"):
            add(house, name, **{**sent, "from_id": f"{sent.get('from_id', ID)}{name[0]}"})
        from_id = options.get("from_id", ID)
        assert await bring(house, notice(GONE), **{**options, "from_id": from_id + "a"}) == REFUSED
        assert known(house).results == ()
        octets = notice(GONE).replace(b"fail.example", b"sender.example")
        mail_from = options.get("mail_from", "").replace("fail", "sender")
        assert await deliver(house, octets, f"bob+{from_id}b@example.org", mail_from=mail_from) == TAKEN
        assert reason(house, "bob/Inbox") == "no-bad-signals"
        assert known(house, 2).success is False


async def test_of_a_message_in_the_queue_nothing_is_written_down(tmp_path):
    async with judging_house(tmp_path, HOUSE) as house:
        id = add(house, is_done=False)
        with house.store.read() as tx:
            before = queued.get(tx, id)
        assert await bring(house, notice("delayed 4.4.1")) == TAKEN
        assert reason(house) == "notice"
        with house.store.read() as tx:
            assert queued.get(tx, id) == before


async def test_three_in_a_row_that_failed_after_all(tmp_path):
    async with judging_house(tmp_path, HOUSE) as house:
        for number in range(3):
            add(house, from_id=f"{ID}{number}")
        for number in range(3):
            assert entries(house) == []
            assert await bring(house, notice("failed 5.0.0 smtp; 554 no"), from_id=f"{ID}{number}") == TAKEN
        assert [address for address, _ in entries(house)] == ["bob@them.example"]


async def test_notices_that_come_again_and_again(tmp_path):
    async with judging_house(tmp_path, HOUSE) as house:
        id = add(house)
        for _ in range(queued.RESULTS_KEPT + 1):
            house.store.write_sync(
                lambda tx: queued.add_result(
                    tx, queued.retired(tx, id), queued.Attempt(tx.now, text="again"), failed=False
                )
            )
        assert await bring(house, notice("delivered 2.0.0")) == TAKEN
        results = known(house).results
        assert (len(results), results[-1].success) == (queued.RESULTS_KEPT, True)


# Webhooks.

HOOKS = HOUSE.replace(
    "[accounts.alice]\n",
    '[accounts.alice]\noutgoing_webhook = { url = "https://app.example/out" }\n'
    'incoming_webhook = { url = "https://app.example/in" }\n',
).replace("[accounts.alice.junk_filter]", "[accounts.bob.junk_filter]")


def hooks(house):
    with house.store.read() as tx:
        found = [decode(Hook, value) for _, value in tx.scan_prefix(Table.HOOK, b"")]
        return [(one.event, json.loads(hook.payload(tx, one.id))) for one in found]


@pytest.mark.parametrize(
    ("octets", "event", "code", "status", "error"),
    [
        (notice(GONE), "failed", 550, "5.1.1", "gone"),
        (notice("failed 5.1.1"), "failed", 500, "5.1.1", "5.1.1"),
        (notice("delayed 4.4.1"), "delayed", 400, "4.4.1", "4.4.1"),
        (notice("relayed 2.0.0 smtp; 250 2.0.0 ok"), "relayed", 250, "2.0.0", ""),
        (notice("expanded 2.1.5"), "expanded", 0, "2.1.5", ""),
        (notice(GONE, GONE), "unrecognized", 0, "", returned.UNRECOGNIZED),
        (b"From: x@fail.example\r\n\r\nI am out.\r\n", "unrecognized", 0, "", returned.UNRECOGNIZED),
    ],
)
async def test_told_by_a_webhook(tmp_path, octets, event, code, status, error):
    """What comes to the sender address of a message is no mail that came in."""
    async with judging_house(tmp_path, HOOKS) as house:
        add(house)
        assert await deliver(house, octets, f"alice+{ID}@example.org", mail_from="") == TAKEN
        ((name, payload),) = hooks(house)
        assert name == payload["Event"] == event
        assert (payload["DSN"], payload["QueueMsgID"], payload["FromID"]) == (True, 1, ID)
        assert (payload["SMTPCode"], payload["SMTPEnhancedCode"], payload["Error"]) == (code, status, error)
        assert payload["Suppressing"] is (event == "failed")
        assert len(known(house).results) == 1


@pytest.mark.parametrize(("octets", "count"), [(notice(GONE), 1), (b"From: x@fail.example\r\n\r\nI am out.\r\n", 0)])
async def test_only_notices_are_told_with_a_submission(tmp_path, octets, count):
    """RFC 8621 §7, dsnBlobIds: other mail to the sender's address is none."""
    async with judging_house(tmp_path, HOOKS) as house:
        new = NewSubmission("I1", MessageID(7), MessageID(5), "alice@example.org", {}, {})

        def submit(tx):
            return submission.add(tx, account(house), submission.begin(tx, account(house)), new, [], tx.now)

        one = house.store.write_sync(submit)
        add(house, submission=one.id)
        assert await deliver(house, octets, f"alice+{ID}@example.org", mail_from="") == TAKEN
        with house.store.read() as tx:
            assert len(submission.find(tx, account(house), one.id).notices) == count


@pytest.mark.parametrize(
    ("sent", "from_id"),
    [({}, "x" * 18), ({"is_done": False}, ID), ({"keep": 0}, ID)],
    ids=["unknown", "queued", "gone"],
)
async def test_incoming_when_no_message_is_known(tmp_path, sent, from_id):
    async with judging_house(tmp_path, HOOKS) as house:
        add(house, **sent)
        assert await deliver(house, notice(GONE), f"alice+{from_id}@example.org", mail_from="") == TAKEN
        ((name, payload),) = hooks(house)
        assert name == "incoming"
        assert payload["Meta"]["Automated"] is True
        assert payload["Meta"]["MailFrom"] == ""
        assert payload["Meta"]["RemoteIP"] == "192.0.2.1"


async def test_no_webhook_for_what_is_refused(tmp_path):
    """Nor for the copy of it in Rejects."""
    async with judging_house(
        tmp_path, HOOKS.replace("[accounts.bob.junk_filter]", "[accounts.alice.junk_filter]")
    ) as house:
        await teach(house, dict.fromkeys(("sorry", "gibberish", "nonsense", "rubbish"), (0, 50)))
        octets = b"From: x@fail.example\r\n\r\nSorry gibberish nonsense rubbish.\r\n"
        assert (
            await deliver(house, octets, "alice@example.org", mail_from="x@fail.example", helo="fail.example")
            == REFUSED
        )
        assert contents(house)["Rejects"]
        assert hooks(house) == []
