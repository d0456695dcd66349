"""What mends an account, beside mail programs that have it open, and without a server."""

import imaplib
import json
import subprocess
from pathlib import Path

from support import served


def test_mending_with_and_without_a_server(moxpy: Path, tmp_path: Path):
    folder = tmp_path / "local"

    def run(*words: str, code: int = 0) -> str:
        command = [str(moxpy), "--config", str(folder / "moxpy.toml"), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done
        return done.stdout if code == 0 else done.stderr

    with served.running(moxpy, folder) as house:
        account = house.user.partition("@")[0]
        others = imaplib.IMAP4(house.host, house.imap, timeout=60)
        others.login(house.user, house.password)
        others.select("Sent")
        client = imaplib.IMAP4(house.host, house.imap, timeout=60)
        client.login(house.user, house.password)
        for number in range(3):
            message = f"Message-ID: <{number}@example.org>\r\nSubject: {number}\r\n\r\ntext\r\n".encode()
            assert client.append("Inbox", None, None, message)[0] == "OK"
        client.select("Inbox")
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()
        before = int(client.untagged_responses["UIDVALIDITY"][0])
        for job in ("reparse", "fixmsgsize", "recalculatemailboxcounts", "reassignthreads", "ensureparsed"):
            assert run(job, account).startswith(f"{account}: ")
        assert client.noop()[0] == "OK"
        assert "UIDs 1 to 2," in run("reassignuids", account, "1")
        # Who has it open is sent away, and finds it anew; who has another open stays.
        try:
            said = client.noop()[1]
        except imaplib.IMAP4.abort as error:
            said = [str(error).encode()]
        assert b"other UIDs now" in said[0], said
        client.shutdown()
        assert others.noop()[0] == "OK"
        client = imaplib.IMAP4(house.host, house.imap, timeout=60)
        client.login(house.user, house.password)
        client.select("Inbox")
        assert int(client.untagged_responses["UIDVALIDITY"][0]) > before
        assert client.uid("SEARCH", "ALL")[1] == [b"1 2"]
        others.logout()
        client.logout()
        assert "no mailbox of number 99" in run("reassignuids", account, "99", code=1)

    # The same, by the command itself.
    made = json.loads(run("bumpuidvalidity", "--json", account, "Inbox"))
    assert made[account][0]["mailbox"] == "Inbox"
    assert run("reparse").startswith(f"{account}: 2 messages, 0 changed")
    assert "no account 'nobody'" in run("fixuidmeta", "nobody", code=1)
    assert run("verifydata", str(folder)).endswith("OK\n")
