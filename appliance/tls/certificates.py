"""Which certificate answers for a name, at run time and reloadable.

A used context cannot be changed (ARCHITECTURE.md): new certificates make new contexts, for the connections that come
after.
"""

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from appliance.tls.context import Demands, KeyPair, server_context


class CertificateFiles:
    """Key pairs of one listener, from files; the first is for those who name nobody."""

    def __init__(self, files: Sequence[tuple[Path, Path]]) -> None:
        self._files = tuple(files)
        self._pairs: list[KeyPair] = []
        self._names: list[frozenset[str]] = []

    def load(self) -> None:
        """Read all files; what was loaded stays when one is unusable. Raises OSError, ValueError, SSL.Error."""
        pairs = [KeyPair.load(certificate, key) for certificate, key in self._files]
        for pair in pairs:
            server_context(pair, Demands())
        self._names = [pair.names() for pair in pairs]
        self._pairs = pairs

    def pair(self, server_name: str) -> KeyPair:
        """The pair for a name: the one whose certificate has it, else the first.

        The operator who gives us files knows whom they are for: they serve all names, known or not.
        """
        # Lenient: msmtp and mutt put an address there, which RFC 6066 §3 forbids: nobody was named.
        if not server_name or _is_address(server_name):
            return self._pairs[0]
        wildcard = "*." + server_name.partition(".")[2]
        for pair, names in zip(self._pairs, self._names, strict=True):
            if server_name in names or wildcard in names:
                return pair
        return self._pairs[0]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
