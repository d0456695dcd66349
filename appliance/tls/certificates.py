"""Which certificate answers for a name, at run time and reloadable (S-43, I-5).

A used context cannot be changed (ARCHITECTURE.md): new certificates are new contexts, put into the table for the
connections that come after.
"""

import ipaddress
import logging
from collections.abc import Sequence
from pathlib import Path

from OpenSSL import SSL

from appliance.net.connection import UnknownName
from appliance.tls.context import Demands, KeyPair, server_context

log = logging.getLogger("moxpy.tls")


class CertificateFiles:
    """Key pairs of one listener, from files; the first is for those who name nobody."""

    def __init__(self, files: Sequence[tuple[Path, Path]]) -> None:
        self._files = tuple(files)
        self._pairs: list[KeyPair] = []
        self._names: list[frozenset[str]] = []
        self._contexts: dict[tuple[int, Demands], SSL.Context] = {}

    def load(self) -> None:
        """Read all files; what was loaded stays when one is unusable. Raises OSError, ValueError, SSL.Error."""
        pairs = [KeyPair.load(certificate, key) for certificate, key in self._files]
        for pair in pairs:
            server_context(pair, Demands())
        if pairs != self._pairs:
            self._pairs, self._contexts = pairs, {}
            self._names = [pair.names() for pair in pairs]

    def context(self, server_name: str, demands: Demands, *, fallback: bool) -> SSL.Context:
        """The context for a name; empty: the first pair's.

        Certificates from files serve all names (S-43): the one that has the name, else the first. Raises UnknownName
        for a name without a dot that no certificate has, unless `fallback` (port 25).
        """
        # Lenient: msmtp and mutt put an address there, which RFC 6066 §3 forbids: nobody was named.
        at = 0 if not server_name or _is_address(server_name) else self._find(server_name, fallback=fallback)
        context = self._contexts.get((at, demands))
        if context is None:
            context = self._contexts[at, demands] = server_context(self._pairs[at], demands)
        return context

    def _find(self, server_name: str, *, fallback: bool) -> int:
        wildcard = "*." + server_name.partition(".")[2]
        for at, names in enumerate(self._names):
            if server_name in names or wildcard in names:
                return at
        if not fallback and "." not in server_name:
            raise UnknownName(server_name)
        return 0


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
