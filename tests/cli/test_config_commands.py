"""The commands that change accounts, addresses, domains and aliases, against a server that runs."""

import imaplib
import io
import json
import os
import re
import shlex
import signal
import smtplib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.cli.main import FAILED, OK, USAGE, run
from appliance.store.store import verify_folder
from support import served

#: Comments everywhere: none may get lost.
COMMENTED = """
# about the domain
[domains."example.org"] # example
# separators
localpart_catchall_separators = ["+"] # plus
# about aliases
[domains."example.org".aliases.all] # everybody
# members
addresses = [
  "ann@example.org", # Ann
  # and
  "ben@example.org", # Ben
] # end of members
post_public = true # open

# about Ann
[accounts.ann] # Ann's
full_name = "Ann" # her name
# Ann's addresses
[accounts.ann.destinations."ann@example.org"] # the first
# about Ben
[accounts.ben] # Ben's
[accounts.ben.destinations] # Ben's addresses
"ben@example.org" = {} # his only
# the end
"""


class Server:
    def __init__(self, folder: Path, house: served.House | None) -> None:
        self.folder = folder
        self.house = house
        if house is not None:
            self.wait()

    def wait(self) -> None:
        served.wait_control(self.folder)

    @property
    def domains(self) -> str:
        return (self.folder / "domains.toml").read_text()

    def __call__(self, capsys: pytest.CaptureFixture[str], words: str, stdin: bytes = b"") -> tuple[int, str, str]:
        old, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin))
        try:
            code = run(["moxpy", *shlex.split(words), "--config", str(self.folder / "moxpy.toml")])
        finally:
            sys.stdin = old
        said = capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture(scope="module")
def server(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("config") / "house"
    with served.running(moxpy, folder) as house:
        yield Server(folder, house)


def test_a_life_of_accounts_domains_and_aliases(server, capsys):
    dialogue = [
        ("config domain list", OK, "localhost\n"),
        ("config domain add bücher.example joe", FAILED, "there is no account joe; to make it, add the localpart"),
        ("config domain add bücher.example mox mox", FAILED, "account mox exists; leave out the localpart"),
        ("config domain add bücher..example mox", FAILED, "'bücher..example' is not a domain"),
        ("config domain add bücher.example joe joe --disabled", OK, "domain bücher.example added, disabled"),
        ("config domain add xn--bcher-kva.example mox", FAILED, "domain bücher.example exists"),
        ("config domain list", OK, "bücher.example\t(disabled)\nlocalhost\n"),
        ("config domain enable bücher.example", OK, "domain bücher.example enabled\n"),
        ("config domain disable nowhere.example", FAILED, "there is no domain nowhere.example; `moxpy config domain list`"),
        ("config account list", OK, "joe\nmox\n"),
        ("config account add ../x a@localhost", FAILED, "must not begin with a dot or contain a slash"),
        ("config account add eve a@nowhere.example", FAILED, "domain nowhere.example is not configured"),
        ("config account add eve eve", FAILED, "'eve' is not an address"),
        ("config account add eve joe@bücher.example", FAILED, "is the same address as joe@bücher.example of account joe"),
        ("config account add eve eve@localhost", OK, "account eve added with eve@localhost"),
        ("config account add eve eve2@localhost", FAILED, "account eve exists"),
        ("config address add eve@xn--bcher-kva.example eve", OK, "address eve@bücher.example added to account eve\n"),
        ("config address add eve@bücher.example nobody", FAILED, "there is no account nobody"),
        ("config address add eve+x@localhost eve", FAILED, 'must not contain the separator "+"'),
        ("config address add @bücher.example eve", OK, "address @bücher.example added to account eve\n"),
        ("config address add @bücher.example joe", FAILED, "domain has a catch-all already"),
        ("config account addresses eve", OK, "@bücher.example\neve@bücher.example\neve@localhost\n"),
        ("config account addresses nobody", FAILED, "there is no account nobody"),
        ("config address account EVE+x@localhost", OK, "eve\n"),
        ("config address account whoever@bücher.example", OK, "eve\n"),
        ("config address account nobody@localhost", FAILED, "nobody@localhost is nobody's address"),
        ("config address account a@nowhere.example", FAILED, "nowhere.example is not a domain of ours"),
        ("config alias add all@localhost", USAGE, "usage: moxpy config alias add"),
        ("config alias add all@localhost x@localhost", FAILED, "x@localhost is not an address of a local account"),
        ("config alias add eve@localhost mox@localhost", FAILED, "is the same address as eve@localhost of account eve"),
        ("config alias add a+b@localhost mox@localhost", FAILED, 'must not contain the separator "+"'),
        ("config alias add all@localhost mox@localhost eve@localhost --listmembers true", OK, "alias all@localhost added\n"),
        ("config alias add all@localhost mox@localhost", FAILED, "alias all@localhost exists"),
        ("config alias list localhost", OK, "all@localhost\n"),
        (
            "config alias print all@localhost",
            OK,
            "# postpublic true\n# listmembers true\n# allowmsgfrom false\n# members:\nmox@localhost\neve@localhost\n",
        ),
        ("config alias update all@localhost", USAGE, "nothing to change was given"),
        ("config alias update all@localhost --postpublic maybe", USAGE, "--postpublic: takes true or false"),
        ("config alias update all@localhost -postpublic false", OK, "alias all@localhost updated\n"),
        ("config alias update no@localhost -postpublic false", FAILED, "there is no alias no@localhost"),
        ("config alias addaddr all@localhost eve@localhost", FAILED, "eve@localhost is listed twice"),
        ("config alias addaddr all@localhost joe@bücher.example", OK, "added to alias all@localhost: joe@bücher.example\n"),
        ("config alias rmaddr all@localhost joe@bücher.example x@y.example", FAILED, "not a member of all@localhost: x@y"),
        ("config alias rmaddr all@localhost Joe@bücher.example", OK, "removed from alias all@localhost: Joe@"),
        ("config alias addforward all@localhost eve@localhost", FAILED, "eve@localhost is in a domain of ours"),
        ("config alias addforward all@localhost x@out.example", OK, "alias all@localhost forwards to: x@out.example\n"),
        ("config alias print all@localhost", OK, "eve@localhost\n# forwards to:\nx@out.example\n"),
        ("config alias rmforward all@localhost y@out.example", FAILED, "does not forward to: y@out.example; nothing"),
        ("config alias rmforward all@localhost X@out.example", OK, "alias all@localhost forwards no more to: X@out"),
        ("config address forward print eve@localhost", OK, "# only false\n"),
        ("config address forward print all@localhost", FAILED, "all@localhost is not an address of an account"),
        ("config address forward only eve@localhost true", FAILED, "needs addresses to forward to"),
        ("config address forward only eve@localhost maybe", USAGE, "says true or false"),
        ("config address forward add eve@localhost", USAGE, "usage: moxpy config address forward add"),
        ("config address forward add eve@localhost joe@bücher.example", FAILED, "is in a domain of ours"),
        ("config address forward add eve@localhost x@out.example y@out.example", OK, "forwards to: x@out.example, y@out"),
        ("config address forward add eve@localhost X@out.example", FAILED, "X@out.example is listed twice"),
        ("config address forward only eve@localhost true", OK, "eve@localhost keeps no copy of what it forwards\n"),
        ("config address forward print EVE@localhost", OK, "# only true\nx@out.example\ny@out.example\n"),
        ("config address forward rm eve@localhost z@out.example", FAILED, "does not forward to: z@out.example; nothing"),
        ("config address forward rm eve@localhost y@out.example", OK, "forwards no more to: y@out.example\n"),
        ("config address forward rm eve@localhost x@out.example", OK, "forwards no more to: x@out.example\n"),
        ("config address forward print eve@localhost", OK, "# only false\n"),
        ("config address forward add @bücher.example x@out.example", OK, "address @bücher.example forwards to: x@out"),
        ("config address account all@localhost", FAILED, "moxpy config alias print all@localhost"),
        ("config account quota eve", OK, "used 0 bytes, no limit by default\n"),
        ("config account quota eve 500M", OK, "used 0 bytes, limit 524288000 bytes of the account\n"),
        ("config account quota eve", OK, "used 0 bytes, limit 524288000 bytes of the account\n"),
        ("config account quota eve 0", FAILED, "for no limit say none"),
        ("config account quota eve 5T", FAILED, "or none, or default"),
        ("config account quota eve none", OK, "used 0 bytes, no limit of the account\n"),
        ("config account quota eve default", OK, "used 0 bytes, no limit by default\n"),
        ("config account quota nobody 1G", FAILED, "there is no account nobody"),
        ("config account disable eve", USAGE, "usage: moxpy config account disable"),
        ("config account disable eve 'back\nsoon'", FAILED, "the message for logins must be"),
        ("config account disable eve closed", OK, "account eve disabled"),
        ("config account list", OK, "eve\t(disabled)\njoe\nmox\n"),
        ("config account enable eve", OK, "account eve enabled\n"),
        ("config address rm eve@localhost", OK, "removed from account eve, and from alias all@localhost\n"),
        ("config address rm mox@localhost", FAILED, "it is the last member of alias all@localhost"),
        ("config address rm eve@localhost", FAILED, "eve@localhost is not an address of an account"),
        ("config account rm mox", FAILED, "it is the last member of alias all@localhost"),
        ("config alias rm all@localhost", OK, "alias all@localhost removed\n"),
        ("config account rm mox", FAILED, 'there is no account "mox"'),
        ("config account rm joe", FAILED, 'dmarc.account: there is no account "joe"'),
        ("config domain rm bücher.example", OK, "with the addresses joe@bücher.example, eve@bücher.example, @bücher.example"),
        ("config account rm joe", OK, "account joe removed"),
        ("config account rm eve", OK, "account eve removed"),
        ("config account rm eve", FAILED, "there is no account eve"),
        ("config account list", OK, "mox\n"),
        ("config domain list", OK, "localhost\n"),
    ]  # fmt: skip
    before = server.domains
    for words, code, text in dialogue:
        got, out, err = server(capsys, words)
        assert got == code, (words, out, err)
        assert text in (out if code == OK else err), (words, out, err)
    # What was added and removed stood before the tables behind it, and leaves an empty line.
    assert [line for line in server.domains.splitlines() if line] == [line for line in before.splitlines() if line]
    kept = sorted(path.name.split(".")[0] for path in (server.folder / "dkim" / "old").iterdir())
    assert [name[-1] for name in kept] == ["a", "b", "e"]
    assert not [path for path in (server.folder / "dkim").iterdir() if path.is_file()]


def test_lists_as_documents(server, capsys):
    def document(words: str) -> object:
        code, out, _ = server(capsys, words + " --json")
        assert code == OK
        return json.loads(out)

    server(capsys, "config alias add j@localhost mox@localhost --postpublic=false")
    assert document("config domain list") == [{"name": "localhost", "disabled": False, "reports_only": False}]
    assert document("config account list") == [{"name": "mox", "login_disabled": ""}]
    assert document("config account addresses mox") == ["mox@localhost"]
    assert document("config address account mox@localhost") == {"account": "mox"}
    assert document("config alias list localhost") == ["j@localhost"]
    assert document("config alias print j@localhost") == {
        "address": "j@localhost",
        "post_public": False,
        "list_members": False,
        "allow_msg_from": False,
        "addresses": ["mox@localhost"],
        "forward": [],
    }
    server(capsys, "config address forward add mox@localhost x@out.example")
    assert document("config address forward print mox@localhost") == {
        "address": "mox@localhost",
        "account": "mox",
        "forward": ["x@out.example"],
        "only": False,
    }
    server(capsys, "config address forward rm mox@localhost x@out.example")
    server(capsys, "config alias rm j@localhost")


def test_comments_survive_every_command(server, capsys):
    file = server.folder / "domains.toml"
    before = file.read_text()
    file.write_text(before + COMMENTED)
    commands = [
        "config domain add other.example ann",
        "config domain disable example.org",
        "config domain enable example.org",
        "config account add cyd cyd@example.org",
        "config address add cyd2@example.org cyd",
        "config address add ben2@example.org ben",
        "config address add @example.org ann",
        "config alias add some@example.org cyd@example.org",
        "config alias addaddr all@example.org cyd@example.org",
        "config alias update all@example.org --postpublic false --allowmsgfrom true",
        "config alias update all@example.org --postpublic true",
        "config alias rmaddr all@example.org cyd@example.org",
        "config alias rm some@example.org",
        "config account disable ann closed",
        "config account enable ann",
        "config account quota ann 1G",
        "config account quota ann default",
        "config address rm ben2@example.org",
        "config address rm @example.org",
        "config account rm cyd",
        "config domain rm other.example",
    ]
    comments = re.findall(r"#.*", before + COMMENTED)
    for words in commands:
        code, out, err = server(capsys, words)
        assert code == OK, (words, err)
        assert len(out.splitlines()) >= 1
        assert re.findall(r"#.*", server.domains) == comments, words
    file.write_text(before)
    assert server(capsys, "config account rm ann")[0] == OK
    assert server(capsys, "config account rm ben")[0] == OK
    assert server(capsys, "config account list")[1] == "mox\n"


def test_a_quota_counts_at_once(server, capsys):
    house = server.house
    assert server(capsys, "config account add kim kim@localhost")[0] == OK
    assert server(capsys, "setaccountpassword kim", b"a good secret\n")[0] == OK
    with imaplib.IMAP4(house.host, house.imap, timeout=60) as client:
        client.login("kim@localhost", "a good secret")
        assert client.getquotaroot("INBOX") == ("OK", [[b'INBOX ""'], [b'"" ()']])
        assert client.append("INBOX", None, None, b"x" * 1500)[0] == "OK"
        assert server(capsys, "config account quota kim 2k")[1] == "used 1500 bytes, limit 2048 bytes of the account\n"
        assert client.getquotaroot("INBOX") == ("OK", [[b'INBOX ""'], [b'"" (STORAGE 2 2)']])
        assert client.getquota("") == ("OK", [b'"" (STORAGE 2 2)'])
        status, said = client.append("INBOX", None, None, b"x" * 600)
        assert (status, said[0][:11]) == ("NO", b"[OVERQUOTA]")
        status, said = client.setquota('""', "(STORAGE 100000)")
        assert (status, said[0][:8]) == ("NO", b"[NOPERM]")
        assert server(capsys, "config account quota kim none")[0] == OK
        assert client.append("INBOX", None, None, b"x" * 600)[0] == "OK"
    assert server(capsys, "config account rm kim")[0] == OK


def test_mail_of_a_new_account_and_what_disabling_it_does(server, capsys):
    assert server(capsys, "config account add dan dan@localhost")[0] == OK
    assert server(capsys, "setaccountpassword dan", b"a good secret\n")[0] == OK
    assert server(capsys, "deliver dan@localhost", b"Subject: by hand\n\nhello\n") == (
        OK,
        "delivered to dan@localhost\n",
        "",
    )
    assert server(capsys, "deliver dan@nowhere.example", b"x")[0] == OK  # in this house everything arrives
    house = server.house
    client = imaplib.IMAP4(house.host, house.imap, timeout=60)
    client.login("dan@localhost", "a good secret")
    client.select("INBOX")
    assert client.fetch("1", "(RFC822.TEXT)")[1][0][1] == b"hello\r\n"
    assert client.fetch("1", "(BODY.PEEK[HEADER])")[1][0][1] == (
        b"X-Mox-Reason: local\r\nDelivered-To: dan@localhost\r\nReturn-Path: <>\r\nSubject: by hand\r\n\r\n"
    )
    assert server(capsys, "config account disable dan 'closed for good'")[0] == OK
    with pytest.raises(imaplib.IMAP4.abort, match="logged out by the administrator"):
        client.noop()
        client.noop()
    client.shutdown()
    with (
        imaplib.IMAP4(house.host, house.imap, timeout=60) as client,
        pytest.raises(imaplib.IMAP4.error, match="closed"),
    ):
        client.login("dan@localhost", "a good secret")
    with smtplib.SMTP(house.host, house.smtp, timeout=60) as client:
        client.sendmail("x@example.org", ["dan@localhost"], b"Subject: still\r\n\r\n")
    assert server(capsys, "config account rm dan")[0] == OK


def test_idle_ends_with_the_account(server, capsys):
    assert server(capsys, "config account add fay fay@localhost")[0] == OK
    assert server(capsys, "setaccountpassword fay", b"a good secret\n")[0] == OK
    with (
        socket.create_connection((server.house.host, server.house.imap), timeout=60) as sock,
        sock.makefile("rb") as file,
    ):
        sock.sendall(b'a LOGIN fay@localhost "a good secret"\r\nb SELECT INBOX\r\nc IDLE\r\n')
        while not file.readline().startswith(b"+ idling"):
            pass
        assert server(capsys, "config account rm fay")[0] == OK
        assert b"* BYE logged out by the administrator\r\n" in file.read()


def test_removal_goes_on_after_a_kill(moxpy, tmp_path, capsys):
    folder = tmp_path / "house"
    with served.running(moxpy, folder) as house:
        server = Server(folder, house)
        assert server(capsys, "config account add bob bob@localhost")[0] == OK
        with smtplib.SMTP(house.host, house.smtp, timeout=60) as client:
            for _ in range(300):
                client.sendmail("x@example.org", ["bob@localhost"], b"Subject: one of many\r\n\r\nhello\r\n")
        assert server(capsys, "config account rm bob")[0] == OK
        os.kill(house.pid, signal.SIGKILL)
    with served.running(moxpy, folder) as house:
        server = Server(folder, house)
        # As soon as a new account of the name can be made, nothing of the old is there.
        while True:
            code, _, err = server(capsys, "config account add bob bob@localhost")
            if code == OK:
                break
            assert "still being removed" in err
        assert server(capsys, "setaccountpassword bob", b"a good secret\n")[0] == OK
        with imaplib.IMAP4(house.host, house.imap, timeout=60) as client:
            client.login("bob@localhost", "a good secret")
            assert client.select("INBOX") == ("OK", [b"0"])
    assert verify_folder(folder) == []


def test_no_server(tmp_path, capsys, moxpy):
    folder = tmp_path / "house"
    served.prepare(moxpy, folder)
    for words in ("config account list", "config domain add a.example mox", "deliver mox@localhost"):
        code, out, err = Server(folder, None)(capsys, words)
        assert (code, out) == (FAILED, "")
        assert f"cannot reach the server at {folder / 'ctl'}: No such file or directory; is it running?" in err


def test_keys_are_replaced(server, capsys):
    assert server(capsys, "config dkim rotate status")[:2] == (OK, "no keys were replaced yet\n")
    code, out, _ = server(capsys, "config dkim rotate start localhost")
    assert (code, out.splitlines()[0]) == (
        OK,
        "localhost: spread: the records are there; who asked before may not know it yet",
    )
    assert re.search(r"localserve by \d{6}a; begun .*\n  goes on at ", out)
    code, _, err = server(capsys, "config dkim rotate start localhost")
    assert (code, "being replaced already" in err) == (FAILED, True)
    (one,) = json.loads(server(capsys, "config dkim rotate status localhost --json")[1])
    assert (one["step"], one["problem"], list(one["selectors"])) == ("spread", "", ["localserve"])
    # The records of this zone are those of the configuration, and the key that has left it is gone from both.
    code, out, _ = server(capsys, "config dkim rotate next localhost")
    assert out.startswith("localhost: retire: the new keys sign")
    assert 'sign = ["localserve"]' not in server.domains
    code, out, _ = server(capsys, "config dkim rotate abort localhost")
    assert out.startswith("localhost: done: ended; the new keys sign, and the old ones stay")
    assert server(capsys, "config dkim rotate abort localhost")[0] == FAILED
