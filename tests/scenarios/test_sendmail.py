"""`moxpy sendmail`, as cron calls it, against a whole house."""

import contextlib
import imaplib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import served
from support.inetd import inetd


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    with served.running(moxpy, tmp_path_factory.mktemp("house") / "local") as house:
        yield house


@dataclass
class Machine:
    """One whose programs send."""

    program: Path
    house: served.House
    home: Path

    @property
    def local(self) -> Path:
        assert self.house.log is not None
        return self.house.log.parent / "local"

    def configure(self, *lines: str, port: int | None = None) -> None:
        common = [
            f"port = {port or self.house.submissions}",
            'host = "localhost"',
            'default_destination = "mox@localhost"',
        ]
        text = "\n".join([*common, 'from = "mox@localhost"', 'local_hostname = "web.example"', *lines])
        (self.home / "submit.toml").write_text(text)

    def send(self, *arguments: str, message: str, trusting: bool = True) -> subprocess.CompletedProcess[str]:
        authority = self.local / "localhost.crt" if trusting else Path("/dev/null")
        return subprocess.run(
            [str(self.program), "sendmail", "-C", str(self.home / "submit.toml"), *arguments],
            input=message,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "HOME": str(self.home), "SSL_CERT_FILE": str(authority)},
        )

    def moxpy(self, *arguments: str, input: str = "") -> str:
        command = [str(self.program), "--config", str(self.local / "moxpy.toml"), *arguments]
        return subprocess.run(
            command, input=input, capture_output=True, text=True, check=True, timeout=120, cwd=self.home
        ).stdout

    def arrived(self, subject: str) -> bytes:
        """The message of that subject, once it is there."""
        deadline = time.monotonic() + 120
        with imaplib.IMAP4(self.house.host, self.house.imap, timeout=60) as client:
            client.starttls(ssl._create_unverified_context())
            client.login(self.house.user, self.house.password)
            client.select("INBOX")
            while not (numbers := client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()):
                assert time.monotonic() < deadline, f"{subject} did not arrive"
                client.noop()
            assert len(numbers) == 1
            return client.fetch(numbers[0].decode(), "BODY.PEEK[]")[1][0][1]

    def mechanism(self) -> str:
        """Of the last login on the submission port."""
        assert self.house.log is not None
        return re.findall(r"m=login pkg=submissions .*mechanism=(\S+)", self.house.log.read_text())[-1]

    def kept(self) -> list[Path]:
        return sorted((self.home / "moxpysubmit.failures").glob("*"))


@pytest.fixture
def machine(moxpy: Path, house: served.House, tmp_path: Path) -> Machine:
    return Machine(moxpy, house, tmp_path)


PASSWORD = ('username = "mox@localhost"', 'password = "moxmoxmox"')


@pytest.mark.parametrize(
    "method", ["", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN"]
)
def test_password(machine, method):
    machine.configure(*PASSWORD, f'auth_method = "{method}"')
    subject = f"password-{method or 'best'}-end"
    done = machine.send("-FCronDaemon", "-i", "-oem", "root", message=f"From: root\nSubject: {subject}\n\n.\nhi\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    message = machine.arrived(subject)
    assert b"From: CronDaemon <mox@localhost>\r\n" in message
    assert b"To: mox@localhost\r\n" in message
    assert b"@web.example>\r\n" in message
    assert message.endswith(b"\r\n\r\n.\r\nhi\r\n")
    assert machine.mechanism() == (method or "SCRAM-SHA-256-PLUS").lower()
    assert machine.kept() == []


def test_starttls_and_recipient_of_the_header(machine):
    machine.configure(*PASSWORD, "starttls = true", port=machine.house.submission)
    done = machine.send("-t", message="To: Ops <mox@localhost>\nSubject: by starttls\n\nhi\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert b"To: Ops <mox@localhost>\r\n" in machine.arrived("by starttls")


@pytest.mark.parametrize("method", ["", "EXTERNAL"])
@pytest.mark.parametrize("secret", ["seed", "file"])
def test_client_key(machine, secret, method):
    stem = f"key{secret}{method}"
    done = subprocess.run(
        [str(machine.program), "config", "tlspubkey", "gen", stem],
        capture_output=True, text=True, check=True, cwd=machine.home,
    )  # fmt: skip
    key, certificate, both = (machine.home / line for line in done.stdout.splitlines())
    key.unlink()
    lines = {
        "seed": f'client_auth_ed25519_private_key = "{done.stderr.partition(": ")[2].split()[0]}"',
        "file": f'client_auth_cert_private_key_pem_file = "{both}"',
    }
    machine.configure(lines[secret], f'auth_method = "{method}"')
    refused = machine.send("root", message="Subject: unknown key\n\nhi\n")
    assert refused.returncode == 1
    assert len(machine.kept()) == 1
    added = json.loads(
        machine.moxpy("config", "tlspubkey", "add", "--json", "mox@localhost", input=certificate.read_text())
    )
    assert added["type"] == "ed25519"
    subject = f"by key {stem}"
    done = machine.send("root", message=f"Subject: {subject}\n\nhi\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert b"From: mox@localhost\r\n" in machine.arrived(subject)


def test_server_nobody_vouches_for(machine):
    machine.configure(*PASSWORD)
    done = machine.send("root", message="Subject: unverified\n\nhi\n", trusting=False)
    assert done.returncode == 1
    assert "certificate is not verified" in done.stderr
    (kept,) = machine.kept()
    assert f"the message is kept in {kept}" in done.stderr
    assert b"\r\nTo: mox@localhost\r\n" in kept.read_bytes()
    machine.configure(*PASSWORD, "tls_insecure_skip_verify = true")
    assert machine.send("root", message="Subject: skipped\n\nhi\n", trusting=False).returncode == 0
    machine.arrived("skipped")


def test_refusals(machine):
    machine.configure('username = "mox@localhost"', 'password = "wrongsecret"')
    done = machine.send("root", message="Subject: refused\n\nhi\n")
    assert done.returncode == 1
    assert "invalid-proof" in done.stderr
    assert "wrongsecret" not in done.stderr
    machine.configure(*PASSWORD)
    (machine.home / "submit.toml").write_text(
        (machine.home / "submit.toml").read_text().replace('from = "mox@', 'from = "other@elsewhere.')
    )
    done = machine.send("root", message="Subject: refused\n\nhi\n")
    assert done.returncode == 1
    assert "550 5.7.1" in done.stderr
    assert len(machine.kept()) == 2


@pytest.fixture
def service(machine, tmp_path) -> Iterator[Path]:
    """Submits what comes by a socket, with a configuration that only it knows, as systemd would give it."""
    secret = tmp_path / "credentials"
    secret.mkdir()
    machine.configure(*PASSWORD)
    (machine.home / "submit.toml").rename(secret / "moxpysubmit.toml")
    (machine.home / "submit.toml").symlink_to(tmp_path / "socket")
    environment = {"CREDENTIALS_DIRECTORY": str(secret), "SSL_CERT_FILE": str(machine.local / "localhost.crt")}
    command = [str(machine.program), "sendmailserve"]
    with inetd(tmp_path / "socket", command, tmp_path / "service.log", **environment):
        yield tmp_path / "service.log"


def test_by_a_service(machine, service):
    done = machine.send("-FBackup", "-i", "root", message="Subject: by the service\n\nhi\n", trusting=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert b"From: Backup <mox@localhost>\r\n" in machine.arrived("by the service")
    done = machine.send("-t", message="To: Ops <mox@localhost>\nSubject: also by the service\n\nhi\n", trusting=False)
    assert done.returncode == 0
    assert b"To: Ops <mox@localhost>\r\n" in machine.arrived("also by the service")
    assert service.read_text() == f"submitted for user {os.getuid()}, to mox@localhost\n" * 2
    assert machine.kept() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["root", "other"], "one recipient", id="two recipients"),
        pytest.param(["x@elsewhere.example", "-t"], "either -t or a recipient", id="and one in the header"),
        pytest.param(["not@an@address"], "recipient: ", id="no address"),
    ],
)
def test_what_a_service_does_not_take_is_kept_by_the_caller(machine, service, arguments, said):
    done = machine.send(*arguments, message="Subject: not taken\n\nhi\n")
    assert done.returncode == 1
    assert said in done.stderr
    assert "moxmoxmox" not in done.stderr
    (kept,) = machine.kept()
    assert kept.read_text() == "Subject: not taken\n\nhi\n"


@pytest.mark.parametrize("octets", [b"", b"nonsense\nx", b'{"recipients": "x"}\n', b"{}\nx", b"x" * 100_000])
def test_a_service_survives_its_callers(machine, service, tmp_path, octets):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(str(tmp_path / "socket"))
        with contextlib.suppress(BrokenPipeError):
            sock.sendall(octets)
            sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert b"moxmoxmox" not in sock.recv(1000)
    done = machine.send("root", message="Subject: after nonsense\n\nhi\n")
    assert done.returncode == 0
    assert "Traceback" not in service.read_text()


def test_no_service(machine, tmp_path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(machine.home / "submit.toml"))
    done = machine.send("root", message="Subject: nobody listens\n\nhi\n")
    assert done.returncode == 1
    assert "refused" in done.stderr
    assert len(machine.kept()) == 1


def test_units_are_right(machine, tmp_path):
    """As far as systemd itself can tell."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    text = machine.moxpy("config", "sendmailservice")
    files = []
    for unit in text.split("# /etc/systemd/system/")[1:]:
        name, _, body = unit.partition("\n")
        files.append(tmp_path / name.replace("@", "@1"))
        program = re.search(r"(?m)^ExecStart=(\S+)", body)
        files[-1].write_text(body.replace(program[1], "/bin/true") if program else body)
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert "Unknown" not in done.stderr
    assert "Failed" not in done.stderr
    assert (tmp_path / "moxpysubmit.socket") in files
