"""All mail of an account comes over from another IMAP server; run again, only what is new does."""

import imaplib
import subprocess

import pytest

from support import served


def put(house: served.House, mailbox: str, subject: str, flags: str = "", text: str = "hello\r\n") -> None:
    with imaplib.IMAP4(house.host, house.imap) as imap:
        imap.login(house.user, house.password)
        imap.create(mailbox)
        octets = f"Message-ID: <{subject}@example.org>\r\nSubject: {subject}\r\n\r\n{text}".encode()
        kind, _ = imap.append(mailbox, flags, '"01-Feb-2020 03:04:05 +0000"', octets)
        assert kind == "OK"


def look(house: served.House) -> dict[str, set[tuple[bytes, ...]]]:
    """Octets, flags and times of all messages of all mailboxes that have some."""
    found = {}
    with imaplib.IMAP4(house.host, house.imap) as imap:
        imap.login(house.user, house.password)
        for line in imap.list()[1]:
            assert isinstance(line, bytes)
            name = line.rpartition(b' "/" ')[2].decode()
            imap.select(name, readonly=True)
            data = imap.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
            rows = set()
            for at, one in enumerate(data):
                if isinstance(one, tuple):
                    flags = b" ".join(sorted(imaplib.ParseFlags(one[0]) or imaplib.ParseFlags(data[at + 1])))
                    assert b" 1-Feb-2020 03:04:05 +0000" in one[0] + data[at + 1]
                    rows.add((one[1], flags))
            if rows:
                found[name.strip('"')] = rows
    return found


@pytest.mark.slow
def test_all_mail_comes_over(tmp_path, moxpy):
    def fetch(house: served.House, *more: str) -> subprocess.CompletedProcess[str]:
        config = str(tmp_path / "new" / "moxpy.toml")
        certificate = str(tmp_path / "old" / "localhost.crt")
        command = [str(moxpy), "import", "imap", "--config", config, "--ca", certificate, *more, "--port"]
        command += [str(house.imaps), "mox", "localhost", house.user]
        return subprocess.run(
            command, input=house.password + "\n", capture_output=True, text=True, check=False, timeout=60
        )

    with served.running(moxpy, tmp_path / "old") as old, served.running(moxpy, tmp_path / "new") as new:
        put(old, "INBOX", "one", r"(\Seen \Flagged work)")
        put(old, "INBOX", "two", text="x" * 6_000_000 + "\r\n")
        put(old, "Lists/A&-B", "three", "($Forwarded)")
        put(old, "Lists/&ANw-bung", "four")
        came = fetch(old)
        assert came.returncode == 0, came.stderr
        assert came.stdout.endswith("4 messages imported\n")
        assert look(new) == look(old)
        put(old, "INBOX", "five")
        assert fetch(old).stdout == "Inbox: 1\n1 messages imported\n"
        assert look(new) == look(old)
        assert fetch(old, "--mailbox", "Lists/Übung", "--below", "Old").stdout.endswith("1 messages imported\n")
        assert "Old/Lists/&ANw-bung" in look(new)
        # Nobody is believed whose certificate is not.
        refused = fetch(old, "--ca", str(tmp_path / "new" / "localhost.crt"))
        assert refused.returncode == 1
        assert "not trusted" in refused.stderr
