"""DKIM with OpenDKIM and Perl's Mail::DKIM: what they sign verifies here, what is signed here verifies there.

So do ARC chains that Mail::DKIM and we seal in turn, and changed ones do not. Keys come from a name server on the loopback; OpenDKIM
reads them from a file. Mail::DKIM knows RSA alone.
"""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import trio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from appliance.base.clock import SystemClock
from appliance.config.load import Config, load
from appliance.dns.network import Network
from appliance.dns.resolvconf import Configuration, parse_server
from appliance.dns.resolver import Resolver
from appliance.mail.authres import AuthResults, Method
from appliance.mail.domain import parse_domain
from appliance.mail.header import header_end
from appliance.msgauth import arc, arcseal

WORK, MOXPY = Path(os.environ["WORK"]), os.environ["MOXPY"]
NAMES = {"rsa": "rsa._domainkey.example.org", "ed": "ed._domainkey.example.org"}
HEAD = "From: Alice <alice@example.org>\r\nTo: Bob <bob@example.net>\r\nSubject: %s\r\nDate: Thu, 26 Nov 2026 08:00:00 +0000\r\n"
BODIES = {
    "plain": "Hello.\r\n",
    "empty": "",
    "empty lines": "\r\n\r\n\r\n",
    "white space": " Hello, \t you. \r\n\t\r\n  \r\n\r\n",
    "no empty lines at the end": "a\r\n\r\nb\r\n",
    "eight bit": "Grüße\r\n",
    "dots": ".\r\n..\r\n",
    "long": "Some text that comes again and again, and  again.\r\n" * 4000,
}
SUBJECTS = ("hello", "a  folded\r\n\tone \r\n\t two", "")
STATIC = """\
data_dir = "."
user = "0"
log_level = "error"
hostname = "mail.example"
[postmaster]
account = "alice"
mailbox = "Postmaster"
[host_tlsrpt]
account = "alice"
mailbox = "TLSRPT"
localpart = "tlsreports"
[listeners.local]
ips = ["127.0.0.1"]
"""
DOMAINS = """\
[domains."example.org"]
[domains."example.org".dkim]
sign = ["rsa", "ed"]
[domains."example.org".dkim.selectors.rsa]
private_key_file = "rsa.pem"
canonicalization = {{ header_relaxed = {header}, body_relaxed = {body} }}
[domains."example.org".dkim.selectors.ed]
private_key_file = "ed.pem"
canonicalization = {{ header_relaxed = {body}, body_relaxed = {header} }}
[accounts.alice]
domain = "example.org"
[accounts.alice.destinations."alice@example.org"]
"""
OPENDKIM = """\
Mode {mode}
Syslog no
UserID root
RequireSafeKeys no
TestDNSData file:{work}/dns
"""
OPENDKIM_SIGNS = """\
Domain example.org
Selector {selector}
KeyFile {work}/{selector}.pem
SignatureAlgorithm {algorithm}
Canonicalization {canon}
"""
PERL_SIGN = """\
use Mail::DKIM::Signer;
my ($canon, $key) = @ARGV;
my $dkim = Mail::DKIM::Signer->new(
    Algorithm => "rsa-sha256", Method => $canon, Domain => "example.org", Selector => "rsa", KeyFile => $key);
binmode STDIN; { local $/; my $octets = <STDIN>; $dkim->PRINT($octets); } $dkim->CLOSE;
print $dkim->signature->as_string, "\\r\\n";
"""
PERL_RESOLVER = """\
use Net::DNS;
use Mail::DKIM::DNS;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => ["127.0.0.1"], port => shift(@ARGV), recurse => 0));
"""
PERL_VERIFY = f"""\
use Mail::DKIM::Verifier;
{PERL_RESOLVER}
my $dkim = Mail::DKIM::Verifier->new;
binmode STDIN; {{ local $/; my $octets = <STDIN>; $dkim->PRINT($octets); }} $dkim->CLOSE;
print join(" ", map {{ $_->selector . "=" . $_->result }} $dkim->signatures), "\\n";
"""
PERL_SEAL = f"""\
use Mail::DKIM::ARC::Signer;
{PERL_RESOLVER}
my ($chain, $key) = @ARGV;
my $arc = Mail::DKIM::ARC::Signer->new(
    Algorithm => "rsa-sha256", Domain => "example.org", SrvId => "example.org", Selector => "rsa", KeyFile => $key,
    Chain => $chain, Headers => "from:to:subject:date");
binmode STDIN; {{ local $/; my $octets = <STDIN>; $arc->PRINT($octets); }} $arc->CLOSE;
die $arc->{{details}} if $arc->result ne "sealed";
print map {{ "$_\\r\\n" }} $arc->as_strings;
"""

PERL_CHAIN = f"""\
use Mail::DKIM::ARC::Verifier;
{PERL_RESOLVER}
my $arc = Mail::DKIM::ARC::Verifier->new;
binmode STDIN; {{ local $/; my $octets = <STDIN>; $arc->PRINT($octets); }} $arc->CLOSE;
print $arc->result_detail, "\\n";
"""


class NameServer:
    """Answers TXT from a table, over UDP."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts
        self._socket = socket(AF_INET, SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            octets, peer = self._socket.recvfrom(4096)
            query = dns.message.from_wire(octets)
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.RA | dns.flags.AA
            text = self._texts.get(str(query.question[0].name).rstrip(".").lower())
            if text is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif dns.rdatatype.to_text(query.question[0].rdtype) == "TXT":
                strings = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
                answer.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "TXT", strings))
            self._socket.sendto(answer.to_wire(), peer)


def run(*command: object, stdin: bytes = b"") -> bytes:
    done = subprocess.run([str(one) for one in command], input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def perl(script: str, *arguments: object, stdin: bytes) -> bytes:
    return run("perl", "-e", script, *arguments, stdin=stdin)


def make_keys() -> dict[str, str]:
    texts = {}
    for selector, command in (("rsa", "genrsa"), ("ed", "gened25519")):
        pem = run(MOXPY, "dkim", command)
        (WORK / f"{selector}.pem").write_bytes(pem)
        line = run(MOXPY, "dkim", "txt", stdin=pem).decode()
        texts[NAMES[selector]] = "".join(re.findall(r'"([^"]*)"', line))
    (WORK / "dns").write_text("".join(f"{name} {text}\n" for name, text in texts.items()))
    return texts


def opendkim(message: bytes, *, mode: str, selector: str = "rsa", canon: str = "simple/simple") -> str:
    """What it would put on top of a message."""
    (WORK / "message").write_bytes(message)
    algorithm = {"rsa": "rsa-sha256", "ed": "ed25519-sha256"}[selector]
    config = OPENDKIM.format(mode=mode, work=WORK)
    if mode == "s":
        config += OPENDKIM_SIGNS.format(work=WORK, selector=selector, algorithm=algorithm, canon=canon)
    (WORK / "opendkim.conf").write_text(config)
    text = run("opendkim", "-t", WORK / "message", "-x", WORK / "opendkim.conf", "-v", "-v").decode()
    found = re.search(r"### INSHEADER: idx=\d+ hname='([^']+)' hvalue='([^']*)'", text)
    assert found, text
    return f"{found[1]}: {found[2]}\n".replace("\n", "\r\n")


def verdicts(message: bytes, port: int) -> list[str]:
    """Ours, of each signature."""
    out = run(MOXPY, "dkim", "verify", "--json", "--server", f"127.0.0.1:{port}", "-", stdin=message)
    return [one["status"] + (f" ({one['error']})" if one["error"] else "") for one in json.loads(out)]


def messages() -> list[tuple[str, bytes]]:
    return [
        (f"{name}, {subject!r}", f"{HEAD % subject}\r\n{body}".encode())
        for name, body in BODIES.items()
        for subject in SUBJECTS
    ]


def chain(message: bytes, port: int) -> arc.ARCResult:
    server = parse_server(f"127.0.0.1:{port}")
    assert server is not None
    resolver = Resolver(Network(SystemClock(), configuration=Configuration(servers=(server,))))
    body = header_end(message)

    async def verify() -> arc.ARCResult:
        return await arc.verify(
            resolver,
            message[:body],
            lambda start, end: message[start:end],
            len(message),
            now=SystemClock().now().timestamp(),
        )

    return trio.run(verify)


def case_theirs(port: int) -> int:
    """They sign, we verify."""
    count = 0
    for at, (name, message) in enumerate(messages()):
        fields = []
        for canon in ("simple/simple", "relaxed/relaxed") if at % 2 else ("simple/relaxed", "relaxed/simple"):
            fields.append(opendkim(message, mode="s", canon=canon).encode())
            fields.append(perl(PERL_SIGN, canon, WORK / "rsa.pem", stdin=message))
        # OpenDKIM 2.11 makes no ed25519 signatures over simple headers that it accepts itself.
        fields.append(opendkim(message, mode="s", selector="ed", canon="relaxed/simple").encode())
        signed = b"".join(fields) + message
        assert verdicts(signed, port) == ["pass"] * 5, (name, verdicts(signed, port), signed)
        changed = b"".join(fields) + message.replace(b"To: Bob", b"To: Rob")
        assert verdicts(changed, port) == ["fail (signature does not match)"] * 5, name
        count += 5
    return count


def case_ours(port: int) -> int:
    """We sign, they verify."""
    count = 0
    (WORK / "moxpy.toml").write_text(STATIC)
    for header, body in (("true", "true"), ("true", "false"), ("false", "true"), ("false", "false")):
        (WORK / "domains.toml").write_text(DOMAINS.format(header=header, body=body))
        for name, message in messages():
            signed = run(MOXPY, "dkim", "sign", "--config", WORK / "moxpy.toml", "-", stdin=message)
            told = opendkim(signed, mode="v")
            assert told.count("dkim=pass") == 2, (name, told)
            told = perl(PERL_VERIFY, port, stdin=signed).decode()
            assert "rsa=pass" in told, (name, told)
            count += 2
    return count


def case_chains(port: int) -> int:
    """They seal, we verify."""
    results = b"Authentication-Results: example.org; spf=pass smtp.mailfrom=example.org; arc=%s\r\n"
    for name, message in messages():
        sealed = message
        for hop in range(1, 4):
            state = b"none" if hop == 1 else b"pass"
            sealed = results % state + sealed
            sealed = perl(PERL_SEAL, port, state.decode(), WORK / "rsa.pem", stdin=sealed) + sealed
            found = chain(sealed, port)
            assert (found.status.value, len(found.sets)) == ("pass", hop), (name, hop, found, sealed)
        broken = chain(sealed.replace(b"To: Bob", b"To: Rob"), port)
        assert broken.status.value == "fail", name
    return len(messages())


def case_seals(port: int) -> int:
    """They and we seal in turn, both verify."""
    (WORK / "domains.toml").write_text(DOMAINS.format(header="true", body="true"))
    config = load(WORK / "moxpy.toml")
    results = b"Authentication-Results: example.org; spf=pass smtp.mailfrom=example.org; arc=%s\r\n"
    for number, (name, message) in enumerate(messages()):
        sealed = message
        for hop in range(1, 5):
            if (hop + number) % 2:
                sealed = seal(config, sealed, chain(sealed, port)) + sealed
            else:
                sealed = results % (b"none" if hop == 1 else b"pass") + sealed
                sealed = perl(PERL_SEAL, port, "none" if hop == 1 else "pass", WORK / "rsa.pem", stdin=sealed) + sealed
            found, told = chain(sealed, port), perl(PERL_CHAIN, port, stdin=sealed).decode()
            assert (found.status.value, len(found.sets)) == ("pass", hop), (name, hop, found, sealed)
            assert told.startswith("pass"), (name, hop, told, sealed)
        changed = sealed.replace(b"To: Bob", b"To: Rob")
        assert perl(PERL_CHAIN, port, stdin=changed).startswith(b"fail"), name
        assert seal(config, changed, chain(changed, port)).count(b"cv=fail") == 1, name
    return len(messages())


def seal(config: Config, message: bytes, found: arc.ARCResult) -> bytes:
    body = header_end(message)
    results = AuthResults("example.org", (Method("spf", "pass"),))

    async def run() -> bytes:
        return await arcseal.seal(
            config,
            parse_domain("example.org"),
            message[:body],
            lambda start, end: message[start:end],
            body,
            len(message),
            results=results,
            chain=found,
            now=SystemClock().now().timestamp(),
        )

    return trio.run(run)


def main() -> None:
    texts = make_keys()
    assert base64.b64decode(texts[NAMES["ed"]].partition("p=")[2])
    server = NameServer(texts)
    out = run(MOXPY, "dkim", "lookup", "--server", f"127.0.0.1:{server.port}", "rsa", "example.org").decode()
    assert "status: neutral" in out, out
    print(f"{case_theirs(server.port)} of theirs, {case_ours(server.port)} of ours, {case_chains(server.port)} chains")
    print(f"{case_seals(server.port)} chains sealed in turn")


main()
