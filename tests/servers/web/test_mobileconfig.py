"""Profiles for Apple's devices: what they say, who signed them, and the picture that leads to one."""

import plistlib
import struct
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.config.load import load
from appliance.config.source import Config
from appliance.servers.web import dispatch
from appliance.servers.web.respond import Request
from appliance.servers.web.wellknown import mobileconfig
from appliance.tls import selfsigned
from appliance.tls.certificates import Certificates

STATIC = """
data_dir = "data"
log_level = "info"
user = "1000"
hostname = "mail.example.org"
[postmaster]
account = "a"
mailbox = "Inbox"
[listeners.public]
ips = ["192.0.2.1"]
[listeners.public.tls]
key_certs = [{ cert_file = "x.crt", key_file = "x.key" }]
[listeners.public.submissions]
enabled = true
[listeners.public.imap]
enabled = true
[listeners.public.autoconfig_https]
enabled = true
"""
DOMAINS = """
[domains."example.org"]
[domains."bücher.example"]
[domains."reports.example"]
[domains."reports.example".dmarc]
localpart = "dmarc"
domain = "example.org"
account = "a"
mailbox = "DMARC"
[accounts.a]
domain = "example.org"
[accounts.a.destinations."a@example.org"]
[accounts.a.destinations."a@bücher.example"]
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder: Path = tmp_path_factory.mktemp("config")
    (folder / "moxpy.toml").write_text(STATIC)
    (folder / "domains.toml").write_text(DOMAINS)
    return load(folder / "moxpy.toml", check_files=False)


def ask(addresses="", **more):
    return Request("GET", "mail.example.org", dispatch.MOBILECONFIG_PATH, {"addresses": addresses, **more})


async def test_profile(config):
    response = await mobileconfig.answer(
        config, lambda _: None, ask("b@example.org, a@bücher.example", name="B <\x00>")
    )
    assert (response.status, response.media_type) == (200, "application/x-apple-aspen-config")
    assert response.headers["content-disposition"] == (
        'attachment; filename="email-account-b@example.org.mobileconfig"'
    )
    found = plistlib.loads(response.body)
    (account,) = found["PayloadContent"]
    assert found["PayloadType"] == "Configuration"
    assert {key: value for key, value in account.items() if "Mail" in key or "Email" in key} == {
        "EmailAccountDescription": "b@example.org",
        "EmailAccountName": "B <>",
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAddress": "b@example.org,a@bücher.example",
        "IncomingMailServerAuthentication": "EmailAuthCRAMMD5",
        "IncomingMailServerHostName": "mail.example.org",
        "IncomingMailServerPortNumber": 143,
        "IncomingMailServerUseSSL": True,
        "IncomingMailServerUsername": "b@example.org",
        "OutgoingMailServerAuthentication": "EmailAuthCRAMMD5",
        "OutgoingMailServerHostName": "mail.example.org",
        "OutgoingMailServerPortNumber": 465,
        "OutgoingMailServerUseSSL": True,
        "OutgoingMailServerUsername": "b@example.org",
    }
    assert "Password" not in {key for key in account if key != "OutgoingPasswordSameAsIncomingPassword"}
    # The same addresses make the same profile; others make another.
    again = await mobileconfig.answer(config, lambda _: None, ask("b@example.org,a@bücher.example", name="B <>"))
    assert again.body == response.body
    other = plistlib.loads((await mobileconfig.answer(config, lambda _: None, ask("c@example.org"))).body)
    assert other["PayloadUUID"] != found["PayloadUUID"]
    assert other["PayloadIdentifier"] != found["PayloadIdentifier"]


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        ("", "needs addresses="),
        (" , ,", "needs addresses="),
        (",".join(["a@example.org"] * 11), "needs addresses="),
        ("a@other.example", "no such domain"),
        ("a@example.org,a@other.example", "no such domain"),
        ("a@reports.example", "no such domain"),
        ("nonsense", "no @"),
        ('"\x01"@example.org', "needs addresses="),
    ],
)
async def test_unfit(config, addresses, said):
    for response in (
        await mobileconfig.answer(config, lambda _: None, ask(addresses)),
        await mobileconfig.picture(config, "https://mail.example.org/profile.mobileconfig", ask(addresses)),
    ):
        assert response.status == 400
        assert said in response.body.decode()


async def test_file_names_are_plain(config):
    response = await mobileconfig.answer(config, lambda _: None, ask('"a\\"; x=é"@example.org'))
    assert response.headers["content-disposition"].isascii()
    assert response.headers["content-disposition"].count('"') == 2


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
async def test_signed(config, tmp_path, kind):
    """openssl verifies it, and finds the profile in it."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else None
    pair = selfsigned.make(["mail.example.org"], [], datetime.now(UTC), key=key)
    plain = await mobileconfig.answer(config, lambda _: None, ask("a@example.org"))
    signed = await mobileconfig.answer(
        config, lambda host: pair if host == "mail.example.org" else None, ask("a@example.org")
    )
    (tmp_path / "signed").write_bytes(signed.body)
    (tmp_path / "ca").write_bytes(pair.chain)
    done = subprocess.run(
        ["openssl", "cms", "-verify", "-inform", "DER", "-in", "signed", "-CAfile", "ca", "-purpose", "any", "-binary"],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.body


def test_the_certificate_of_a_host(tmp_path):
    certificates = Certificates()
    for name in ("mail.example.org", "*.example.net"):
        pair = selfsigned.make([name], [], datetime.now(UTC))
        (tmp_path / "crt").write_bytes(pair.chain)
        (tmp_path / "key").write_bytes(pair.key)
        certificates.add([(tmp_path / "crt", tmp_path / "key")])
    assert certificates.named("mail.example.org").names() == {"mail.example.org"}
    assert certificates.named("a.example.net").names() == {"*.example.net"}
    assert certificates.named("example.org") is None


async def test_picture(config):
    place = "https://mail.example.org:8443/profile.mobileconfig"
    response = await mobileconfig.picture(config, place, ask("a@example.org", name="Ä", other="x"))
    assert (response.status, response.media_type) == (200, "image/png")
    assert response.body[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", response.body[16:24])
    assert width == height > 100
    import segno

    expected = segno.make_qr(f"{place}?addresses=a%40example.org&name=%C3%84", error="m").png_data_uri(scale=4)
    import base64

    assert response.body == base64.b64decode(expected.partition(",")[2])
    assert (await mobileconfig.picture(config, place, ask("a@example.org", name="x" * 2000))).status == 400


@pytest.mark.parametrize(
    ("host", "path", "handler"),
    [
        ("mail.example.org", "/profile.mobileconfig", "mobileconfig"),
        ("example.org", "/profile.mobileconfig", "mobileconfig"),
        ("autoconfig.example.org", "/profile.mobileconfig.qrcode.png", "mobileconfigpicture"),
        ("other.example", "/profile.mobileconfig", "(notfound)"),
        ("mail.example.org", "/profile.mobileconfig/", "(notfound)"),
    ],
)
def test_where(config, host, path, handler):
    (port,) = [one for one in dispatch.ports(config.static) if one.number == 443]
    assert dispatch.find(config, port, host, path).handler == handler
