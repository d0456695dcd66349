"""Runs the test suite for RFC 7208 by the people who wrote it, as it lies in the sources of pyspf, against our SPF.

Run by `make interop-spf`. The suite is not ours, so it is fetched, by the name of its package, and not kept here.
"""

import subprocess
import sys
import tarfile
import tempfile
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import trio

from appliance.dns.answers import MX, Answer, Type
from appliance.dns.problems import AliasLoop, NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain, IPLiteral
from appliance.msgauth.results import AuthStatus, Identity
from appliance.msgauth.spf import check as spf
from appliance.msgauth.spf.check import Question

PYSPF = "2.0.14"


class Zone:
    """The records of a scenario. Its SPF records are those of a type that is no more: they count as TXT without any."""

    def __init__(self, zone: dict[str, list[Any]]) -> None:
        self.zone = {name.lower(): entries for name, entries in zone.items()}

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        aliases: list[str] = []
        while True:
            records = self.records(name, type)
            if records or not (target := self.records(name, Type.CNAME)):
                break
            if len(aliases) > 9:
                raise AliasLoop("circle")
            name = target[0].lower()
            aliases.append(name)
        if not records:
            raise NotFound(name, type.value, exists=name in self.zone)
        return Answer(name, tuple(records), aliases=tuple(aliases))

    async def watch(self) -> None: ...

    def records(self, name: str, type: Type) -> list[Any]:
        if name not in self.zone:
            if name.startswith("error."):
                raise Temporary("timeout")
            return []
        entries = self.zone[name]
        pairs = [next(iter(one.items())) for one in entries if isinstance(one, dict)]
        wanted = [value for key, value in pairs if key == type.value]
        if type is Type.TXT and not wanted:
            wanted = [value for key, value in pairs if key == "SPF"]
        wanted = [value for value in wanted if value != "NONE"]
        if "TIMEOUT" in wanted or ("TIMEOUT" in entries and not wanted):
            raise Temporary("timeout")
        return [convert(type, value) for value in wanted]


def convert(type: Type, value: Any) -> Any:
    match type:
        case Type.A:
            return IPv4Address(value)
        case Type.AAAA:
            return IPv6Address(value)
        case Type.MX:
            return MX(value[0], value[1].lower())
        case Type.TXT:
            return value if isinstance(value, str) else "".join(value)
        case _:
            return value.lower()


def domain(text: str) -> Domain | None:
    return Domain(text.lower(), text.lower()) if text else None


def question(case: dict[str, Any]) -> Question:
    localpart, _, sender = case["mailfrom"].rpartition("@")
    helo = domain(case["helo"])
    if case["helo"].startswith("["):
        return Question(
            Identity.MAILFROM,
            ip_address(case["host"]),
            domain(sender),
            localpart,
            IPLiteral(ip_address("192.0.2.1")),
            "unknown",
        )
    if not case["mailfrom"]:
        return Question(Identity.HELO, ip_address(case["host"]), helo, "", helo, "unknown")
    return Question(Identity.MAILFROM, ip_address(case["host"]), domain(sender), localpart, helo, "unknown")


def fetch(folder: Path) -> list[dict[str, Any]]:
    """The scenarios of the suite. YAML is read by a library that is fetched too: nothing else here needs one."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--target", str(folder / "yaml"), "PyYAML"], check=True)
    download = [*pip, "download", "--no-deps", "--no-binary", "pyspf", "--dest", str(folder), f"pyspf=={PYSPF}"]
    subprocess.run(download, check=True)
    (archive,) = folder.glob("pyspf-*.tar.gz")
    with tarfile.open(archive) as sources:
        (member,) = [one for one in sources.getmembers() if one.name.endswith("/rfc7208-tests.yml")]
        file = sources.extractfile(member)
        assert file is not None
        text = file.read().decode()
    sys.path.append(str(folder / "yaml"))
    import yaml

    return [scenario for scenario in yaml.safe_load_all(text) if scenario]


def wrong(zone: dict[str, Any], case: dict[str, Any]) -> str:
    """What is not as the suite wants it; empty when all is."""
    result = trio.run(spf.check, Resolver(Zone(zone)), question(case))
    wanted = case["result"]
    if result.status.value not in ([wanted] if isinstance(wanted, str) else wanted):
        return f"{result.status.value}, not {wanted}"
    # Letters of an IPv6 address are small in the RFC's own examples (RFC 7208 §7.4).
    explanation = (result.explanation or "DEFAULT").lower()
    if explanation != case.get("explanation", explanation).lower():
        return f"explanation {explanation!r}, not {case['explanation']!r}"
    if result.status is AuthStatus.PASS and not result.mechanism:
        return "no mechanism is named"
    return ""


def main() -> int:
    """The exit code: 0 when every case is right."""
    right = failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for scenario in fetch(Path(folder)):
            for name, case in scenario["tests"].items():
                if what := wrong(scenario["zonedata"], case):
                    failures += 1
                    print(f"{scenario['description']}: {name}: {what}")
                else:
                    right += 1
    print(f"{right} passed, {failures} failed")
    return 1 if failures or not right else 0


if __name__ == "__main__":
    sys.exit(main())
