"""Logins by every mechanism, app passwords and the commands about them, against a whole house."""

import base64
import contextlib
import hashlib
import imaplib
import json
import re
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import served
from support.scramclient import Scram


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    with served.running(moxpy, tmp_path_factory.mktemp("house") / "local") as house:
        yield house


def command(moxpy: Path, house: served.House, *arguments: str, code: int = 0) -> str:
    assert house.log is not None
    config = house.log.parent / "local" / "moxpy.toml"
    done = subprocess.run(
        [str(moxpy), "--config", str(config), "config", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def context(version: ssl.TLSVersion) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
    found.minimum_version = found.maximum_version = version
    return found


def binding(sock: ssl.SSLSocket, kind: str) -> tuple[str, bytes] | None:
    """The data of a channel binding as the standard library sees it; it cannot do tls-exporter."""
    if not kind:
        return None
    if kind == "tls-unique":
        data = sock.get_channel_binding("tls-unique")
    else:
        certificate = sock.getpeercert(binary_form=True)
        data = hashlib.sha256(certificate).digest()  # RFC 5929 §4.1, for a certificate signed with SHA-256
    assert data
    return kind, data


KINDS = pytest.mark.parametrize(
    ("version", "kind", "plus"),
    [
        pytest.param(ssl.TLSVersion.TLSv1_2, "tls-unique", True, id="tls-unique"),
        pytest.param(ssl.TLSVersion.TLSv1_2, "tls-server-end-point", True, id="tls-server-end-point, TLS 1.2"),
        pytest.param(ssl.TLSVersion.TLSv1_3, "tls-server-end-point", True, id="tls-server-end-point, TLS 1.3"),
        pytest.param(ssl.TLSVersion.TLSv1_3, "tls-server-end-point", False, id="bound under the bare name"),
        pytest.param(ssl.TLSVersion.TLSv1_3, "", False, id="not bound"),
    ],
)
ALGORITHMS = pytest.mark.parametrize("algorithm", ["sha1", "sha256"])


def mechanism(algorithm: str, plus: bool) -> str:
    return {"sha1": "SCRAM-SHA-1", "sha256": "SCRAM-SHA-256"}[algorithm] + ("-PLUS" if plus else "")


@KINDS
@ALGORITHMS
def test_scram_in_submission(house, version, kind, plus, algorithm):
    with smtplib.SMTP_SSL(house.host, house.submissions, context=context(version), timeout=60) as smtp:
        smtp.ehlo()
        client = Scram(algorithm, house.user, house.password, binding(smtp.sock, kind))
        steps = iter((client.first, client.final, lambda last: b"" if client.check(last) else b"*"))
        next_step = next(steps)
        code, text = smtp.docmd("AUTH", f"{mechanism(algorithm, plus)} {base64.b64encode(next_step()).decode()}")
        while code == 334:
            code, text = smtp.docmd(base64.b64encode(next(steps)(base64.b64decode(text))).decode())
        assert (code, text[:5]) == (235, b"2.7.0")
        assert smtp.mail(house.user)[0] == 250


@KINDS
@ALGORITHMS
def test_scram_in_imap(house, version, kind, plus, algorithm):
    imap = imaplib.IMAP4_SSL(house.host, house.imaps, ssl_context=context(version), timeout=60)
    client = Scram(algorithm, house.user, house.password, binding(imap.sock, kind))
    steps = iter((lambda _: client.first(), client.final, lambda last: b"" if client.check(last) else None))
    assert imap.authenticate(mechanism(algorithm, plus), lambda challenge: next(steps)(challenge))[0] == "OK"
    assert imap.select("INBOX")[0] == "OK"
    imap.logout()


def test_scram_on_another_channel_is_refused_and_warned_of(house):
    """Somebody in the middle has a certificate of his own, and the client sees that one."""
    before = house.log.read_text().count("channel binding differs")
    imap = imaplib.IMAP4_SSL(house.host, house.imaps, ssl_context=context(ssl.TLSVersion.TLSv1_3), timeout=60)
    client = Scram("sha256", house.user, house.password, ("tls-server-end-point", bytes(32)))
    steps = iter((lambda _: client.first(), client.final, lambda _: b""))
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        imap.authenticate("SCRAM-SHA-256-PLUS", lambda challenge: next(steps)(challenge))
    imap.logout()
    assert house.log.read_text().count("channel binding differs") == before + 1


def imap_login(house: served.House, password: str, how: str = "LOGIN") -> None:
    """Raises IMAP4.error."""
    imap = imaplib.IMAP4(house.host, house.imap, timeout=60)
    with contextlib.closing(imap.sock):
        if how == "CRAM-MD5":
            imap.login_cram_md5(house.user, password)
        else:
            imap.login(house.user, password)


def test_app_passwords(moxpy, house):
    password = command(moxpy, house, "apppassword", "add", "mox", "phone").strip()
    limited = json.loads(
        command(
            moxpy, house, "apppassword", "add", "mox", "printer", "--protocols", "submission", "--expires=90d", "--json"
        )
    )
    imap_login(house, password)
    imap_login(house, password, "CRAM-MD5")
    with pytest.raises(imaplib.IMAP4.error, match="not for imap"):
        imap_login(house, limited["password"])
    with smtplib.SMTP(house.host, house.submission, timeout=60) as smtp:
        smtp.login(house.user, limited["password"])
    found = json.loads(command(moxpy, house, "apppassword", "list", "mox", "--json"))
    assert [(one["label"], one["protocols"]) for one in found] == [
        ("phone", ["submission", "imap", "jmap", "webapi"]),
        ("printer", ["submission"]),
    ]
    day = (found[1]["expires_microseconds"] - found[1]["created_microseconds"]) / 86_400e6
    assert (found[0]["expires_microseconds"], day) == (None, 90)
    assert password not in house.log.read_text()
    listed = command(moxpy, house, "apppassword", "list", "mox").splitlines()
    assert listed[1].startswith(f'{found[0]["id"]}\t"phone"\tsubmission,imap,jmap,webapi\t')
    assert "removed" in command(moxpy, house, "apppassword", "rm", "mox", str(found[0]["id"]))
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        imap_login(house, password)
    imap_login(house, house.password)
    command(moxpy, house, "apppassword", "rm", "mox", str(limited["id"]))
    assert json.loads(command(moxpy, house, "apppassword", "list", "mox", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["apppassword", "add", "nobody", "x"], "no account", id="unknown account"),
        pytest.param(["apppassword", "add", "mox", "x", "--protocols", "ftp"], "no protocol", id="unknown protocol"),
        pytest.param(["apppassword", "add", "mox", "x", "--expires", "soon"], "duration", id="no duration"),
        pytest.param(["apppassword", "list", "nobody"], "no account", id="list of nobody"),
        pytest.param(["apppassword", "rm", "mox", "99"], "no app password 99", id="unknown id"),
        pytest.param(["apppassword", "rm", "mox", "phone"], "must be a number", id="no id"),
        pytest.param(["account", "logins", "nobody"], "no account", id="logins of nobody"),
        pytest.param(["account", "logins", "--most", "x"], "must be a number", id="no number"),
    ],
)
def test_commands_that_fail(moxpy, house, arguments, words):
    assert words in command(moxpy, house, *arguments, code=1)


def test_logins_are_listed(moxpy, house):
    imap = imaplib.IMAP4(house.host, house.imap, timeout=60)
    imap.xatom("ID", '("name" "test\'s client" "version" "2")')
    for user, password in ((house.user, house.password), ("nobody@localhost", "x"), (house.user, "wrong")):
        with contextlib.suppress(imaplib.IMAP4.error):
            imap.login(user, password)
            imap.logout()
            imap = imaplib.IMAP4(house.host, house.imap, timeout=60)
    imap.logout()

    def found() -> list[dict]:
        return json.loads(command(moxpy, house, "account", "logins", "--json"))

    wanted = {("mox", house.user, "ok"), ("-", "nobody@localhost", "badcreds"), ("mox", house.user, "badcreds")}
    for _ in range(50):  # They are written in the background, within a second or two.
        shown = found()
        if wanted <= {(one["account"], one["login_address"], one["result"]) for one in shown}:
            break
    else:
        raise AssertionError(shown)
    agents = [one["user_agent"] for one in shown if one["mechanism"] == "login" and one["result"] == "ok"]
    assert "test's client/2" in agents
    lines = command(moxpy, house, "account", "logins", "mox").splitlines()
    assert any("badcreds" in line and '"mox@localhost"' in line for line in lines[1:])
    assert not any("nobody" in line for line in lines)


#: As in operations/login.py, with fail2ban's <HOST> written out.
FAILREGEX = r'^.*?l=info m="login failed" (?:pkg=\S+ )+remoteip=(?P<host>\S+) result=(?!error)'


def test_failed_logins_can_be_banned_by_their_log_line(house):
    """No user name can pass for another address."""
    before = len(house.log.read_text().splitlines())
    imap = imaplib.IMAP4(house.host, house.imap, timeout=60)
    evil = 'x l=info m="login failed" pkg=imap remoteip=192.0.2.66 result=badcreds'
    with pytest.raises(imaplib.IMAP4.error):
        imap.login(f'"{evil.replace(chr(34), chr(92) + chr(34))}"', "x")
    imap.logout()
    lines = [line for line in house.log.read_text().splitlines()[before:] if "192.0.2.66" in line]
    assert lines
    for line in lines:
        matched = re.search(FAILREGEX, line)
        assert matched is None or matched["host"] == "127.0.0.1"
    assert any(re.search(FAILREGEX, line) for line in lines)
