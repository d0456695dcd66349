"""Python's smtplib and imaplib: a message with attachments in by submission; flags, copy, search, expunge by IMAP."""

import imaplib
import os
import smtplib
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage

from interop.mailbox import HOST, PASSWORD, USER, ok, opened, uids, unique, wait

context = ssl.create_default_context(cafile=os.environ["CERTIFICATE"])
context.check_hostname = False


def composed(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = USER, USER, f"{subject} Grüße 郵便"
    message.set_content("Plain äöü\n.\n..\nFrom here\n")
    message.add_alternative("<p>HTML</p>\n", subtype="html")
    message.add_attachment(bytes(range(256)) * 40, maintype="application", subtype="octet-stream", filename="ä.bin")
    return message


def submitted() -> None:
    for kind in ("starttls", "tls"):
        subject = unique(f"stdlib-{kind}")
        if kind == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(HOST, int(os.environ["SUBMISSIONS"]), timeout=20, context=context)
        else:
            smtp = smtplib.SMTP(HOST, int(os.environ["SUBMISSION"]), timeout=20)
            smtp.starttls(context=context)
        with smtp:
            smtp.login(USER, PASSWORD)
            sent = composed(subject)
            assert smtp.sendmail(USER, USER, sent.as_bytes(policy=policy.SMTP)) == {}
        got = message_from_bytes(wait(subject), policy=policy.default)
        assert str(got["Subject"]) == str(sent["Subject"])
        text = got.get_body(("plain",)).get_content()
        assert text.replace("\r\n", "\n") == "Plain äöü\n.\n..\nFrom here\n", text
        (attachment,) = got.iter_attachments()
        assert attachment.get_content() == bytes(range(256)) * 40
        assert attachment.get_filename() == "ä.bin"


def every_mechanism() -> None:
    """What the two clients can do beside their first choice."""
    for mechanism in ("PLAIN", "LOGIN", "CRAM_MD5"):
        with smtplib.SMTP_SSL(HOST, int(os.environ["SUBMISSIONS"]), timeout=20, context=context) as smtp:
            smtp.ehlo()
            assert smtp.has_extn("auth")
            smtp.user, smtp.password = USER, PASSWORD
            initial = mechanism != "CRAM_MD5"
            answer = smtp.auth(
                mechanism.replace("_", "-"), getattr(smtp, f"auth_{mechanism.lower()}"), initial_response_ok=initial
            )
            assert answer[0] == 235, answer
    imap = imaplib.IMAP4(HOST, int(os.environ["IMAP"]), timeout=20)
    assert ok(imap.login_cram_md5(USER, PASSWORD))
    imap.logout()
    imap = imaplib.IMAP4_SSL(HOST, int(os.environ["IMAPS"]), ssl_context=context, timeout=20)
    assert ok(imap.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode()))
    imap.logout()


def refused() -> None:
    with smtplib.SMTP(HOST, int(os.environ["SMTP"]), timeout=20) as smtp:
        smtp.ehlo("client.localhost")
        assert smtp.docmd("DATA")[0] == 503
        assert smtp.docmd("NONSENSE")[0] in {500, 502}
        assert smtp.noop()[0] == 250
    with smtplib.SMTP_SSL(HOST, int(os.environ["SUBMISSIONS"]), timeout=20, context=context) as smtp:
        smtp.ehlo()
        smtp.mail(USER)
        assert smtp.rcpt("someone@elsewhere.example")[0] // 100 == 5, "relayed without a login"
    imap = imaplib.IMAP4_SSL(HOST, int(os.environ["IMAPS"]), ssl_context=context, timeout=20)
    try:
        imap.login(USER, "wrong")
        answer = "a wrong password was taken"
    except imaplib.IMAP4.error as error:
        answer = str(error)
    assert "AUTHENTICATIONFAILED" in answer, answer
    imap.logout()


def read() -> None:
    box, other = unique("stdlib"), unique("stdlib-other")
    text = b"From: <a@b.example>\r\nSubject: read me\r\n\r\n0123456789\r\n"
    with opened(None) as one, opened(None) as two:
        ok(one.create(box))
        ok(one.create(other))
        for _ in range(3):
            ok(one.append(box, r"(\Draft $Forwarded)", imaplib.Time2Internaldate(1_700_000_000), text))
        assert ok(one.select(box)) == [b"3"]
        assert ok(two.select(box)) == [b"3"]
        first, second, third = uids(one, "ALL")
        line = ok(one.uid("FETCH", first, "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[TEXT]<2.5>)"))
        assert line[0][1] == b"23456", line
        assert f"RFC822.SIZE {len(text)}".encode() in line[0][0] + line[1]
        assert imaplib.Internaldate2tuple(line[0][0] + line[1]) is not None
        # what one client changes, the other hears of
        ok(one.uid("STORE", second, "+FLAGS", r"(\Flagged custom)"))
        ok(two.noop())
        heard = b"".join(item for item in two.response("FETCH")[1] if item)
        assert b"\\Flagged" in heard, heard
        assert b"custom" in heard, heard
        assert uids(two, "KEYWORD", "custom") == [second]
        ok(two.uid("COPY", f"{first}:{second}", other))
        ok(two.uid("STORE", third, "+FLAGS.SILENT", r"(\Deleted)"))
        assert ok(two.expunge()) == [b"3"]
        ok(one.noop())
        assert one.response("EXPUNGE")[1] == [b"3"]
        assert uids(one, "ALL") == [first, second]
        status = ok(one.status(other, "(MESSAGES UNSEEN UIDNEXT)"))[0]
        assert b"MESSAGES 2" in status, status
        assert b"UNSEEN 2" in status, status
        ok(one.select(other))
        assert uids(one, "FLAGGED", "DRAFT", "SINCE", "14-Nov-2023", "BEFORE", "16-Nov-2023", "BODY", "0123") == ["2"]
        ok(one.rename(other, other + "-new"))
        names = [row.rpartition(b" ")[2] for row in ok(one.list())]
        assert (other + "-new").encode() in names, names
        assert len(names) == len(set(names)), names  # What CREATE and RENAME told would be among them.
        ok(one.select("INBOX"))
        ok(one.delete(other + "-new"))
        assert one.select(other + "-new")[0] == "NO"


submitted()
every_mechanism()
refused()
read()
