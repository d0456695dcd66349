"""Mail leaves and comes in: Dovecot reads our exports and gives us all it has by IMAP; a Maildir of mbsync's comes in.

Needs root, since Dovecot (and Postfix beside it) change users.
"""

import imaplib
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from bench import baseline
from interop.mailbox import opened, unique

MOXPY, WORK, HOST = os.environ["MOXPY"], Path(os.environ["WORK"]), os.environ["HOST"]
MESSAGES = 60
NAMES = ("INBOX", '"with space"', '"quo\\"te"', "A.B", '"&ANw-bung"')
FILES = {"maildir": "INBOX", "mbox": "INBOX.mbox"}
QUERIES = {"seen": 40, "flagged": 20, "keyword work": 40, "since 2019-07-16 before 2019-07-19": MESSAGES}
MBSYNC = f"""
IMAPAccount a
Host localhost
Port {os.environ["IMAPS"]}
User {os.environ["MAIL_USER"]}
Pass {os.environ["MAIL_PASSWORD"]}
SSLType IMAPS
SystemCertificates no
CertificateFile {os.environ["CERTIFICATE"]}

IMAPStore far
Account a

MaildirStore near
Path {WORK}/synced/
Inbox {WORK}/synced/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns BOX*
Create Near
Sync Pull
"""


def run(*command: str | Path, text: str = "", environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        list(map(str, command)),
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | (environment or {}),
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def fill(imap: imaplib.IMAP4, names: tuple[str, ...]) -> None:
    for name in names:
        if name != "INBOX":
            imap.create(name)
        for number in range(MESSAGES):
            flags = r"(\Seen work $Forwarded)" if number % 3 else r"(\Flagged)"
            head = f"Message-ID: <{number}@{re.sub('[^a-z]', '', name)}.example>\r\n" if number % 10 else ""
            octets = f"{head}Subject: {number}\r\n\r\nhello {number}\r\n\r\nFrom me 12:00\r\n".encode()
            assert imap.append(name, flags, '"17-Jul-2019 02:44:25 -0700"', octets)[0] == "OK"


def content(imap: imaplib.IMAP4, name: str) -> Counter[tuple[bytes, bytes]]:
    """Octets and flags of all messages of a mailbox."""
    assert imap.select(name, readonly=True)[0] == "OK"
    data = imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1]
    found: Counter[tuple[bytes, bytes]] = Counter()
    for at, one in enumerate(data):
        if isinstance(one, tuple):
            told = re.search(rb"FLAGS \(([^)]*)\)", one[0] + data[at + 1])
            assert told is not None
            flags = set(told[1].split()) - {b"\\Recent", b"$NotJunk"}
            found[one[1], b" ".join(sorted(flags))] += 1
    return found


def doveadm(folder: Path, location: str, *command: str) -> str:
    """Dovecot's view of a mailbox in a folder that everybody may write to, since it will not be root."""
    config = folder / "doveadm.conf"
    config.write_text(
        f"mail_location = {location}\nlog_path = /dev/stderr\nfirst_valid_uid = 1\nmail_uid = nobody\n"
        "mail_gid = nogroup\nmbox_write_locks = fcntl\n"
    )
    return run("doveadm", "-c", config, *command, environment={"USER": "nobody", "HOME": str(folder)})


below = unique("exchange")
with baseline.running(HOST) as dovecot:
    command = (MOXPY, "import", "imap", "--ca", dovecot.extra["certificate"], "--port", str(dovecot.imaps))
    command += ("--below", below, "mox", "localhost", dovecot.user)
    with imaplib.IMAP4(dovecot.host, dovecot.imap) as theirs:
        theirs.login(dovecot.user, dovecot.password)
        fill(theirs, NAMES)
        print(run(*command, text=dovecot.password))
        with opened() as ours:
            for name in NAMES:
                here = f'"{below}/{name.strip(chr(34)).replace(".", "/")}"'
                assert content(ours, here) == content(theirs, name), name
        # Only what has no Message-ID is fetched again, and found to be there.
        nameless = len(NAMES) * MESSAGES // 10
        assert run(*command, text=dovecot.password) == f"0 messages imported, {nameless} were there already\n"

for form in ("maildir", "mbox"):
    out = WORK / form
    run(MOXPY, "export", form, out, "mox", f"{below}/INBOX")
    run(MOXPY, "import", form, "mox", f"{below}/again-{form}", out / below / FILES[form])
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="exchange-") as directory:
        folder = Path(directory)
        (folder / "none").mkdir()
        shutil.copytree(out / below, folder / "mail")
        run("chmod", "-R", "a+rwX", folder)
        there = folder / "mail" / FILES[form]
        location = f"mbox:{folder}/none:INBOX={there}" if form == "mbox" else f"maildir:{there}"
        assert doveadm(folder, location, "mailbox", "status", "messages", "INBOX") == f"INBOX messages={MESSAGES}\n"
        for query, count in QUERIES.items():
            found = doveadm(folder, location, "search", "mailbox", "INBOX", *query.split())
            assert len(found.splitlines()) == count, (form, query, found)

(WORK / "synced").mkdir()
(WORK / "rc").write_text(MBSYNC.replace("BOX", below))
run("mbsync", "-c", WORK / "rc", "c")
run(MOXPY, "import", "maildir", "mox", f"{below}-synced", WORK / "synced" / below)
with opened() as ours:
    first = content(ours, f'"{below}/INBOX"')
    for name in (f"{below}/again-maildir", f"{below}/again-mbox"):
        assert content(ours, f'"{name}"') == first, name
    assert sum(content(ours, f'"{below}-synced/INBOX"').values()) == MESSAGES
print("ok")
