"""What is to be seen in pages, written into a localserve folder before it starts: mail under way and refused, webhooks,
reports, attempts to log in. Strings that mail and other people's programs bring end in a text that a test chooses."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from appliance.base.clock import SystemClock
from appliance.mail.dmarcreport import DMARCReport, PublishedPolicy, Reason, Record
from appliance.mail.domain import parse_domain
from appliance.mail.tlsreport import Failure, PolicyResult, TLSReport
from appliance.store import bodies, evaluation, hook, queued, report, suppression, tlsresult
from appliance.store.attempts import ATTEMPTS
from appliance.store.defaults import STORE
from appliance.store.evaluation import Evaluation
from appliance.store.hookrecords import Hook, HookAttempt
from appliance.store.queuerecords import Attempt, QueuedMessage
from appliance.store.records import LoginAttempt
from appliance.store.refusal import REFUSALS, Refusal
from appliance.store.store import Store
from appliance.store.tables import NOBODY, BodyID, HookID, QueueID
from appliance.store.transaction import WriteTx

#: What would be seen if anything were taken for markup: an image, a script that runs, an attribute that ends too early.
HOSTILE = """<img src=x id=pwned onerror="document.title='pwned'">"'><b id=pwned>&lt;</b>"""
SECOND = 1_000_000
HOUR = 3600 * SECOND
#: Long enough that nothing of it happens meanwhile.
LATER = 48 * HOUR
OURS = "localhost"
ACCOUNT = "mox"


def fill(folder: Path, text: str = "") -> None:
    """`folder`: made by `moxpy localserve --initonly`."""
    store = Store(folder, clock=SystemClock(), limits=STORE)
    try:
        for part in (_queue, _hooks, _reports, _logins, _refusals):
            store.write_sync(part, f" {text}" if text else "")
        assert store.verify() == []
    finally:
        store.close()


def _message(tx: WriteTx, to: str, subject: str, results: tuple[Attempt, ...], **values: object) -> QueuedMessage:
    one = QueuedMessage(
        QueueID(0), QueueID(0), tx.account_id(ACCOUNT), 0, "mox@localhost", to, BodyID(0), 4321, tx.now + LATER,
        message_id=f"<{len(to)}.{abs(hash(subject)) % 9999}@localhost>", subject=subject, attempts=len(results),
        last_attempt=results[-1].start if results else 0, results=results, **values,  # type: ignore[arg-type]
    )  # fmt: skip
    queued.add(tx, [one], bodies.of_octets(b"Subject: seen\r\n\r\nx\r\n"))
    return one


def _queue(tx: WriteTx, text: str) -> None:
    greylisted = Attempt(tx.now - HOUR, 2 * SECOND, False, 451, "4.7.1", f"Greylisted, please try again later{text}")
    timeout = Attempt(
        tx.now - HOUR // 2, 30 * SECOND, False, 0, "4.4.1", f"connecting to mx.slow.example: timed out{text}"
    )
    unknown = Attempt(tx.now - 2 * HOUR, SECOND, False, 550, "5.1.1", f"No such user here{text}")
    taken = Attempt(tx.now - 3 * HOUR, SECOND, True, 250, "2.0.0", f"Ok: queued as 4F2A1{text}")
    _message(
        tx,
        "carol@shy.example",
        f"Minutes of the meeting{text}",
        (greylisted, greylisted),
        extra={f"order{text}": f"4711{text}"},
    )
    _message(tx, "dave@slow.example", f"Invoice 2026-118{text}", (timeout,), requiretls=True)
    _message(
        tx, "a.very.long.localpart.of.somebody@department.of.something.example.org", f"Greetings{text}", (), hold=True
    )
    for to, subject, result in (
        ("nobody@firm.example", "Where are you?", unknown),
        ("erin@friends.example", "Photographs", taken),
    ):
        _message(tx, to, f"{subject}{text}", (result,))
        (last,) = [one for one in queued.all_messages(tx) if one.recipient == to]
        queued.remove(tx, last, success=result.success, keep=LATER)
    for name in ("nobody", "somebody"):
        address = f"{name}@firm.example"
        reason = f"550 5.1.1 No such user here{text}"
        suppression.add(tx, tx.account_id(ACCOUNT), address, address, manual=False, reason=reason)


def _hooks(tx: WriteTx, text: str) -> None:
    refused = HookAttempt(
        tx.now - HOUR,
        SECOND // 5,
        "https://hooks.example/mail",
        False,
        500,
        f"status 500{text}",
        f"<h1>Oops</h1>{text}",
    )
    fine = HookAttempt(tx.now - HOUR, SECOND // 9, "https://hooks.example/mail", True, 200, "", f"thanks{text}")
    for event, result in (("delayed", refused), ("delivered", fine), ("failed", None)):
        hook.add(
            tx,
            Hook(
                HookID(0), tx.account_id(ACCOUNT), event, "https://hooks.example/mail", submitted=tx.now - HOUR, next_attempt=tx.now + LATER,
                from_id="Zk3Qw", message_id="<1@localhost>", subject=f"Minutes of the meeting{text}",
                extra={f"order{text}": f"4711{text}"}, attempts=int(result is not None), results=(result,) if result else (),
            ),
            msgspec.json.encode({"Version": 0, "Event": event, "Subject": f"Minutes of the meeting{text}"}),
            keep=LATER,
        )  # fmt: skip
        if result is fine:
            last = max(
                (one for number in range(1, 20) if (one := hook.get(tx, HookID(number)))), key=lambda one: one.id
            )
            hook.retire(tx, last, success=True, keep=LATER)


def _reports(tx: WriteTx, text: str) -> None:
    now = datetime.fromtimestamp(tx.now // SECOND, UTC)
    for days, name in ((1, "Big Mail"), (2, "Other Mail"), (9, "Big Mail")):
        begin = now - timedelta(days=days + 1)
        rows = (
            Record("192.0.2.1", 120 * days, "none", "pass", "pass", header_from=f"{OURS}{text}"),
            Record(
                "2001:db8::25", 7, "reject", "fail", "fail", (Reason(f"forwarded{text}", f"by a list{text}"),),
                header_from=f"{OURS}{text}", envelope_from=f"list.example{text}",
            ),
        )  # fmt: skip
        dmarc = DMARCReport(
            f"{name}{text}", f"dmarc@big.example{text}", f"{days}-dmarc{text}", begin, begin + timedelta(days=1),
            PublishedPolicy(OURS, f"reject{text}"), rows, f"https://big.example/{text}", (f"lookup failed{text}",),
        )  # fmt: skip
        failures = (
            Failure(
                f"certificate-expired{text}", "192.0.2.9", f"mx.localhost{text}", f"mx{text}", "192.0.2.10", 3,
                f"https://big.example/{text}", f"X509{text}",
            ),
        )  # fmt: skip
        policy = PolicyResult(f"sts{text}", OURS, (f"mode: enforce{text}",), (f"*.localhost{text}",), 740, 3, failures)
        tls = TLSReport(
            f"{name}{text}", f"tls@big.example{text}", f"{days}-tls{text}", begin, begin + timedelta(days=1), (policy,)
        )
        for one in (dmarc, tls):
            report.add(tx, one, domains=[parse_domain(OURS)], sender=parse_domain("big.example"), most=100)
    for domain in ("shy.example", "slow.example"):
        row = Record("198.51.100.3", 1, "none", "pass", "fail", header_from=f"{domain}{text}")
        policy = PublishedPolicy(domain, f"none{text}")
        one = Evaluation(domain, tx.now, False, 24, (f"mailto:reports@{domain}{text}",), policy, row)
        evaluation.note(tx, one, most=10)
    tlsresult.note(
        tx,
        "shy.example",
        "shy.example",
        tls.policies,
        is_host=False,
        sends_report=True,
        most=10,
        policies=5,
        failures=5,
    )


def _logins(tx: WriteTx, text: str) -> None:
    for result, agent, protocol, mechanism in (
        ("badcreds", f"curl/8.5.0{text}", "webaccount", "weblogin"),
        ("badcreds", f"Thunderbird{text}", "imap", f"plain{text}"),
        (
            "ok",
            f"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0{text}",
            "webaccount",
            "weblogin",
        ),
    ):
        attempt = LoginAttempt(
            f"mox@localhost{text}" if result != "ok" else "mox@localhost", "203.0.113.7", "127.0.0.1", "TLS 1.3", "",
            protocol, agent, mechanism, result, tx.now - 3 * HOUR, tx.now - HOUR, 3,
        )  # fmt: skip
        ATTEMPTS.note(tx, tx.account_id(ACCOUNT), attempt)


def _refusals(tx: WriteTx, text: str) -> None:
    account, moment = tx.account_id(ACCOUNT), tx.now - HOUR
    junk = Refusal(
        stage="data", reason="junk-content", remote_ip="203.0.113.7", code=451, status="4.3.0", text=f"error processing{text}",
        helo=f"mx.shop.example{text}", mail_from=f"offers@shop.example{text}", rcpt_to="mox@localhost", msg_from=f"offers@shop.example{text}",
        message_id=f"offer.1@shop.example{text}", size_octets=18_200, spf="pass", dkim=(f"shop.example{text}",), dmarc="none", iprev="pass",
        details=(
            f"reputation unknown by none, does not decide: no history{text}",
            f"content junk 0.99, threshold 0.95, ham words: none; spam words: cheap 0.990, pills 0.990{text}",
        ),
        mailbox="Rejects", first=moment - 3 * HOUR, last=moment, count=4,
    )  # fmt: skip
    forged = msgspec.structs.replace(
        junk, reason="dmarc-policy", code=550, status="5.7.26", text="refused by the DMARC policy of From", remote_ip="2001:db8::25",
        mail_from=f"news@bank.example{text}", msg_from="service@bank.example", message_id="forged@bank.example", spf="fail", dkim=(),
        dmarc="fail", details=(), mailbox="", first=moment - HOUR, last=moment - HOUR, count=1,
    )  # fmt: skip
    guess = Refusal(
        stage="data", reason="unknown-recipient", remote_ip="198.51.100.9", code=550, status="5.1.1", text="no such recipient here",
        helo="friend", mail_from="<>", rcpt_to=f"info@localhost{text}", first=moment, last=moment + HOUR // 2,
    )  # fmt: skip
    many = Refusal(stage="", reason="relay", remote_ip="198.51.96.0/21", first=moment - HOUR, last=moment, count=3120)
    for owner, one in ((account, junk), (account, forged), (NOBODY, guess), (NOBODY, many)):
        REFUSALS.note(tx, owner, one)
