"""Files that the configuration names: certificates, keys, secrets. Whether they are there and fit for their use.

The heavy libraries are imported when there is a key to look at. Only the keys of DKIM are returned, which signs
from a snapshot; the tls room opens its own files.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.config.domains import Domains, Selector
from appliance.config.errors import KeyPath, Report
from appliance.config.static import Listener, Static

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

#: A key or certificate file is refused unread past this; a bundle of all public authorities has some 250 kB.
MAX_FILE_OCTETS = 8 << 20
MIN_RSA_BITS = 1024
_KEY_HEADER = re.compile(rb"-----BEGIN ((?:RSA |EC |ENCRYPTED )?PRIVATE KEY)-----")
_PADLESS_BASE64URL = re.compile(rb"[A-Za-z0-9_-]+")


def check_static_files(static: Static, directory: Path, report: Report) -> None:
    """Report files of the static file that are missing or unfit."""
    for index, name in enumerate(static.tls.ca.cert_files):
        _authorities(directory / name, ("tls", "ca", "cert_files", index), report)
    for provider_name, provider in static.acme.items():
        if binding := provider.external_account_binding:
            path: KeyPath = ("acme", provider_name, "external_account_binding", "key_file")
            _secret(directory / binding.key_file, binding_key, path, report)
        if update := provider.dns_update:
            path = ("acme", provider_name, "dns_update", "key_file")
            _secret(directory / update.key_file, tsig_secret, path, report)
    for domain, update in static.dns_updates.items():
        _secret(directory / update.key_file, tsig_secret, ("dns_updates", domain, "key_file"), report)
    if static.backup_command and not os.access(static.backup_command[0], os.X_OK):
        report.warn(("backup_command", 0), "there is no such program, or it cannot be run")
    for listener_name, listener in static.listeners.items():
        _listener_files(listener, directory, ("listeners", listener_name, "tls"), report)


def _read(file: Path, path: KeyPath, report: Report) -> bytes | None:
    try:
        with file.open("rb") as stream:
            octets = stream.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        report.error(path, f"cannot read {file}: {error.strerror or error}")
        return None
    if len(octets) > MAX_FILE_OCTETS:
        report.error(path, f"{file} is too large")
        return None
    return octets


def _authorities(file: Path, path: KeyPath, report: Report) -> None:
    if (octets := _read(file, path, report)) is None:
        return
    from cryptography import x509

    try:
        x509.load_pem_x509_certificates(octets)
    except ValueError as error:
        report.error(path, f"{file} has no valid PEM certificate: {error}")


def binding_key(octets: bytes) -> bytes:
    """The MAC key of an external account binding file. Raises ValueError."""
    text = octets.replace(b"\r", b"").replace(b"\n", b"")
    if not _PADLESS_BASE64URL.fullmatch(text):
        raise ValueError("must be base64url without padding")
    try:
        return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("must be base64url without padding") from error


def tsig_secret(octets: bytes) -> bytes:
    """The secret of a TSIG key file. Raises ValueError."""
    try:
        secret = base64.b64decode(octets.strip(), validate=True)
    except binascii.Error as error:
        raise ValueError("must be base64") from error
    if not secret:
        raise ValueError("is empty")
    return secret


def _secret(file: Path, parse: Callable[[bytes], bytes], path: KeyPath, report: Report) -> None:
    if (octets := _read(file, path, report)) is None:
        return
    try:
        parse(octets)
    except ValueError as error:
        report.error(path, f"{file}: {error}")


def _listener_files(listener: Listener, directory: Path, path: KeyPath, report: Report) -> None:
    if not (tls := listener.tls):
        return
    for index, pair in enumerate(tls.key_certs):
        here = (*path, "key_certs", index)
        _key_cert(directory / pair.cert_file, directory / pair.key_file, here, report)
    kinds = set()
    for index, name in enumerate(tls.host_private_key_files):
        here = (*path, "host_private_key_files", index)
        octets = _read(directory / name, here, report)
        key = None if octets is None else _private_key(octets, directory / name, here, report)
        if key is None:
            continue
        kind = host_key_kind(key)
        if kind:
            kinds.add(kind)
        else:
            report.warn(here, "is ignored: only RSA-2048 and ECDSA P-256 keys are used")
    if tls.acme and len(kinds) == 1:
        (kind,) = kinds
        lacking = "ECDSA P-256" if kind == "rsa2048" else "RSA-2048"
        report.warn(
            (*path, "host_private_key_files"),
            f"has no {lacking} key, so certificates of that kind get new keys, and TLSA records may fail",
            "list both kinds or none",
        )


def _key_cert(cert_file: Path, key_file: Path, path: KeyPath, report: Report) -> None:
    cert_octets = _read(cert_file, (*path, "cert_file"), report)
    key_octets = _read(key_file, (*path, "key_file"), report)
    if cert_octets is None or key_octets is None:
        return
    from cryptography import x509

    try:
        certificates = x509.load_pem_x509_certificates(cert_octets)
    except ValueError as error:
        report.error((*path, "cert_file"), f"{cert_file} has no valid PEM certificate: {error}")
        return
    key = _private_key(key_octets, key_file, (*path, "key_file"), report)
    if key is not None and key.public_key() != certificates[0].public_key():
        report.error((*path, "key_file"), f"{key_file} is not the key of the first certificate in {cert_file}")


def host_key_kind(key: "PrivateKeyTypes") -> str:
    """`rsa2048` or `ecdsap256`; empty for keys that are not used for hosts."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPrivateKey) and key.key_size == 2048:
        return "rsa2048"
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return "ecdsap256"
    return ""


def _private_key(
    octets: bytes, file: Path, path: KeyPath, report: Report, *, pkcs8_only: bool = False
) -> "PrivateKeyTypes | None":
    header = _KEY_HEADER.search(octets)
    kind = header[1].decode() if header else ""
    if pkcs8_only and kind != "PRIVATE KEY":
        report.error(path, f"{file} is not a PKCS8 private key (PEM, PRIVATE KEY)")
        return None
    if kind not in {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"}:
        report.error(path, f"{file} has no PEM block PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY")
        return None
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        # The operator's own key: the costly proof that its numbers are prime is not for every reload.
        return load_pem_private_key(octets, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        report.error(path, f"{file} has no usable private key: {error}")
        return None


def check_dkim_files(
    domains: Domains, directory: Path, report: Report
) -> "dict[tuple[str, str], RSAPrivateKey | Ed25519PrivateKey]":
    """Report DKIM keys that are missing or unfit. Returns the good ones by (domain, selector)."""
    keys = {}
    for domain_name, domain in domains.domains.items():
        for selector_name, selector in domain.dkim.selectors.items():
            path: KeyPath = ("domains", domain_name, "dkim", "selectors", selector_name)
            if (key := _dkim_key(selector, directory, path, report)) is not None:
                keys[domain_name, selector_name] = key
    return keys


def _dkim_key(
    selector: Selector, directory: Path, path: KeyPath, report: Report
) -> "RSAPrivateKey | Ed25519PrivateKey | None":
    file, here = directory / selector.private_key_file, (*path, "private_key_file")
    if (octets := _read(file, here, report)) is None:
        return None
    if (key := _private_key(octets, file, here, report, pkcs8_only=True)) is None:
        return None
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < MIN_RSA_BITS:
            report.error(here, f"{file} is an RSA key of {key.key_size} bits; at least {MIN_RSA_BITS} are needed")
            return None
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        if selector.hash != "sha256":
            report.error((*path, "hash"), "must be sha256 with an ed25519 key")  # RFC 8463 §3
            return None
    else:
        report.error(here, f"{file} is neither an RSA nor an ed25519 key")
        return None
    return key
