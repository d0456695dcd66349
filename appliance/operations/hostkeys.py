"""Private keys of hosts, kept as files, so that certificates and the TLSA records of DANE keep them (RFC 7671 §8.1)."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from appliance.base.log import Log
from appliance.config.generate import stamp
from appliance.config.keyfiles import host_key_kind
from appliance.config.source import Config
from appliance.config.static import Listener
from appliance.tls.acme import keys, storage

log = Log("autotls")

#: Each host should have one of both.
_KINDS: Final = {"rsa2048": keys.KeyType.RSA, "ecdsap256": keys.KeyType.ECDSA}


@dataclass(frozen=True, slots=True)
class Ensured:
    """What a listener needed."""

    listener: str
    #: All its keys, those that were there first; relative to the configuration's directory.
    files: tuple[str, ...]
    #: Those that were written now, each with whether its key was in use already.
    written: tuple[tuple[str, bool], ...]


def ensure(config: Config, now: datetime) -> list[Ensured]:
    """Write the host keys that listeners with ACME lack, from their certificates where these have some.

    Listeners with the same host share what is written. Nothing is changed in the configuration: whoever asked has to
    name the files there. Raises OSError, FileExistsError among them.
    """
    found: list[Ensured] = []
    made: dict[tuple[str, str], tuple[str, bool]] = {}
    for name, listener in config.static.listeners.items():
        if listener.tls is None or not listener.tls.acme:
            continue
        files = [str(file) for file in listener.tls.host_private_key_files]
        missing = [kind for kind in _KINDS if kind not in _kinds(config, files)]
        host = (listener.hostname or config.static.hostname).domain.ascii
        written = []
        for kind in missing:
            if (host, kind) not in made:
                made[host, kind] = _write(config, listener, host, kind, now)
            written.append(made[host, kind])
        if written:
            found.append(Ensured(name, (*files, *(file for file, _ in written)), tuple(written)))
    return found


def _kinds(config: Config, files: list[str]) -> set[str]:
    kinds = set()
    for file in files:
        try:
            kinds.add(host_key_kind(load_pem_private_key((config.directory / file).read_bytes(), None)))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            log.warn("host key is unusable", error, file=file)
    return kinds


def _write(config: Config, listener: Listener, host: str, kind: str, now: datetime) -> tuple[str, bool]:
    """The file that was made, and whether its key was in use."""
    assert listener.tls is not None
    known = storage.Storage(config.data_directory, listener.tls.acme).certificate(host, _KINDS[kind])
    octets = known.pair.key if known is not None else keys.dump(keys.generate(_KINDS[kind]))
    file = f"hostkeys/{host}.{stamp(now)}.{kind}.privatekey.pkcs8.pem"
    path: Path = config.directory / file
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(keys.dump(keys.load(octets)))
        opened.flush()
        os.fsync(opened.fileno())
    return file, known is not None
