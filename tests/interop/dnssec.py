"""Compares our DNSSEC validation with two others: zones signed by dnssec-signzone, served by named, are judged by delv,
by Unbound and by us.

Unbound is asked the way a validating resolver on the machine is: by its AD flag and its extended errors. Run by
`make interop-dns`. Needs named, dnssec-keygen, dnssec-signzone, delv and unbound (Debian: bind9, bind9-utils,
bind9-dnsutils, unbound); PROGRAMS names a folder they were unpacked to instead of installed. Everything stays on the
loopback and in a temporary folder.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import trio

from appliance.base.clock import SystemClock
from appliance.dns.answers import Type, Vouched
from appliance.dns.network import Mode, Network
from appliance.dns.problems import Bogus, NotFound, Temporary
from appliance.dns.resolvconf import Configuration, NameServer
from appliance.dns.resolver import Resolver
from support.served import free_ports

ROOT = Path(os.environ.get("PROGRAMS", "/"))
HEAD = "$TTL 300\n@ SOA ns.test. root.test. 1 7200 900 1209600 300\n@ NS ns.test.\n"
BODY = """\
@ MX 10 mx
mx A 192.0.2.1
mx AAAA 2001:db8::1
_25._tcp.mx TLSA 3 1 1 abababababababababababababababababababababababababababababababab
*.wild A 192.0.2.2
closer.wild TXT here
to-plain CNAME mx.plain.test.
to-three CNAME mx.three.test.
to-nothing CNAME nothing.three.test.
*.alias CNAME mx.three.test.
tree DNAME three.test.
a.b.c TXT deep
"""
#: Zone -> key algorithm (None: unsigned), arguments of dnssec-signzone. Children before parents.
ZONES: dict[str, tuple[str | None, list[str]]] = {
    "child.secure.test": ("ED25519", []),
    "secure.test": ("ECDSAP256SHA256", []),
    "rsa.test": ("RSASHA256", []),
    "rsa512.test": ("RSASHA512", []),
    "p384.test": ("ECDSAP384SHA384", []),
    "ed448.test": ("ED448", []),
    "three.test": ("ECDSAP256SHA256", ["-3", "aabb", "-H", "0"]),
    "five.test": ("ECDSAP256SHA256", ["-3", "-", "-H", "5"]),
    "optout.test": ("ED25519", ["-3", "-", "-H", "0", "-A"]),
    "expired.test": ("ED25519", ["-s", "20200101000000", "-e", "20200201000000"]),
    "future.test": ("ED25519", ["-s", "20400101000000", "-e", "20400201000000"]),
    "wrong.test": ("ED25519", []),
    "plain.test": (None, []),
    "below.optout.test": (None, []),
    "test": ("ED25519", ["-3", "-", "-H", "0"]),
    "com": ("ED25519", []),
    "": ("RSASHA256", []),
}
NAMES = [
    *("", "mx.", "_25._tcp.mx.", "_tcp.mx.", "nothing.", "nothing.below.mx.", "zzz.", "0.", "any.wild.", "a.b.wild."),
    *(
        "below.closer.wild.",
        "to-plain.",
        "to-three.",
        "to-nothing.",
        "any.alias.",
        "mx.tree.",
        "nothing.tree.",
        "b.c.",
        "c.",
    ),
]
TYPES = [Type.A, Type.MX, Type.TLSA]


def program(name: str) -> str:
    places = [top / folder / name for top in (ROOT, Path("/")) for folder in ("usr/sbin", "usr/bin")]
    found = next((path for path in places if path.exists()), None)
    if found is None:
        raise SystemExit(f"{name} is not installed")
    return str(found)


def run(*words: str, cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def make_zones(folder: Path) -> None:
    for zone, (algorithm, arguments) in ZONES.items():
        text = HEAD + (BODY if zone not in {"", "com", "test"} else "")
        if zone == "test":
            text += "ns A 127.0.0.1\n"
        for child in ZONES:
            if child != zone and child.partition(".")[2] == zone and child:
                text += f"{child}. NS ns.test.\n"
        name = zone or "root"
        (folder / name).write_text(text)
        if algorithm is None:
            (folder / f"{name}.signed").write_text(text)
            continue
        size = ["-b", "2048"] if algorithm.startswith("RSA") else []
        for flags in (["-f", "KSK"], []):
            run(program("dnssec-keygen"), "-a", algorithm, *size, *flags, zone or ".", cwd=folder)
        run(
            program("dnssec-signzone"),
            "-S",
            "-P",
            "-g",
            "-o",
            zone or ".",
            "-f",
            f"{name}.signed",
            *arguments,
            name,
            cwd=folder,
        )
        if zone == "wrong.test":  # The parent will name a key that nobody has.
            path = folder / "dsset-wrong.test."
            words = path.read_text().split()
            path.write_text(" ".join([*words[:6], "00" * 32]) + "\n")


def settings(folder: Path, port: int) -> str:
    zones = "".join(
        f'zone "{zone or "."}" {{ type primary; file "{folder}/{zone or "root"}.signed"; }};\n' for zone in ZONES
    )
    return f"""options {{
  directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion yes; allow-recursion {{ any; }}; dnssec-validation no; pid-file none; session-keyfile none;
  minimal-responses yes; empty-zones-enable no;
}};
controls {{ }};
{zones}"""


def delv(folder: Path, port: int, name: str, type: str) -> str:
    words = [program("delv"), "@127.0.0.1", "-p", str(port)]
    words += ["-a", str(folder / "anchor"), "+root=.", "-t", type, "-q", name]
    said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    text = said.stdout + said.stderr
    if "resolution failed" in text and not ("ncache nxdomain" in text or "ncache nxrrset" in text):
        return "bogus"
    return "insecure" if "unsigned answer" in text else "secure" if "fully validated" in text else f"? {text}"


async def ours(resolver: Resolver, name: str, type: Type) -> str:
    try:
        vouched = (await resolver.lookup(name, type, dnssec=True)).vouched
    except NotFound as problem:
        vouched = problem.vouched
    except Bogus:
        return "bogus"
    except Temporary as problem:
        return f"? {problem}"
    return "insecure" if vouched is Vouched.NOBODY else "secure"


async def compare(folder: Path, named: int, unbound: int, anchor: str) -> int:
    def asking(port: int) -> Network:
        configuration = Configuration(servers=(NameServer("127.0.0.1", port),))
        return Network(SystemClock(), configuration=configuration, anchors=((".", anchor),))

    own, told = asking(named), asking(unbound)
    assert await own.mode() is Mode.OURSELVES
    assert await told.mode() is Mode.RESOLVER
    different, counts = 0, dict.fromkeys(("secure", "insecure", "bogus"), 0)
    for zone in ZONES:
        for prefix in NAMES if zone not in {"", "com", "test"} else ("", "nothing."):
            for type in TYPES:
                name = f"{prefix}{zone}." if zone else f"{prefix or '.'}"
                by_delv = await trio.to_thread.run_sync(delv, folder, named, name, type.value)
                by_unbound = await ours(Resolver(told), name, type)
                mine = await ours(Resolver(own), name, type)
                counts[mine] = counts.get(mine, 0) + 1
                # Opt-out leaves room for unsigned names: such a denial vouches for nothing (RFC 5155 §9.2). delv vouches.
                if zone == "optout.test" and (mine, by_delv) == ("insecure", "secure"):
                    by_delv = mine
                if not mine == by_delv == by_unbound:
                    different += 1
                    print(f"{name} {type.value}: delv {by_delv}, Unbound {by_unbound}, moxpy {mine}")
    print(counts, f"{different} differences")
    return different


@contextlib.contextmanager
def running(words: list[str], ready: bytes, log: Path) -> Iterator[None]:
    """A server, once its log says that it is ready."""
    environment = os.environ | {"LD_LIBRARY_PATH": str(ROOT / "usr/lib/x86_64-linux-gnu")}
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, cwd=log.parent, env=environment)
    try:
        deadline = time.monotonic() + 20
        while ready not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{words[0]}:\n{log.read_text()}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(20)


def unbound_settings(folder: Path, named: int, port: int, anchor: str) -> str:
    return f"""server:
  interface: 127.0.0.1@{port}
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  pidfile: ""
  directory: "{folder}"
  trust-anchor: ". DS {anchor}"
  do-not-query-localhost: no
  val-log-level: 2
  verbosity: 1
  ede: yes
  local-zone: "test." nodefault
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{named}
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_zones(folder)
        ds = (folder / "dsset-.").read_text().splitlines()[0].split()
        numbers, digest = " ".join(ds[3:6]), "".join(ds[6:])
        (folder / "anchor").write_text(f'trust-anchors {{ "." static-ds {numbers} "{digest}"; }};\n')
        named, unbound = free_ports(2)
        (folder / "named.conf").write_text(settings(folder, named))
        anchor = f"{numbers} {digest}"
        (folder / "unbound.conf").write_text(unbound_settings(folder, named, unbound, anchor))
        bind = [program("named"), "-g", "-n", "1", "-c", str(folder / "named.conf")]
        with (
            running(bind, b" running", folder / "named.log"),
            running([program("unbound"), "-d", "-c", "unbound.conf"], b"start of service", folder / "unbound.log"),
        ):
            return 1 if trio.run(compare, folder, named, unbound, anchor) else 0


if __name__ == "__main__":
    sys.exit(main())
