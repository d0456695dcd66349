"""Whose word is believed: files of the configuration, and those of the system."""

from appliance.tls import authorities
from appliance.tls.verify import load_roots
from support.streams import key_pair


def test_files_instead_of_the_system(tmp_path):
    one, two = key_pair("one.example").chain, key_pair("two.example").chain
    (tmp_path / "one.pem").write_bytes(one)
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (tmp_path / "two.pem").write_bytes(b"# Ours\n" + broken + two)
    files = [tmp_path / "one.pem", tmp_path / "gone.pem", tmp_path / "two.pem"]
    found = authorities.load(files, with_system=False)
    assert found.certificates == load_roots([one, two]).certificates


def test_nobody(tmp_path):
    assert authorities.load([tmp_path / "gone.pem"], with_system=False) is None


def test_the_system_too(tmp_path, monkeypatch):
    one, two = key_pair("one.example").chain, key_pair("two.example").chain
    (tmp_path / "one.pem").write_bytes(one)
    (tmp_path / "two.pem").write_bytes(two)
    monkeypatch.setattr(authorities, "_system", lambda: iter([two]))
    assert authorities.load([], with_system=False).certificates == load_roots([two]).certificates
    both = authorities.load([tmp_path / "one.pem"], with_system=True)
    assert both.certificates == load_roots([one, two]).certificates
