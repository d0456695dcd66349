"""Messages of fields that checks and judgement read, right and wrong, in any mixture: each has a verdict, none a bug."""

import io
from pathlib import Path

import trio
from hypothesis import HealthCheck, given, settings, strategies as st

from appliance.base import log as logs
from appliance.base.metrics import panics
from appliance.dns.table import Table
from support import reports
from support.judging import DOMAINS, NAMELESS, NAMES, SECURE, deliver, judging_house, mail, signed

RULES = """\
[[accounts.alice.destinations."alice@example.org".rulesets]]
headers_regexp = { "^list-id$" = "<dev[.].*>" }
list_allow_domain = "list.example"
mailbox = "Lists"
[[accounts.alice.destinations."alice@example.org".rulesets]]
msg_from_regexp = "(a|b)*@none"
verified_domain = "sender.example"
smtp_mail_from_regexp = "."
is_forward = true
[accounts.alice.subject_pass]
period = "12h"
"""
HOUSE = DOMAINS.replace(
    '[accounts.alice.destinations."alice@example.org"]\n',
    '[accounts.alice.destinations."alice@example.org"]\n' + RULES,
).replace(
    '[domains."example.org"]\n',
    '[domains."example.org"]\ndmarc = { localpart = "dmarc", account = "alice", mailbox = "DMARC" }\n'
    'tlsrpt = { localpart = "tls", account = "alice", mailbox = "TLSRPT" }\n[domains."ours.example"]\n',
)
SIGNATURE = signed(mail(), "sender.example").partition(b"\r\nFrom:")[0]
SEAL = b"; cv=none; a=ed25519-sha256; d=list.example; s=k; b=AAAA"
FIELDS = [
    b"From: <ann@sender.example>",
    b"From: <boss@reject.example>",
    b"From: <boss@none.example>, <x@spared.example>",
    b"From: ab@none.example",
    b"From: \xff\xfe <@>",
    b"From: " + b"(" * 500,
    b"From: x@" + b"a" * 300 + b".example",
    "From: <ü@größe.example>".encode(),
    b"Sender: a@b",
    b"To: alice@example.org",
    b"To: undisclosed:;",
    b'Cc: "a\r\n b" <alice@example.org>, <,>;',
    b"Subject: hello (pass:AAAA)",
    b"Subject: =?utf-8?q?=28pass:" + b"A" * 22 + b"=29?=",
    b"Subject: =?x?y?z?= \x00\x80",
    b"Message-ID: <a@b>",
    b"Message-ID: <<>>",
    b"List-Id: <dev.list.example>",
    b"List-Id: \xe9<dev.",
    b"Content-Type: text/html; charset=nonsense",
    b"Content-Type: ;;;",
    b"Content-Type: multipart/mixed; boundary=b",
    b"Content-Transfer-Encoding: base64",
    SIGNATURE,
    SIGNATURE.replace(b"s=k", b"s=none"),
    SIGNATURE.replace(b"bh=", b"l=0; bh=").replace(b"b=", b"b=A"),
    b"DKIM-Signature: v=1; a=rsa-sha256; d=com; s=\xff; h=; b=; bh=",
    b"DKIM-Signature: " + b"x=;" * 400,
    b"ARC-Seal: i=1" + SEAL,
    b"ARC-Message-Signature: i=1; c=relaxed/relaxed; h=from; bh=AAAA" + SEAL,
    b"ARC-Authentication-Results: i=1; list.example; dmarc=pass header.from=none.example",
    b"ARC-Seal: i=999999999999" + SEAL,
    b"Authentication-Results: mx.example; dmarc=pass",
    b"AUTHENTICATION-RESULTS:\r\n mx.example",
    b"Received: from x",
    b"no field at all",
    b": nothing",
]
BODIES = [b"hello", b"--b\r\n\r\nx\r\n--b--", b"\x00\xff" * 50, "größe".encode(), b"aGVsbG8=", b"<p>&#xffffff;<script>"]
WHOLE = [reports.dmarc_mail(), reports.tls_mail(), signed(reports.tls_mail(), "big.example", names="from:subject")]
MESSAGES = st.one_of(
    st.builds(
        lambda fields, body: b"".join(one + b"\r\n" for one in fields) + b"\r\n" + body + b"\r\n",
        st.lists(st.sampled_from(FIELDS), max_size=8),
        st.sampled_from(BODIES),
    ),
    st.builds(
        lambda fields, whole: b"".join(one + b"\r\n" for one in fields) + whole,
        st.lists(st.sampled_from(FIELDS), max_size=3),
        st.sampled_from(WHOLE),
    ),
)
SENDERS = ["ann@sender.example", "x@fail.example", "", "bounce@plain.example"]
RECIPIENTS = ["alice@example.org", "dmarc@example.org", "tls@example.org", "bob@example.org"]
CASES = st.tuples(MESSAGES, st.sampled_from(SENDERS), st.sampled_from(RECIPIENTS), st.booleans(), st.booleans())


def counted() -> float:
    return sum(one.value for one in panics.series.values())


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=st.lists(CASES, min_size=10, max_size=25))
def test_every_message_has_a_verdict(tmp_path_factory, cases) -> None:
    async def run(folder: Path) -> None:
        async with judging_house(folder, HOUSE, Table(NAMES)) as house:
            for octets, sender, recipient, is_named, is_secure in cases:
                reply = await deliver(
                    house,
                    octets.replace(b"\r\n.", b"\r\n.."),
                    recipient,
                    mail_from=sender,
                    tls=SECURE if is_secure else None,
                    **({} if is_named else {"remote": NAMELESS}),
                )
                assert reply[:9] in {"250 2.2.0", "451 4.3.0", "550 5.7.2", "550 5.7.1"}, (reply, octets)

    written, before = io.StringIO(), counted()
    logs.configure("error", stream=written)
    try:
        trio.run(run, tmp_path_factory.mktemp("judged"))
    finally:
        logs.configure("error")
    assert counted() == before
    assert written.getvalue() == ""
