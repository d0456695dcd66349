"""The DNS of a small internet: zones signed from the root down, by BIND's tools, served by BIND, validated by Unbound."""

from interop import dnssec
from interop.machines import Machine

HEAD = "$TTL 5\n@ SOA ns.example. root.example. {serial} 7200 900 1209600 1\n@ NS ns.example.\n"
KEY = "ECDSAP256SHA256"


class Names:
    """All zones. Whoever changes `zones` publishes then."""

    def __init__(self, machine: Machine, address: str, zones: dict[str, str], unsigned: set[str]) -> None:
        """Zones by name, the root's is empty. The machine serves them at the address."""
        self.zones, self._unsigned = zones, unsigned
        self._machine, self._address, self._serial = machine, address, 0
        self._folder = machine.folder / "zones"
        self._folder.mkdir(mode=0o777)
        for zone in zones:
            for flags in (["-f", "KSK"], []) if zone not in unsigned else ():
                dnssec.run(dnssec.program("dnssec-keygen"), "-a", KEY, *flags, zone or ".", cwd=self._folder)
        self._write()
        (self._folder / "named.conf").write_text(self._settings())
        machine.start("named", "-g", "-n", "1", "-c", self._folder / "named.conf", log="named.log")
        machine.until("named.log", " running")

    def _settings(self) -> str:
        served = "".join(
            f'zone "{zone or "."}" {{ type primary; file "{self._folder}/{zone or "root"}.signed"; }};\n'
            for zone in self.zones
        )
        return (
            f'options {{ directory "{self._folder}"; listen-on {{ {self._address}; }}; listen-on-v6 {{ none; }};\n'
            "recursion yes; allow-recursion { any; }; dnssec-validation no; pid-file none; session-keyfile none;\n"
            f"empty-zones-enable no; }};\ncontrols {{ }};\n{served}"
        )

    def _write(self) -> None:
        self._serial += 1
        # Children first: the parent has their keys' digests.
        for zone in sorted(self.zones, key=lambda name: -name.count(".") - bool(name)):
            file = zone or "root"
            delegated = "".join(
                f"{child}. NS ns.example.\n" for child in self.zones if child and child.partition(".")[2] == zone
            )
            text = HEAD.format(serial=self._serial) + delegated + self.zones[zone]
            (self._folder / file).write_text(text)
            if zone in self._unsigned:
                (self._folder / f"{file}.signed").write_text(text)
                continue
            words = ["-S", "-P", "-g", "-o", zone or ".", "-f", f"{file}.signed", file]
            dnssec.run(dnssec.program("dnssec-signzone"), *words, cwd=self._folder)

    def publish(self) -> None:
        """Serve what the zones hold now."""
        self._write()
        since = len(self._machine.log("named.log"))
        self._machine.run("pkill", "-HUP", "-x", "named")
        self._machine.until("named.log", "all zones loaded", since=since)
        assert "ignoring out-of-zone" not in self._machine.log("named.log"), self._machine.log("named.log")[-2000:]

    def resolve_on(self, machine: Machine) -> None:
        """Start a validating resolver on a machine's loopback."""
        folder = machine.folder / "unbound"
        folder.mkdir()
        ds = (self._folder / "dsset-.").read_text().splitlines()[0].split()
        (folder / "unbound.conf").write_text(f"""server:
  interface: 127.0.0.1
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  pidfile: ""
  directory: "{folder}"
  trust-anchor: ". DS {" ".join(ds[3:6])} {"".join(ds[6:])}"
  val-log-level: 2
  verbosity: 1
  ede: yes
  cache-max-negative-ttl: 1
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: {self._address}
""")
        machine.start("unbound", "-d", "-c", folder / "unbound.conf", log="unbound.log")
        machine.until("unbound.log", "start of service")
