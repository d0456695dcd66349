"""A whole `moxpy serve` sends to Postfix by DANE: zones signed by BIND's tools, served by it, validated by Unbound.

A host with the right key gets its mail, one with a wrong key none, and the same with a zone whose signature is wrong: the
message waits. A record that nobody can use still demands TLS; where no zone vouches for anything, it goes as ever.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench import baseline
from interop import dnssec
from interop.outbound import HOST, forwarded, made, named_us, serving, submit, waiting
from interop.sending import in_maildir
from support.served import free_ports

KEY = "ECDSAP256SHA256"
#: Below example.: key algorithm, and the record of its host, KEY standing for its key's hash.
ZONES: dict[str, tuple[str | None, str]] = {
    "good": (KEY, "3 1 1 DIGEST"),
    "several": ("ED25519", f"3 1 1 {'ab' * 32}\n_25._tcp.mx TLSA 3 1 1 DIGEST"),
    "mismatched": (KEY, f"3 1 1 {'ab' * 32}"),
    "unusable": (KEY, f"3 1 9 {'ab' * 32}"),
    "bogus": (KEY, "3 1 1 DIGEST"),
    "plain": (None, f"3 1 1 {'ab' * 32}"),
}
ARRIVE, WAIT = {"good", "several", "unusable", "plain"}, {"mismatched", "bogus"}
MAIN = f"virtual_mailbox_domains = {' '.join(f'{name}.example' for name in ZONES)}\n"
SECONDS = 40


def key_digest(certificate: str) -> str:
    """SHA-256 of the certificate's key, by OpenSSL."""
    script = (
        f"openssl x509 -in {certificate} -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -r"
    )
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.split()[0]


def make_zones(folder: Path, digest: str) -> str:
    """All zones, signed below the root; the root's DS."""
    texts = {
        f"{name}.example": f"@ MX 10 mx\nmx A {HOST}\n_25._tcp.mx TLSA {record.replace('DIGEST', digest)}\n"
        for name, (_, record) in ZONES.items()
    }
    texts["example"] = "".join(f"{name} NS ns.example.\n" for name in ZONES) + "ns A 127.0.0.1\n"
    texts[""] = "example NS ns.example.\n"
    for zone, text in texts.items():
        file = zone or "root"
        head = "$TTL 300\n@ SOA ns.example. root.example. 1 7200 900 1209600 300\n@ NS ns.example.\n"
        (folder / file).write_text(head + text)
        algorithm = ZONES[zone.partition(".")[0]][0] if zone.endswith(".example") else KEY
        if algorithm is None:
            (folder / f"{file}.signed").write_text(head + text)
            continue
        for flags in (["-f", "KSK"], []):
            dnssec.run(dnssec.program("dnssec-keygen"), "-a", algorithm, *flags, zone or ".", cwd=folder)
        signed = ["-S", "-P", "-g", "-o", zone or ".", "-f", f"{file}.signed", file]
        dnssec.run(dnssec.program("dnssec-signzone"), *signed, cwd=folder)
        if zone == "bogus.example":  # Its parent names a key that nobody has.
            path = folder / "dsset-bogus.example."
            path.write_text(" ".join([*path.read_text().split()[:6], "00" * 32]) + "\n")
    ds = (folder / "dsset-.").read_text().splitlines()[0].split()
    return f"{' '.join(ds[3:6])} {''.join(ds[6:])}"


def named_settings(folder: Path, port: int) -> str:
    names = ["", "example", *(f"{name}.example" for name in ZONES)]
    zones = "".join(
        f'zone "{name or "."}" {{ type primary; file "{folder}/{name or "root"}.signed"; }};\n' for name in names
    )
    return f"""options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion yes; allow-recursion {{ any; }}; dnssec-validation no; pid-file none; session-keyfile none;
  empty-zones-enable no; }};
controls {{ }};
{zones}"""


@contextlib.contextmanager
def servers(work: Path, certificate: str) -> Iterator[int]:
    """Names served and validated, until left; the port of Unbound."""
    folder = work / "zones"
    folder.mkdir()
    anchor = make_zones(folder, key_digest(certificate))
    named, unbound = free_ports(2)
    (folder / "named.conf").write_text(named_settings(folder, named))
    (folder / "unbound.conf").write_text(dnssec.unbound_settings(folder, named, unbound, anchor))
    bind = [dnssec.program("named"), "-g", "-n", "1", "-c", str(folder / "named.conf")]
    validator = [dnssec.program("unbound"), "-d", "-c", "unbound.conf"]
    with (
        dnssec.running(bind, b" running", folder / "named.log"),
        dnssec.running(validator, b"start of service", folder / "unbound.log"),
    ):
        yield unbound


def main() -> int:
    moxpy, work = Path(os.environ["MOXPY"]), Path(os.environ["WORK"])
    folder = work / "house"
    ports = made(moxpy, folder)
    with baseline.running(main=MAIN) as postfix, servers(work, postfix.extra["certificate"]) as name_port:
        named_us(folder, postfix.extra["certificate"])
        (work / "resolv.conf").write_text(f"nameserver 127.0.0.1:{name_port}\n")
        maildir = Path(postfix.extra["maildir"])
        with forwarded(postfix.smtp), serving(moxpy, folder, work / "resolv.conf", ports):
            for name in ZONES:
                submit(ports["submission"], name, f"x@{name}.example")
            deadline = time.monotonic() + SECONDS
            while True:
                found, held = in_maildir(maildir, 0), {one["subject"]: one for one in waiting(moxpy, folder)}
                tried = {name for name, one in held.items() if one["attempts"] and one["results"][-1]["text"]}
                if found.keys() >= ARRIVE and tried >= WAIT:
                    break
                assert time.monotonic() < deadline, (sorted(found), held, (work / "serve.log").read_text()[-3000:])
                time.sleep(0.1)
            assert found.keys() == ARRIVE, sorted(found)
            assert held.keys() == WAIT, held
            for name in ARRIVE:
                assert b"ESMTPS" in found[name][0], f"{name} came without TLS"
            for name in sorted(WAIT):
                print(f"{name}: {held[name]['results'][-1]['text']}")
            assert "dane-no-match" in held["mismatched"]["results"][-1]["text"], held
    return 0


sys.exit(main())
