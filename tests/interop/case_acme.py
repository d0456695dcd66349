"""A whole `moxpy serve` gets its certificates from Pebble, and OpenSSL is shown them; as a user would see it.

By tls-alpn-01 and http-01, with an external account, at renewals with the host's own key kept, while nobody waits and
while somebody does. The names come from a name server that both find in a resolv.conf of their own (in a mount
namespace); so it needs root.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from interop import pebble
from support import served

MOXPY, WORK = Path(os.environ["MOXPY"]), Path(os.environ["WORK"])
HOST = "127.0.0.1"
MX, AUTOCONFIG, STS = "mx.house.test", "autoconfig.house.test", "mta-sts.house.test"
ZONE: pebble.Zone = {(f"{name}.", "A"): [HOST] for name in (pebble.NAME, MX, AUTOCONFIG, STS)}
CONFIG = """
data_dir = "data"
user = "root"
log_level = "debug"
hostname = "{mx}"
no_outgoing_dmarc_reports = true
no_outgoing_tls_reports = true

[tls.ca]
cert_files = ["{authority}"]

[acme.test]
directory_url = "{directory}"
contact_email = "postmaster@house.test"
port = {tls_port}
{more}

[postmaster]
account = "mox"
mailbox = "Inbox"

[listeners.public]
ips = ["{host}"]
tls = {{ acme = "test"{host_keys} }}
smtp = {{ enabled = true, port = {smtp} }}
submissions = {{ enabled = true, port = {submissions} }}
imap = {{ enabled = true, port = {imap} }}
imaps = {{ enabled = true, port = {imaps} }}
"""
HTTP = "metrics_http = {{ enabled = true, port = {metrics} }}\nwebserver_http = {{ enabled = true, port = {http} }}\n"
HTTPS = "autoconfig_https = {{ enabled = true, port = {port} }}\nmtasts_https = {{ enabled = true, port = {port} }}\n"
MTASTS = 'mtasts = { policy_id = "1", mode = "enforce", max_age = "24h" }'
DOMAINS = """
[domains."house.test"]
{mtasts}

[accounts.mox]
domain = "house.test"
[accounts.mox.destinations]
"mox@house.test" = {{}}
"""


class House:
    def __init__(self, name: str, authority: pebble.Pebble, names_port: int, *, more: str = "", services: str = HTTPS,
                 host_keys: str = "", tls_port: int = 0) -> None:  # fmt: skip
        self.folder = WORK / name
        self.folder.mkdir()
        ports = dict(zip(("smtp", "submissions", "imap", "imaps", "metrics"), served.free_ports(5), strict=True))
        self.ports = {**ports, "http": authority.http_port, "https": authority.tls_port}
        self.root = authority.root
        places = {"port": authority.tls_port, "http": authority.http_port, **ports}
        (self.folder / "moxpy.toml").write_text(
            CONFIG.format(
                mx=MX, authority=authority.authority, directory=authority.directory, host=HOST, more=more,
                tls_port=tls_port or authority.tls_port, host_keys=host_keys, **ports,
            ) + services.format(**places)
        )  # fmt: skip
        (self.folder / "domains.toml").write_text(DOMAINS.format(mtasts=MTASTS if "mtasts" in services else ""))
        (self.folder / "resolv.conf").write_text(f"nameserver {HOST}:{names_port}\n")
        self.log = self.folder / "serve.log"

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        mount = f"mount --bind {self.folder}/resolv.conf /etc/resolv.conf"
        script = f"{mount} && exec {MOXPY} --config {self.folder}/moxpy.toml serve"
        with self.log.open("ab") as log:
            process = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=log, stderr=log)
        try:
            served.wait_ready(HOST, self.ports["smtp"], self.ports["imap"], process)
            yield
        except BaseException:
            print(self.log.read_text(errors="replace")[-4000:])
            raise
        finally:
            served.stop(process)

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [MOXPY, "--config", self.folder / "moxpy.toml", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until(self, host: str, state: str, key_type: str = "ecdsa", seconds: float = 30) -> dict[str, Any]:
        """The certificate, once it stands so."""
        deadline = time.monotonic() + seconds
        while True:
            known = json.loads(self.command("tls", "certificates", "--json"))
            for one in known:
                if (one["host"], one["type"], one["state"]) == (host, key_type, state):
                    return one
            assert time.monotonic() < deadline, known
            time.sleep(0.2)

    def shown(self, service: str, *options: str, name: str = MX) -> str:
        """What OpenSSL says of a handshake."""
        starttls = {"smtp": ("-starttls", "smtp"), "imap": ("-starttls", "imap")}.get(service, ())
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"{HOST}:{self.ports[service]}", "-CAfile", self.root, *starttls,
             *(("-servername", name) if name else ("-noservername",)), *options],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr


def verified(output: str) -> bool:
    return "Verify return code: 0 (ok)" in output


def of_certificate(output: str, option: str) -> str:
    """What `openssl x509` says of the certificate that was shown."""
    begin, end = output.index("-----BEGIN CERTIFICATE-----"), output.index("-----END CERTIFICATE-----")
    pem = f"{output[begin:end]}-----END CERTIFICATE-----\n"
    command = ["openssl", "x509", "-noout", option]
    return subprocess.run(command, input=pem, capture_output=True, text=True, check=True).stdout


def serial(output: str) -> str:
    return of_certificate(output, "-serial")


def by_tls_alpn(authority: pebble.Pebble, names_port: int) -> None:
    """The whole house, its web ports with it."""
    house = House("alpn", authority, names_port)
    with house.serving():
        house.until(MX, "ok")
        for service in ("imaps", "submissions", "smtp", "imap"):
            assert verified(house.shown(service, "-verify_hostname", MX)), service
        assert verified(house.shown("imaps", "-verify_hostname", MX, name="")), "nobody named"
        assert verified(house.shown("smtp", "-verify_hostname", MX, name="house.test")), "a name that is not ours"
        assert "alert number 112" in house.shown("imaps", name="house.test")
        assert "alert number 112" in house.shown("https", name="")
        began = time.monotonic()
        assert verified(house.shown("https", "-verify_hostname", STS, name=STS)), "while somebody waits"
        print(f"on demand in {time.monotonic() - began:.1f} s")
        old = house.shown("imaps", "-verify_hostname", MX, "-sigalgs", "RSA+SHA256", "-tls1_2")
        assert verified(old), old
        assert "rsaEncryption" in old, old
        house.until(AUTOCONFIG, "ok")
        issued = re.findall(r"m=certificate (host=\S+ key=\S+)", house.log.read_text())
        assert len(issued) == len(set(issued)), issued
    before = json.loads((house.folder / "data/acme/test.json").read_text())["account_url"]
    with house.serving():
        assert verified(house.shown("imaps", "-verify_hostname", MX)), "kept over a restart"
    assert json.loads((house.folder / "data/acme/test.json").read_text())["account_url"] == before
    print("tls-alpn-01, on demand, RSA, restart")


def by_http(authority: pebble.Pebble, names_port: int) -> None:
    """Validation by TLS leads nowhere, so the document is asked for."""
    (elsewhere,) = served.free_ports(1)
    house = House("http", authority, names_port, services=HTTP, tls_port=elsewhere)
    with house.serving():
        house.until(MX, "ok")
        assert verified(house.shown("imaps", "-verify_hostname", MX))
    print("http-01")


def by_dns() -> None:
    """Nothing leads here but the name server, which takes our records; the name of the record is an alias."""
    with pebble.bind(WORK / "named", "keys.test") as (named, secret):
        zone = {
            **ZONE,
            (f"_acme-challenge.{MX}.", "CNAME"): ["mx.keys.test."],
            ("_acme-challenge.house.test.", "CNAME"): ["all.keys.test."],
        }

        def asked(name: str, kind: str) -> list[str]:
            """What named has."""
            return pebble.ask(named, name, kind) if name.endswith("keys.test.") else []

        with (
            pebble.names(zone, asked) as port,
            pebble.running(WORK / "pebble-dns", f"{HOST}:{port}") as authority,
        ):
            (elsewhere,) = served.free_ports(1)
            update = (
                f'{{ server = "{HOST}", port = {named}, key_name = "acme", key_file = "tsig.key", propagation = "0s" }}'
            )
            house = House("dns", authority, port, services="", tls_port=elsewhere, more=f"dns_update = {update}")
            (house.folder / "tsig.key").write_text(f"{secret}\n")
            with house.serving():
                house.until(MX, "ok")
                assert verified(house.shown("imaps", "-verify_hostname", MX))
            assert pebble.ask(named, "mx.keys.test.", "TXT") == [], "taken away again"
            log = house.log.read_text()
            assert "dns-01" not in log, "no failure"
            more = f'dns_update = {update}\nwildcards = ["house.test"]'
            house = House("wildcard", authority, port, services=HTTPS, tls_port=elsewhere, more=more)
            (house.folder / "tsig.key").write_text(f"{secret}\n")
            with house.serving():
                house.until("*.house.test", "ok")
                assert verified(house.shown("imaps", "-verify_hostname", MX))
                assert verified(house.shown("imaps", "-verify_hostname", AUTOCONFIG, name=AUTOCONFIG))
                shown = json.loads(house.command("tls", "certificates", "--json"))
                assert [one["host"] for one in shown] == ["*.house.test"], shown
            assert pebble.ask(named, "all.keys.test.", "TXT") == [], "taken away again"
    print("dns-01, at named, by an alias; one certificate for all names of a domain")


def renewed(folder: Path, name_port: int) -> None:
    """A certificate that counts for half a minute, renewed in time; the host's own key stays, which the DNS has."""
    binding = "bW94cHktbWFjLWtleS1mb3ItcGViYmxlLXRlc3RpbmctMDEyMzQ1"
    with pebble.running(folder, f"{HOST}:{name_port}", bindings={"kid-1": binding}, seconds=30) as authority:
        house = House(
            "renewal",
            authority,
            name_port,
            services="",
            more='external_account_binding = { key_id = "kid-1", key_file = "eab.key" }',
            host_keys=', host_private_key_files = ["ec.pem", "rsa.pem"]',
        )
        (house.folder / "eab.key").write_text(binding)
        for command in ("ecparam -name prime256v1 -genkey -noout -out ec.pem", "genrsa -out rsa.pem 2048"):
            subprocess.run(["openssl", *command.split()], cwd=house.folder, check=True, capture_output=True)
        record = house.command("dane", "makerecord", "3", "1", "1", str(house.folder / "ec.pem")).strip()
        dane = ("-dane_tlsa_domain", MX, "-dane_tlsa_rrdata", record)
        with house.serving():
            ends = {house.until(MX, "ok")["expires"]}
            before = house.shown("smtp", *dane)
            assert "matched EE certificate at depth 0" in before, before
            deadline = time.monotonic() + 40
            while len(ends) < 3:
                assert time.monotonic() < deadline, "no renewal"
                ends.add(house.until(MX, "ok")["expires"])
                time.sleep(0.2)
            after = house.shown("smtp", *dane)
            assert "matched EE certificate at depth 0" in after, after
            assert serial(before) != serial(after)
            old = house.shown("imaps", "-sigalgs", "RSA+SHA256", "-tls1_2")
            ours = subprocess.run(
                ["openssl", "rsa", "-in", house.folder / "rsa.pem", "-pubout"], capture_output=True, check=True
            ).stdout
            assert of_certificate(old, "-pubkey").encode() == ours, "the RSA key of the host"
    print("external account; renewed twice, with the host's key")


def main() -> int:
    with pebble.names(ZONE) as name_port:
        with pebble.running(WORK / "pebble", f"{HOST}:{name_port}") as authority:
            by_tls_alpn(authority, name_port)
            by_http(authority, name_port)
        renewed(WORK / "pebble-bound", name_port)
        by_dns()
    return 0


sys.exit(main())
