"""A config directory with the two example files and every file they name."""

import shutil
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from appliance.config.load import Config, load
from appliance.config.validate_static import RunAs

DATA = Path(__file__).parent.parent / "data" / "config"
STAMP = "20260101T000000"


def find_user(name: str) -> RunAs | None:
    return RunAs(1234, 1235) if name == "moxpy" else None


def load_example(directory: Path, *, check_files: bool = True) -> Config:
    return load(directory / "moxpy.toml", check_files=check_files, find_user=find_user)


@cache
def example_keys() -> dict[str, bytes]:
    made = {
        "rsa2048": rsa.generate_private_key(65537, 2048),
        "rsa1024": rsa.generate_private_key(65537, 1024),
        "ec": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
    pems = {name: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) for name, key in made.items()}
    pems["pkcs1"] = made["rsa2048"].private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "ca")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, made["ec"].public_key(), 1, start, start + timedelta(days=9000))
    pems["certificate"] = builder.sign(made["ec"], hashes.SHA256()).public_bytes(Encoding.PEM)
    return pems


def write_example(root: Path) -> Path:
    """Makes the directory."""
    keys = example_keys()
    shutil.copytree(DATA, root)
    files = {
        "private-ca.pem": keys["certificate"],
        "eab.key": b"c2VjcmV0\r\nIGtleQ\n",
        f"hostkeys/mx.example.org.{STAMP}.rsa2048.privatekey.pkcs8.pem": keys["rsa2048"],
        f"hostkeys/mx.example.org.{STAMP}.ecdsap256.privatekey.pkcs8.pem": keys["ec"],
        f"dkim/2026a._domainkey.example.org.{STAMP}.rsa2048.privatekey.pkcs8.pem": keys["rsa2048"],
        f"dkim/2026e._domainkey.example.org.{STAMP}.ed25519.privatekey.pkcs8.pem": keys["ed25519"],
    }
    for name, octets in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(octets)
    return root
