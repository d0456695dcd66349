"""Private keys of hosts that listeners with ACME lack."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from appliance.config.load import load
from appliance.config.source import Config
from appliance.operations import hostkeys
from appliance.tls import selfsigned
from appliance.tls.acme import keys
from appliance.tls.acme.keys import KeyType
from appliance.tls.acme.storage import Storage

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
STATIC = """
data_dir = "data"
log_level = "info"
user = "1000"
hostname = "mx.example.org"
[acme.le]
directory_url = "https://acme.test/directory"
contact_email = "postmaster@example.org"
[postmaster]
account = "a"
mailbox = "Inbox"
[listeners.public]
ips = ["192.0.2.1"]
tls = {{ acme = "le"{public} }}
[listeners.second]
ips = ["192.0.2.2"]
tls = {{ acme = "le" }}
[listeners.own]
ips = ["192.0.2.3"]
hostname = "own.example.org"
tls = {{ acme = "le" }}
[listeners.files]
ips = ["192.0.2.4"]
tls = {{ key_certs = [{{ cert_file = "x.crt", key_file = "x.key" }}] }}
"""
DOMAINS = """
[domains."example.org"]
[accounts.a]
domain = "example.org"
[accounts.a.destinations]
"a@example.org" = {}
"""
RSA = "hostkeys/{}.20261101T120000.rsa2048.privatekey.pkcs8.pem"
P256 = "hostkeys/{}.20261101T120000.ecdsap256.privatekey.pkcs8.pem"
MX, OWN = "mx.example.org", "own.example.org"


def config(folder: Path, public: str = "") -> Config:
    (folder / "moxpy.toml").write_text(STATIC.format(public=public))
    (folder / "domains.toml").write_text(DOMAINS)
    return load(folder / "moxpy.toml", check_files=False)


def test_new_keys(tmp_path):
    found = hostkeys.ensure(config(tmp_path), NOW)
    both = [(RSA.format(MX), False), (P256.format(MX), False)]
    assert [(one.listener, list(one.written)) for one in found] == [
        ("public", both), ("second", both), ("own", [(RSA.format(OWN), False), (P256.format(OWN), False)]),
    ]  # fmt: skip
    for one in found:
        for file, _ in one.written:
            key = load_pem_private_key((tmp_path / file).read_bytes(), None)
            assert keys.type_of(key) is (KeyType.RSA if "rsa2048" in file else KeyType.ECDSA)
            assert os.stat(tmp_path / file).st_mode & 0o777 == 0o600
    assert os.stat(tmp_path / "hostkeys").st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError):
        hostkeys.ensure(config(tmp_path), NOW)


def test_keys_in_use_are_taken(tmp_path):
    """Those of certificates stay; only what is missing is made, and files that are there are named first."""
    key = keys.generate(KeyType.ECDSA)
    storage = Storage(tmp_path / "data", "le")
    storage.keep(MX, KeyType.ECDSA, selfsigned.make([MX], [], NOW, key=key))
    (tmp_path / "own.pem").write_bytes(keys.dump(keys.generate(KeyType.RSA)))
    public, _, _ = hostkeys.ensure(config(tmp_path, ', host_private_key_files = ["own.pem"]'), NOW)
    assert public.files == ("own.pem", P256.format(MX))
    assert public.written == ((P256.format(MX), True),)
    assert (tmp_path / P256.format(MX)).read_bytes() == keys.dump(key)


def test_nothing_is_missing(tmp_path):
    names = []
    for key_type in KeyType:
        (tmp_path / f"{key_type}.pem").write_bytes(keys.dump(keys.generate(key_type)))
        names.append(f'"{key_type}.pem"')
    found = hostkeys.ensure(config(tmp_path, f", host_private_key_files = [{', '.join(names)}]"), NOW)
    assert [one.listener for one in found] == ["second", "own"]
