"""A first installation as its operator lives through it, in a small internet of namespaces, from `moxpy quickstart` on.

Two mail servers are set up by what quickstart writes and prints: its useradd is run, its records are put into signed
zones, certificates come from Pebble at the address of Let's Encrypt, and root is dropped. A Postfix that demands DANE
is the rest of the world. Mail goes between all of them, by DANE and, where zones are not signed, by MTA-STS; a wrong
key and a wrong policy stop it. Run by `make interop-world`; needs root. The folder with all logs is kept on failure.
"""

import argparse
import gzip
import json
import re
import shutil
import signal
import sys
import tempfile
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from interop.machines import Machine, connected
from interop.worldnames import Names
from support import programs
from support.authority import Authority

PROGRAMS = {
    "named": "bind9",
    "dnssec-signzone": "bind9-utils",
    "unbound": "unbound",
    "pebble": "pebble",
    "postfix": "postfix",
    "swaks": "swaks",
    "curl": "curl",
    "openssl": "openssl",
    "systemd-analyze": "systemd",
}
NAMES, ACME, POST, HOUSE, AWAY = "45.9.0.1", "45.9.0.2", "45.9.0.25", "45.9.0.10", "45.9.0.20"
DIRECTORY = "acme-v02.api.letsencrypt.org"
HOME = "/home/moxpy"
ZONES = {
    "": "",
    "com": "gmail MX 10 mx.post.example.\n",
    "org": f"acme-v02.api.letsencrypt A {ACME}\n2.0.0.127.sbl.spamhaus A 127.0.0.2\n",
    "net": "2.0.0.127.bl.spamcop A 127.0.0.2\n",
    "arpa": "".join(
        f"{address.rpartition('.')[2]}.0.9.45.in-addr PTR {name}.\n"
        for address, name in ((POST, "mx.post.example"), (HOUSE, "mx.house.example"), (AWAY, "mx.away.example"))
    ),
    "example": f"ns A {NAMES}\n",
    "house.example": f"mx A {HOUSE}\n",
    "away.example": f"mx A {AWAY}\n",
    "post.example": f'@ MX 10 mx\nmx A {POST}\n@ TXT "v=spf1 mx -all"\nmx TXT "v=spf1 a -all"\n'
    '_dmarc TXT "v=DMARC1; p=none; rua=mailto:post@post.example"\n'
    '_smtp._tls TXT "v=TLSRPTv1; rua=mailto:post@post.example"\n',
    "plainhouse.example": "",
    "plainaway.example": "",
}
UNSIGNED = {"arpa", "plainhouse.example", "plainaway.example"}
PEBBLE_PORT = 14000
#: Seconds after which nobody remembers a record of ours; negative answers are forgotten sooner.
TTL = 6
CA = "/etc/ssl/certs/ca-certificates.crt"
POSTFIX = {
    "myhostname": "mx.post.example",
    "mydestination": "post.example",
    "mynetworks": "127.0.0.0/8",
    "inet_interfaces": "all",
    "inet_protocols": "ipv4",
    "home_mailbox": "Maildir/",
    "mailbox_command": "",
    "smtp_tls_security_level": "dane",
    "smtp_dns_support_level": "dnssec",
    "smtp_tls_loglevel": "1",
    "smtp_tls_CAfile": CA,
    "smtpd_tls_security_level": "may",
    "smtpd_tls_loglevel": "1",
    "maillog_file": "/var/log/postfix.log",
    "minimal_backoff_time": "5s",
    "queue_run_delay": "5s",
}


class Said:
    """Tells what was proven, and when."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        print(f"{time.monotonic() - self._start:6.1f} s  {text}", flush=True)


class House:
    """A mail server of ours, by what its operator does."""

    def __init__(self, machine: Machine, program: Path, address: str) -> None:
        self.machine, self.address, self.domain = machine, address, address.partition("@")[2]
        self.account, self.host = address.partition("@")[0], machine.name
        home = machine.folder / "home/moxpy"
        home.mkdir()
        shutil.copy(program, home / "moxpy")
        self.program = f"{HOME}/moxpy"
        self.password = ""

    def moxpy(self, *words: str, given: str | None = None, fails: bool = False) -> str:
        return self.machine.run(self.program, *words, folder=HOME, given=given, fails=fails)

    def quickstart(self) -> str:
        """Set it up; the records to add."""
        text = self.moxpy("quickstart", self.address)
        found = re.search(rf"^Password of {self.address}:  (.*)$", text, re.MULTILINE)
        assert found, text
        self.password = found[1]
        begin = text.index("; DNS records for")
        # What is changed later must not be remembered for long.
        records = text[begin : text.index("\nTo start:\n")].replace("$TTL 300", "$TTL 5")
        # What is printed to be run is run as printed; systemd's part is ours.
        command = re.search(r"^  (useradd .*)$", text, re.MULTILINE)
        assert command, text
        self.machine.run("sh", "-c", command[1])
        return records

    def start(self, **environment: str) -> None:
        """As systemd does by the unit, and confined as it says."""
        since = len(self.machine.log(self.log)) if (self.machine.folder / self.log).exists() else 0
        confined = Path(__file__).with_name("confined.py")
        words = [sys.executable, confined, f"{HOME}/moxpy.service"]
        self.machine.start(*words, log=self.log, folder=HOME, **environment)
        self.machine.until(self.log, "systemd hears: 'READY=1'", since=since)

    @property
    def log(self) -> str:
        return f"{self.domain}.log"

    def stop(self) -> None:
        """As ExecStop does; it waits."""
        since = len(self.machine.log(self.log))
        self.moxpy("stop")
        self.machine.until(self.log, "ended with 0", since=since)

    def runs_as(self) -> set[str]:
        """The users of the processes that serve. The executable unpacks itself as root, and waits for its child."""
        lines = self.machine.run("ps", "-eo", "user:20=,pid=,ppid=,args=").splitlines()
        serving = {line.split()[1]: line.split() for line in lines if line.split()[3:] == [self.program, "serve"]}
        return {words[0] for words in serving.values() if words[2] in serving}

    def certificates(self, *hosts: str, seconds: float = 120) -> None:
        """Return when each host has its certificate."""
        deadline = time.monotonic() + seconds
        while True:
            known = json.loads(self.moxpy("tls", "certificates", "--json"))
            good = {one["host"] for one in known if one["state"] == "ok"}
            if good >= set(hosts):
                return
            assert time.monotonic() < deadline, (hosts, known, self.machine.log(self.log)[-5000:])
            time.sleep(2)

    def submit(self, subject: str, *to: str, sender: str = "") -> None:
        """By Swaks, which verifies the certificate."""
        self.machine.run(
            "swaks", "--server", f"mail.{self.domain}", "--port", "465", "--tls-on-connect", "--tls-verify",
            "--tls-ca-path", CA, "--tls-sni", f"mail.{self.domain}",
            "--auth", "PLAIN", "--auth-user", self.address, "--auth-password", self.password,
            "--from", sender or self.address, "--to", ",".join(to), "--header", f"Subject: {subject}",
            "--body", f"body of {subject}",
        )  # fmt: skip

    def imap(self, path: str, *words: str) -> str:
        return self.machine.run(
            "curl", "-sS", "--cacert", CA, "-u", f"{self.address}:{self.password}", f"imaps://mail.{self.domain}/{path}",
            *words,
        )  # fmt: skip

    def received(self, subject: str, *, mailbox: str = "INBOX", seconds: float = 40) -> str:
        """The message with a subject, once it is there."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.imap(mailbox, "-X", f'SEARCH SUBJECT "{subject}"').split()[2:]
            if found:
                return self.imap(f"{mailbox};MAILINDEX={found[-1]}")
            assert time.monotonic() < deadline, f"{subject} is not in {mailbox}\n{self.machine.log(self.log)[-5000:]}"
            time.sleep(0.2)

    def waiting(self, subject: str, *, seconds: float = 40) -> dict[str, Any]:
        """A message of the queue that was tried."""
        deadline = time.monotonic() + seconds
        while True:
            for one in json.loads(self.moxpy("queue", "list", "--json")):
                if one["subject"] == subject and one["attempts"] and one["results"][-1]["text"]:
                    return one
            assert time.monotonic() < deadline, self.machine.log(self.log)[-5000:]
            time.sleep(0.2)


def start_authority(net: Machine, machines: list[Machine]) -> None:
    """Pebble and what leads to it; all machines believe it, and what it issues."""
    vouching = Authority()
    pair = vouching.key_pair(DIRECTORY)
    (net.folder / "pair.pem").write_bytes(pair.chain + pair.key)
    (net.folder / "chain.pem").write_bytes(pair.chain)
    (net.folder / "key.pem").write_bytes(pair.key)
    settings = {
        "listenAddress": f"127.0.0.1:{PEBBLE_PORT}",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": str(net.folder / "chain.pem"),
        "privateKey": str(net.folder / "key.pem"),
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (net.folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    words = ["pebble", "-config", net.folder / "pebble.json", "-dnsserver", f"{NAMES}:53"]
    net.start(*words, log="pebble.log", PEBBLE_VA_NOSLEEP="1")
    proxy = Path(__file__).with_name("authorityproxy.py")
    net.start(sys.executable, proxy, ACME, net.folder / "pair.pem", str(PEBBLE_PORT), log="proxy.log")
    net.until("pebble.log", "Listening on")
    root = net.run("curl", "-sSk", "--retry", "20", "--retry-connrefused", "https://127.0.0.1:15000/roots/0")
    for one in machines:
        one.trust(pair.chain[pair.chain.rindex(b"-----BEGIN") :] + root.encode())


def start_postfix(post: Machine, names: Names) -> None:
    """Debian's, with a user, a self-signed certificate, and its record."""
    post.run("useradd", "--create-home", "post")
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=mx.post.example"]
    post.run("openssl", *words, "-keyout", "/etc/postfix/key.pem", "-out", "/etc/postfix/cert.pem")
    script = "openssl x509 -in /etc/postfix/cert.pem -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum"
    digest = post.run("sh", "-c", script).split()[0]
    names.zones["post.example"] += f"_25._tcp.mx TLSA 3 1 1 {digest}\n"
    settings = POSTFIX | {"smtpd_tls_cert_file": "/etc/postfix/cert.pem", "smtpd_tls_key_file": "/etc/postfix/key.pem"}
    post.run("postconf", "-e", *(f"{name} = {value}" for name, value in settings.items()))
    post.run("postconf", "-F", "*/*/chroot = n")
    post.run("postfix", "start")


def at_postfix(post: Machine, subject: str, seconds: float = 40) -> str:
    """The message with a subject, once it is there."""
    return at_postfix_with(post, f"Subject: {subject}\n", seconds)


def at_postfix_with(post: Machine, text: str, seconds: float = 40) -> str:
    """A message with some text in it."""
    deadline = time.monotonic() + seconds
    while True:
        for path in (post.folder / "home/post/Maildir/new").glob("*"):
            found = path.read_text(errors="replace")
            if text in found:
                return found
        assert time.monotonic() < deadline, f"{text!r} did not reach Postfix"
        time.sleep(0.2)


def from_postfix(post: Machine, subject: str, to: str) -> None:
    text = f"From: post@post.example\nTo: {to}\nSubject: {subject}\n\nbody of {subject}\n"
    post.run("sendmail", "-f", "post@post.example", to, given=text)


def story(folder: Path, program: Path, said: Said) -> None:
    with connected(
        folder,
        net=("ns.example", NAMES, ACME),
        post=("mx.post.example", POST),
        house=("mx.house.example", HOUSE),
        away=("mx.away.example", AWAY),
    ) as machines:
        net, post, *ours = machines
        names = Names(net, NAMES, dict(ZONES), UNSIGNED)
        for one in machines:
            names.resolve_on(one)
        start_authority(net, machines)
        start_postfix(post, names)
        names.publish()
        said("four machines with DNS, authority and Postfix")
        house, away = House(ours[0], program, "me@house.example"), House(ours[1], program, "you@away.example")
        installed(names, house, away, said)
        by_dane(names, post, house, away, said)
        by_mtasts(names, house, away, said)
        reported(post, house, away, said)
        rekeyed(names, house, away, said)
        restarted(house, away, said)
        restored(house, said)


def installed(names: Names, house: House, away: House, said: Said) -> None:
    for one in (house, away):
        names.zones[one.domain] = one.quickstart()
    names.publish()
    said("quickstart on two of them; its records are published")
    for one in (house, away):
        one.start()
    for one in (house, away):
        one.certificates(one.host, f"mail.{one.domain}", f"autoconfig.{one.domain}")
        assert one.runs_as() == {"moxpy"}, one.runs_as()
    said("served by an unprivileged user, confined as the unit says, with a certificate for each name")
    for one in (house, away):
        one.moxpy("config", "test")
        one.moxpy("config", "dnscheck", one.domain)
        one.moxpy("config", "dnsrecords", "--diff", one.domain)
        one.moxpy("doctor")
    said("dnscheck and doctor find no error; all records are there")


def by_dane(names: Names, post: Machine, house: House, away: House, said: Said) -> None:
    """Both ways, with Postfix and between us; not to a host with another key."""
    house.submit("dane-to-post", "post@post.example")
    house.submit("dane-to-away", "you@away.example")
    away.submit("dane-to-house", "me@house.example")
    from_postfix(post, "dane-from-post", "me@house.example")
    assert "ESMTPS" in at_postfix(post, "dane-to-post")
    for where, subject, sender in (
        (away, "dane-to-away", "house.example"),
        (house, "dane-to-house", "away.example"),
        (house, "dane-from-post", "post.example"),
    ):
        text = where.received(subject)
        assert "with ESMTPS" in text.replace("\r\n\t", " "), text
        assert "spf=pass" in text, text
        assert "dmarc=pass" in text, (sender, text)
    post_log = post.run("cat", "/var/log/postfix.log")
    assert "Verified TLS connection established to mx.house.example" in post_log, post_log
    right = names.zones["post.example"]
    names.zones["post.example"] = re.sub(r"TLSA 3 1 1 \w+", f"TLSA 3 1 1 {'ab' * 32}", right)
    names.publish()
    time.sleep(TTL)
    house.submit("dane-to-wrong-key", "post@post.example")
    held = house.waiting("dane-to-wrong-key")
    assert "dane-no-match" in held["results"][-1]["text"], held
    names.zones["post.example"] = right
    names.publish()
    time.sleep(TTL)
    house.moxpy("queue", "schedule", "--ids", str(held["id"]), "--now", "0s")
    at_postfix(post, "dane-to-wrong-key")
    said("mail by DANE both ways, with Postfix, too; none to a host with another key, until it has the right one again")


def by_mtasts(names: Names, house: House, away: House, said: Said) -> None:
    """Both ways with domains in zones that are not signed; not to a host that the policy does not name."""
    for one, domain in ((house, "plainhouse.example"), (away, "plainaway.example")):
        one.moxpy("config", "domain", "add", domain, one.account)
        one.moxpy("config", "address", "add", f"plain@{domain}", one.account)
        records = one.moxpy("config", "dnsrecords", domain)
        # Those of the machine stand in the other zone.
        names.zones[domain] = (
            "\n".join(
                line
                for line in records.splitlines()
                if line.startswith((";", "$")) or line.partition(" ")[0].endswith(f"{domain}.")
            ).replace("$TTL 300", "$TTL 5")
            + "\n"
        )
    names.publish()
    time.sleep(TTL)
    for one, domain in ((house, "plainhouse.example"), (away, "plainaway.example")):
        # Tried before its records were there, and again later.
        one.certificates(f"mail.{domain}", f"autoconfig.{domain}")
        one.moxpy("config", "dnscheck", domain)
        assert f"mx: {one.host}" in one.moxpy("mtasts", "lookup", domain)
    house.submit("sts-to-away", "plain@plainaway.example")
    away.submit("sts-to-house", "plain@plainhouse.example")
    for where, subject in ((away, "sts-to-away"), (house, "sts-to-house")):
        assert "with ESMTPS" in where.received(subject).replace("\r\n\t", " ")
    right = names.zones["plainaway.example"]
    names.zones["plainaway.example"] = right.replace("MX 10 mx.away.example.", "MX 10 mx.post.example.")
    assert names.zones["plainaway.example"] != right
    names.publish()
    time.sleep(TTL)
    house.submit("sts-to-stranger", "plain@plainaway.example")
    held = house.waiting("sts-to-stranger")
    assert "is not among the hosts of the domain's MTA-STS policy" in held["results"][-1]["text"], held
    names.zones["plainaway.example"] = right
    names.publish()
    time.sleep(TTL)
    house.moxpy("queue", "schedule", "--ids", str(held["id"]), "--now", "0s")
    away.received("sts-to-stranger")
    said("mail by MTA-STS both ways, to domains without DNSSEC; none to a host that the policy does not name")


#: As somebody else's program writes it.
REPORT = """<?xml version="1.0"?>
<feedback><report_metadata><org_name>post.example</org_name><email>post@post.example</email>
<report_id>by-hand-1</report_id><date_range><begin>{begin}</begin><end>{end}</end></date_range></report_metadata>
<policy_published><domain>house.example</domain><p>reject</p><pct>100</pct></policy_published>
<record><row><source_ip>{ip}</source_ip><count>3</count><policy_evaluated><disposition>none</disposition>
<dkim>pass</dkim><spf>pass</spf></policy_evaluated></row><identifiers><header_from>house.example</header_from>
</identifiers><auth_results><spf><domain>house.example</domain><result>pass</result></spf></auth_results></record>
</feedback>"""


def reported(post: Machine, house: House, away: House, said: Said) -> None:
    """What was seen of mail and TLS until now is told, to each other and to Postfix; and what others tell is kept."""
    assert "away.example" in house.moxpy("dmarc", "sendreports").split()
    assert "house.example" in away.moxpy("dmarc", "sendreports").split()
    text = away.received("Report Domain: away.example", mailbox="DMARC")
    assert "Submitter: mx.house.example" in text.replace("\r\n", ""), text
    assert "X-Mox-DMARCReport-Error" not in text, text
    assert "dmarc=pass" in text, text
    assert "X-Mox-DMARCReport-Error" not in house.received("Report Domain: house.example", mailbox="DMARC")
    theirs = at_postfix_with(post, "!post.example!")
    (folder := post.folder / "home/post/report.eml").write_text(theirs)
    shutil.copy(folder, house.machine.folder / "home/moxpy/report.eml")
    told = json.loads(house.moxpy("dmarc", "parsereportmsg", "--json", "report.eml"))
    assert told[0]["policy"]["domain"] == "post.example", told
    # The failures of wrong keys and strange hosts.
    house.moxpy("tlsrpt", "sendreports")
    text = away.received("Report Domain: plainaway.example", mailbox="TLSRPT")
    assert "X-Mox-TLSReport-Error" not in text, text
    at_postfix_with(post, "application/tlsrpt+gzip")
    # One of another program comes in.
    now = int(time.time())
    letter = EmailMessage()
    letter["From"], letter["To"] = "post@post.example", "dmarcreports@house.example"
    letter["Subject"] = "Report Domain: house.example Submitter: post.example Report-ID: by-hand-1"
    letter.set_content("a report")
    packed = gzip.compress(REPORT.format(begin=now - 86400, end=now - 60, ip=HOUSE).encode())
    name = f"post.example!house.example!{now - 86400}!{now - 60}.xml.gz"
    letter.add_attachment(packed, "application", "gzip", filename=name)
    post.run("sendmail", "-f", "post@post.example", "dmarcreports@house.example", given=letter.as_string())
    text = house.received("by-hand-1", mailbox="DMARC")
    assert "X-Mox-DMARCReport-Error" not in text, text
    assert not house.machine.log(house.log).count("report failed")
    said("reports about DMARC and TLS both ways and to Postfix, and one of another program")


def rekeyed(names: Names, house: House, away: House, said: Said) -> None:
    """New DKIM keys, with records that the operator adds and removes as he is told, and nobody misses a key."""

    def rotation(verb: str) -> dict[str, Any]:
        told = json.loads(house.moxpy("config", "dkim", "rotate", verb, "--json", house.domain))
        return told[0] if isinstance(told, list) else told

    def until(step: str) -> dict[str, Any]:
        deadline = time.monotonic() + 100  # The name servers are asked once a minute.
        while (told := rotation("status"))["step"] != step:
            assert time.monotonic() < deadline, told
            time.sleep(2)
        return told

    old = re.search(r" s=(\w+);", away.received("dane-to-away").replace("\r\n", ""))
    assert old
    told = rotation("start")
    assert told["step"] == "publish", told
    assert "has no record of" in told["problem"], told
    assert "Add: " in house.moxpy("doctor", "--offline")
    right = names.zones[house.domain]
    names.zones[house.domain] = right + "".join(f"{line}\n" for line in told["add"])
    names.publish()
    until("spread")
    assert rotation("next")["step"] == "retire"
    house.submit("by-new-key", "you@away.example")
    text = away.received("by-new-key").replace("\r\n", "")
    assert f" s={told['selectors'][old[1]]};" in text, text
    assert "dkim=pass" in text, text
    told = rotation("next")
    assert told["step"] == "withdraw", told
    kept = names.zones[house.domain].splitlines()
    gone = {line.partition(" ")[0] for line in told["remove"]}
    names.zones[house.domain] = "".join(f"{line}\n" for line in kept if line.partition(" ")[0] not in gone)
    assert names.zones[house.domain] != right
    names.publish()
    until("done")
    house.moxpy("config", "dnscheck", house.domain)
    said("new DKIM keys, by records that were added and removed by hand; what is signed by them verifies")


def restarted(house: House, away: House, said: Said) -> None:
    """What waits is sent after a restart; what was kept is there."""
    away.stop()
    house.submit("while-away", "you@away.example")
    held = house.waiting("while-away")
    house.stop()
    assert not house.runs_as()
    house.moxpy("verifydata", "data")
    for one in (house, away):
        one.start()
    for one, subject in ((away, "dane-to-away"), (house, "dane-from-post"), (house, "sts-to-house")):
        one.received(subject)
    house.moxpy("queue", "schedule", "--ids", str(held["id"]), "--now", "0s")
    away.received("while-away")
    said("a graceful end, nothing wrong with the data, and a start with all that was kept and all that waited")


def restored(house: House, said: Said) -> None:
    """From a backup of the running server, where nothing is but the program and the backup."""
    house.machine.run("install", "-d", "-o", "moxpy", f"{HOME}/backups")
    house.moxpy("backup", "--keep", "7", "backups")
    house.stop()
    house.machine.run(
        "sh",
        "-c",
        f"cd {HOME} && mkdir -m 700 /home/old && mv config data moxpy.service /home/old/",
    )
    [backup] = (house.machine.folder / "home/moxpy/backups").iterdir()
    house.moxpy("restore", "--rehearse", f"backups/{backup.name}")
    house.moxpy("restore", f"backups/{backup.name}")
    house.machine.run("sh", "-c", f"cd {HOME} && ./moxpy config printservice > moxpy.service")
    house.start()
    house.received("dane-from-post")
    house.submit("restored", "post@post.example")
    said("a backup of the running server, put in place where nothing was; it serves, and has all mail")


def main() -> int:
    parser = argparse.ArgumentParser(prog="world", description=__doc__)
    parser.add_argument("--moxpy", type=Path, default=Path("dist/moxpy"), help="the executable")
    options = parser.parse_args()
    programs.require(PROGRAMS)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # So that the machines end, too.
    folder = Path(tempfile.mkdtemp(prefix="moxpy-world-"))
    folder.chmod(0o755)
    story(folder, options.moxpy.resolve(), Said())
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
