"""A mailbox granted by command and by IMAP, as Python's imaplib and a program of JMAP see it."""

import base64
import contextlib
import imaplib
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import served


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    with served.running(moxpy, tmp_path_factory.mktemp("house") / "local") as house:
        yield house


def command(moxpy: Path, house: served.House, *arguments: str, code: int = 0, typed: str = "") -> str:
    assert house.log is not None
    config = house.log.parent / "local" / "moxpy.toml"
    done = subprocess.run(
        [str(moxpy), "--config", str(config), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        input=typed,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def jmap(house: served.House, path: str, body: object = None) -> Any:
    """What Bob is answered by JMAP."""
    login = base64.b64encode(b"bob@localhost:bob's own password").decode()
    request = urllib.request.Request(
        f"http://localhost:{house.http}/webmail/jmap/{path}",
        None if body is None else json.dumps(body).encode(),
        {"authorization": f"Basic {login}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def shared_by_jmap(house: served.House, owner: str) -> str | None:
    """The account of an owner who shares something with Bob."""
    found = jmap(house, "session")["accounts"].items()
    return next((id for id, one in found if one["name"] == owner and not one["isPersonal"]), None)


def test_sharing(moxpy: Path, house: served.House) -> None:
    command(moxpy, house, "config", "account", "add", "bob", "bob@localhost")
    command(moxpy, house, "setaccountpassword", "bob", typed="bob's own password\n")
    mine, bob = (imaplib.IMAP4(house.host, house.imap, timeout=60) for _ in range(2))
    mine.login(house.user, house.password)
    bob.login("bob@localhost", "bob's own password")
    assert bob.namespace()[1] == [b'(("" "/")) (("Other Users/" "/")) NIL']
    assert mine.create("Team")[0] == "OK"
    # That library would take a LIST which CREATE told for a part of this answer.
    assert sum(row.endswith(b" Team") for row in mine.list()[1]) == 1  # type: ignore[union-attr]
    mine.append("Team", "", None, b"Subject: plan\r\n\r\nwords\r\n")
    shared = '"Other Users/mox/Team"'
    assert bob.select(shared)[0] == "NO"

    assert command(moxpy, house, "config", "acl", "set", "mox", "Team", "bob@localhost", "lr") == (
        "bob@localhost has rights lr on Team of mox\n"
    )
    assert mine.setacl("Team", "bob", "+s")[0] == "OK"
    assert mine.getacl("Team")[1] == [b"Team mox lrswipkxtecda bob lrs"]
    assert bob.myrights(shared)[1] == [b'"Other Users/mox/Team" lrs']
    assert json.loads(command(moxpy, house, "config", "acl", "list", "mox", "Team", "--json")) == [
        {"identifier": "mox", "rights": "lrswipkxtecda"},
        {"identifier": "bob", "rights": "lrs"},
    ]
    assert bob.list('"Other Users/"', "*")[1] == [b'(\\HasNoChildren) "/" "Other Users/mox/Team"']
    assert bob.select(shared) == ("OK", [b"1"])
    assert bob.fetch("1", "(BODY[TEXT])")[1][0] == (b"1 (BODY[TEXT] {7}", b"words\r\n")
    assert bob.copy("1", "INBOX")[0] == "OK"
    assert bob.expunge()[0] == "NO"
    mine.select("Team")
    assert mine.search(None, "SEEN")[1] == [b"1"]
    account = shared_by_jmap(house, "mox")
    assert account is not None
    using = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"]
    asked = {"using": using, "methodCalls": [["Email/query", {"accountId": account}, "0"]]}
    assert len(jmap(house, "api", asked)["methodResponses"][0][1]["ids"]) == 1

    assert command(moxpy, house, "config", "acl", "list", "mox", "Team") == "mox\tlrswipkxtecda\nbob\tlrs\n"
    assert "no rights" in command(moxpy, house, "config", "acl", "rm", "mox", "Team", "bob")
    with contextlib.closing(bob.sock), pytest.raises(imaplib.IMAP4.abort):
        bob.noop()
    assert command(moxpy, house, "config", "acl", "list", "mox", "Team") == "mox\tlrswipkxtecda\n"
    assert jmap(house, "api", asked)["methodResponses"][0][1] == {"type": "accountNotFound"}
    assert shared_by_jmap(house, "mox") is None
    for arguments, words in (
        (("set", "mox", "Team", "nobody", "lr"), "no such account"),
        (("set", "mox", "Team", "bob", "lq"), "no right"),
        (("set", "mox", "Nowhere", "bob", "lr"), "no such mailbox"),
        (("set", "nobody", "Team", "bob", "lr"), "no account"),
        (("set", "mox", "Team", "mox", "lr"), "owner"),
    ):
        assert words in command(moxpy, house, "config", "acl", *arguments, code=1)
    # An account that goes takes what it was granted along.
    command(moxpy, house, "config", "acl", "set", "mox", "Team", "bob", "lr")
    command(moxpy, house, "config", "account", "rm", "bob")
    mine.logout()


def test_read_marks_of_each_readers_own(moxpy: Path, house: served.House) -> None:
    command(moxpy, house, "config", "account", "add", "carol", "carol@localhost")
    command(moxpy, house, "setaccountpassword", "carol", typed="carol's own password\n")
    mine, carol, again = (imaplib.IMAP4(house.host, house.imap, timeout=60) for _ in range(3))
    mine.login(house.user, house.password)
    for one in (carol, again):
        one.login("carol@localhost", "carol's own password")
    assert mine.create("Board")[0] == "OK"
    for number in range(3):
        mine.append("Board", "\\Seen" if number == 0 else "", None, b"Subject: plan\r\n\r\nwords\r\n")
    command(moxpy, house, "config", "acl", "set", "mox", "Board", "anyone", "lrs")
    shared = '"Other Users/mox/Board"'
    assert carol.select(shared) == ("OK", [b"3"])
    assert carol.search(None, "UNSEEN")[1] == [b"2 3"]

    asked = ("config", "acl", "seen", "mox", "Board")
    assert command(moxpy, house, *asked) == "read marks in Board of mox are shared\n"
    assert command(moxpy, house, *asked, "own") == "read marks in Board of mox are each reader's own\n"
    assert command(moxpy, house, *asked) == "read marks in Board of mox are each reader's own\n"
    assert "own or shared" in command(moxpy, house, *asked, "mine", code=1)
    assert "no such mailbox" in command(moxpy, house, "config", "acl", "seen", "mox", "Nowhere", "own", code=1)
    with contextlib.closing(carol.sock), pytest.raises(imaplib.IMAP4.abort, match="select it again"):
        carol.noop()

    carol = imaplib.IMAP4(house.host, house.imap, timeout=60)
    carol.login("carol@localhost", "carol's own password")
    mine.select("Board")
    for one in (carol, again):
        assert one.select(shared) == ("OK", [b"3"])
        assert one.search(None, "UNSEEN")[1] == [b"1 2 3"]
    assert carol.fetch("2", "(BODY[TEXT])")[1][0] == (b"2 (BODY[TEXT] {7}", b"words\r\n")
    assert again.noop()[0] == "OK"
    assert again.response("FETCH")[1] == [b"2 (UID 2 FLAGS (\\Seen $NotJunk))"]
    assert again.store("3", "+FLAGS", "(\\Seen)")[0] == "OK"
    assert carol.status(shared, "(UNSEEN)")[1] == [b'"Other Users/mox/Board" (UNSEEN 1)']
    assert mine.search(None, "SEEN")[1] == [b"1"]
    assert mine.status("Board", "(UNSEEN)")[1] == [b"Board (UNSEEN 2)"]
    assert carol.copy("1:3", "INBOX")[0] == "OK"
    carol.select("INBOX")
    assert carol.search(None, "SEEN")[1] == [b"2 3"]
    command(moxpy, house, "config", "account", "rm", "carol")
    for one in (carol, again):
        one.shutdown()
    mine.logout()
