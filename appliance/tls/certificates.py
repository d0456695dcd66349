"""Which certificate answers for a name, at run time and reloadable.

A used context cannot be changed (ARCHITECTURE.md): new certificates make new contexts, for the connections that come
after.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from OpenSSL import SSL

from appliance.base.log import Log
from appliance.base.metrics import Gauge
from appliance.tls.context import Demands, KeyPair, server_context, ticketless_context

log = Log("tls")

expiry = Gauge("tls_certificate_expiry_seconds", "When a certificate expires, in seconds since 1970.", ("host", "type"))

#: What was loaded: key pairs, each with the names of its certificate.
_Loaded = tuple[tuple[KeyPair, frozenset[str]], ...]
#: Change time, size and number of each file.
_Stamps = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How a certificate stands, for pages and commands. Times are seconds since 1970; 0: none."""

    #: The authority's name in the configuration; empty for certificates from files.
    provider: str = ""
    host: str
    #: Of its key: `ecdsa`, `rsa` or `other`.
    type: str
    #: `ok`; `waiting` for its first order, or for one that goes on; `error`: the last order failed, or it has expired.
    state: str
    expires: float
    renew_at: float = 0.0
    #: In a row, why the last one was, and when is the next attempt.
    failures: int = 0
    error: str = ""
    next_attempt: float = 0.0


class CertificateFiles:
    """Key pairs of one listener, from files; the first is for those who name nobody."""

    def __init__(self, files: Sequence[tuple[Path, Path]]) -> None:
        self._files = tuple(files)
        self._loaded: _Loaded = ()
        self._stamps: _Stamps = ()

    def load(self, *, valid_at: datetime | None = None) -> None:
        """Read all files; what was loaded stays when one is unusable, or expired at that moment.

        May be called in a thread. Raises OSError, ValueError, SSL.Error.
        """
        stamps = self._stamp()
        loaded = []
        for certificate, key in self._files:
            pair = KeyPair.load(certificate, key)
            server_context(pair, Demands())
            ticketless_context(pair, Demands())
            until = pair.expires()
            if valid_at is not None and until <= valid_at:
                raise ValueError(f"the certificate in {certificate} expired at {until:%Y-%m-%d %H:%M} UTC")
            loaded.append((pair, pair.names()))
        self._loaded, self._stamps = tuple(loaded), stamps
        for pair, names in loaded:
            expiry.labels(min(names, default=""), pair.key_type()).set(pair.expires().timestamp())

    def shown(self, now: datetime) -> list[Shown]:
        """How they stand."""
        found = []
        for pair, names in self._loaded:
            until = pair.expires()
            error = "" if until > now else "it has expired"
            state = "error" if error else "ok"
            host = min(names, default="")
            found.append(Shown(host=host, type=pair.key_type(), state=state, expires=until.timestamp(), error=error))
        return found

    @property
    def changed(self) -> bool:
        """Whether the files are others than those that were loaded. Raises OSError."""
        return self._stamp() != self._stamps

    def _stamp(self) -> _Stamps:
        found = (path.stat() for pair in self._files for path in pair)
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)

    def pair(self, server_name: str) -> KeyPair:
        """The pair for a name: the one whose certificate has it, else the first.

        The operator who gives us files knows whom they are for: they serve all names, known or not.
        """
        # Lenient: msmtp and mutt put an address there, which RFC 6066 §3 forbids: nobody was named.
        if not server_name or _is_address(server_name):
            return self._loaded[0][0]
        return self.named(server_name) or self._loaded[0][0]

    def named(self, host: str) -> KeyPair | None:
        """The first pair whose certificate is for a host."""
        wildcard = "*." + host.partition(".")[2]
        return next((pair for pair, names in self._loaded if host in names or wildcard in names), None)


class Certificates:
    """The certificates of the whole house that come from files."""

    def __init__(self) -> None:
        self._all: list[CertificateFiles] = []

    def add(self, files: Sequence[tuple[Path, Path]]) -> CertificateFiles:
        """Load the files of a listener. Raises as `CertificateFiles.load`."""
        found = CertificateFiles(files)
        found.load()
        self._all.append(found)
        return found

    def named(self, host: str) -> KeyPair | None:
        """A pair whose certificate is for a host."""
        found = (one.named(host) for one in self._all)
        return next((one for one in found if one is not None), None)

    def shown(self, now: datetime) -> list[Shown]:
        """How they stand, each once though several listeners may have it."""
        return list(dict.fromkeys(shown for one in self._all for shown in one.shown(now)))

    def reload(self, now: datetime, *, only_changed: bool = False) -> list[str]:
        """Read files again, for connections that come after; what is wrong with those that stay as they were.

        Blocks: call it in a thread. Certificate and key are often replaced one after the other; what does not fit
        together now is looked at again the next time.
        """
        problems = []
        for one in self._all:
            try:
                if only_changed and not one.changed:
                    continue
                one.load(valid_at=now)
            except Exception as error:  # Whatever libraries say of a file that somebody has put there.
                text = "certificate and key do not fit together" if isinstance(error, SSL.Error) else str(error)
                log.error("certificates stay as they were", problem=text)
                problems.append(text)
            else:
                log.info("certificates loaded")
        return problems


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
