"""mtasts lookup, dane and smtp dial, against servers on loopback in threads of their own."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from appliance.cli import dane as dane_commands, mtasts as mtasts_commands, pipe
from appliance.cli.main import FAILED, OK, USAGE, UsageError, run
from appliance.cli.pipe import whole_lines
from appliance.cli.smtpdial import endpoint
from support.authority import Authority
from support.nameserverthread import name_server
from support.talkingserver import smtp, talking_server
from support.webserver import response

AUTHORITY = Authority()
HOST = "mx.example.org"
PAIR = AUTHORITY.key_pair(HOST)
CERTIFICATE = x509.load_pem_x509_certificates(PAIR.chain)[0]
HERE = {(f"{HOST}.", "A"): ["127.0.0.1"]}


@pytest.fixture(autouse=True)
def authorities(tmp_path, monkeypatch):
    (tmp_path / "authority.pem").write_bytes(AUTHORITY.certificate.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


@pytest.fixture
def typed(monkeypatch):
    """Writes to what the command takes for its standard input."""
    ours, theirs = os.pipe()
    monkeypatch.setattr(pipe, "_INPUT", ours)

    def type_in(octets: bytes) -> None:
        os.write(theirs, octets)

    yield type_in
    os.close(theirs)  # Ends the read of a command that is over.
    os.close(ours)


def moxpy(*arguments):
    return run(["moxpy", *map(str, arguments)])


# ---- dane makerecord ----


def key_octets(encoding=Encoding.DER):
    return CERTIFICATE.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(("words", "file", "line"), [
    pytest.param("3 1 1", "chain", f"3 1 1 {hashlib.sha256(key_octets()).hexdigest()}", id="numbers"),
    pytest.param("dane-ee spki sha2-256", "chain", f"3 1 1 {hashlib.sha256(key_octets()).hexdigest()}", id="names"),
    pytest.param("DANE-TA CERT SHA2-512", "chain",
                 f"2 0 2 {hashlib.sha512(CERTIFICATE.public_bytes(Encoding.DER)).hexdigest()}", id="certificate"),
    pytest.param("pkix-ee cert full", "chain", f"1 0 0 {CERTIFICATE.public_bytes(Encoding.DER).hex()}", id="whole"),
    pytest.param("0 spki 0", "public", f"0 1 0 {key_octets().hex()}", id="public key"),
    pytest.param("3 1 1", "key", f"3 1 1 {hashlib.sha256(key_octets()).hexdigest()}", id="private key"),
])  # fmt: skip
def test_makerecord(tmp_path, capsys, words, file, line):
    files = {"chain": PAIR.chain, "key": PAIR.key, "public": key_octets(Encoding.PEM)}
    (tmp_path / "x.pem").write_bytes(files[file])
    assert moxpy("dane", "makerecord", *words.split(), tmp_path / "x.pem") == OK
    assert capsys.readouterr().out == line + "\n"
    assert moxpy("dane", "makerecord", "--json", *words.split(), tmp_path / "x.pem") == OK
    found = json.loads(capsys.readouterr().out)
    assert f"{found['usage']} {found['selector']} {found['matching']} {found['data']}" == line


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_makerecord_as_openssl_digests(tmp_path, capsys):
    (tmp_path / "x.pem").write_bytes(PAIR.chain)
    key = subprocess.run(["openssl", "x509", "-in", tmp_path / "x.pem", "-noout", "-pubkey"], capture_output=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key.stdout, capture_output=True)
    assert moxpy("dane", "makerecord", 3, 1, 2, tmp_path / "x.pem") == OK
    assert capsys.readouterr().out == f"3 1 2 {hashlib.sha512(der.stdout).hexdigest()}\n"


@pytest.mark.parametrize(("words", "octets", "code", "error"), [
    pytest.param("4 1 1", PAIR.chain, USAGE, "'4' is none of", id="usage"),
    pytest.param("3 key 1", PAIR.chain, USAGE, "'key' is none of", id="selector"),
    pytest.param("3 1 sha256", PAIR.chain, USAGE, "'sha256' is none of", id="matching"),
    pytest.param("3 0 1", PAIR.key, FAILED, "has no certificate", id="key for a certificate"),
    pytest.param("3 1 1", b"junk", FAILED, "no certificate or unencrypted key", id="no PEM"),
    pytest.param("3 1 1", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", FAILED,
                 "no certificate or", id="broken"),
    pytest.param("3 1 1", None, FAILED, "No such file", id="no file"),
])  # fmt: skip
def test_no_record(tmp_path, capsys, words, octets, code, error):
    if octets is not None:
        (tmp_path / "x.pem").write_bytes(octets)
    assert moxpy("dane", "makerecord", *words.split(), tmp_path / "x.pem") == code
    assert error in capsys.readouterr().err


def test_an_encrypted_key(tmp_path, capsys):
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

    key = load_pem_private_key(PAIR.key, None)
    assert key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) == PAIR.key
    octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "x.pem").write_bytes(octets.replace(b"ENCRYPTED PRIVATE", b"ENCRYPTED PRIVATE"))
    assert moxpy("dane", "makerecord", 3, 1, 1, tmp_path / "x.pem") == FAILED
    assert "unencrypted" in capsys.readouterr().err


# ---- mtasts lookup ----

POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: *.example.org\r\nmax_age: 86400\r\n"
STS = {("_mta-sts.example.org.", "TXT"): ['"v=STSv1; id=7"'], ("mta-sts.example.org.", "A"): ["127.0.0.1"]}


@pytest.fixture
def policy_host(tmp_path, monkeypatch):
    answers = [response(POLICY, "Content-Type: text/plain")]

    def talk(sock, secure):
        with secure(sock) as stream:
            stream.recv(4096)
            stream.sendall(answers[0])
            stream.unwrap()

    with talking_server(talk, AUTHORITY.key_pair("mta-sts.example.org"), tmp_path) as port:
        monkeypatch.setattr(mtasts_commands, "PORT", port)
        yield answers


def test_mtasts(policy_host, capsys):
    with name_server(STS) as server:
        assert moxpy("mtasts", "lookup", "--server", server, "Example.org.") == OK
        record, empty, url, *lines = capsys.readouterr().out.splitlines()
        assert (record, empty) == ("v=STSv1; id=7", "")
        assert url == f"https://mta-sts.example.org:{mtasts_commands.PORT}/.well-known/mta-sts.txt"
        assert lines == POLICY.decode().splitlines()
        assert moxpy("mtasts", "lookup", "--json", "--server", server, "example.org") == OK
        found = json.loads(capsys.readouterr().out)
        assert (found["id"], found["mode"], found["mx"], found["max_age_seconds"]) == (
            *("7", "enforce", ["*.example.org"]),
            86400,
        )


def test_no_mtasts(policy_host, capsys, monkeypatch):
    policy_host[0] = response(b"", "Location: /", status="302 Found")
    twice = {("_mta-sts.example.org.", "TXT"): ['"v=STSv1; id=7"', '"v=STSv1; id=8"']}
    broken = {("_mta-sts.example.org.", "TXT"): ['"v=STSv1; id="']}
    for records, domain, error in (
        (STS, "example.org", "sts-policy-fetch-error, http-status-302"),
        (STS, "example.net", "example.net has no MTA-STS records"),
        (twice, "example.org", "has 2 MTA-STS records: only one"),
        (broken, "example.org", "not name=value"),
    ):
        with name_server(records) as server:
            assert moxpy("mtasts", "lookup", "--server", server, domain) == FAILED
            out, err = capsys.readouterr()
            assert error in err
            assert out.startswith("v=STSv1; id=7") == ("302" in error)
    assert moxpy("mtasts", "lookup", "..") == USAGE


# ---- smtp dial ----


def dial(server, port, *flags):
    return moxpy("smtp", "dial", "--server", server, *flags, f"{HOST}:{port}")


def test_smtp_dial(tmp_path, capfd, typed):
    commands = []
    typed(b"NOOP one\nNOOP two\r\nQUIT\n")
    with talking_server(smtp(commands, "SIZE 1000", "8BITMIME"), PAIR, tmp_path) as port, name_server(HERE) as server:
        assert dial(server, port, "--ehlohostname", "us.example", "--tlsverify") == OK
    out, err = capfd.readouterr()
    assert out == "250 NOOP one\r\n250 NOOP two\r\n221 bye\r\n"
    assert commands == [b"EHLO us.example", b"STARTTLS", b"EHLO us.example", b"NOOP one", b"NOOP two", b"QUIT"]
    assert "certificate verified" in err
    assert "TLS1.3, TLS_" in err
    assert "mx.example.org offers 8BITMIME SIZE" in err


@pytest.mark.parametrize(("flags", "tls", "line"), [
    pytest.param(["--notls"], False, "no TLS", id="none"),
    pytest.param(["--tlsversionmax", "TLS1.2", "--tlsciphersuites", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"], True,
                 "TLS1.2, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", id="suite of IANA"),
    pytest.param(["--tlsciphersuites", "ECDHE-ECDSA-AES128-GCM-SHA256"], True,
                 "TLS1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", id="suite of OpenSSL"),
    pytest.param(["--tlsciphersuites", "TLS_CHACHA20_POLY1305_SHA256", "--tlscurves", "P-256:X25519"], True,
                 "TLS1.3, TLS_CHACHA20_POLY1305_SHA256", id="suite of TLS 1.3"),
    pytest.param(["--remotehostname", "other.example"], True, "not verified: certificate-host-mismatch", id="name"),
    pytest.param(["--username", "u", "--passwordfile", "PASSWORD"], True, "mechanisms: PLAIN", id="login"),
])  # fmt: skip
def test_smtp_dial_flags(tmp_path, capfd, typed, flags, tls, line):
    (tmp_path / "password").write_text("secret\n")
    flags = [str(tmp_path / "password") if flag == "PASSWORD" else flag for flag in flags]
    commands = []
    typed(b"QUIT\n")
    with talking_server(smtp(commands, "AUTH PLAIN"), PAIR, tmp_path) as port, name_server(HERE) as server:
        assert dial(server, port, *flags) == OK
    assert line in capfd.readouterr().err
    assert (b"STARTTLS" in commands) is tls
    assert (b"AUTH PLAIN AHUAc2VjcmV0" in commands) is ("--username" in flags)


@pytest.mark.parametrize(("flags", "code", "error"), [
    pytest.param(["--tlsverify", "--remotehostname", "a.example"], FAILED, "certificate-host-mismatch", id="verify"),
    pytest.param(["--tlsrenegotiation", "never"], FAILED, "--tlsrenegotiation: not supported", id="renegotiation"),
    pytest.param(["--tlsnodynamicrecordsizing"], FAILED, "not supported", id="record sizes"),
    pytest.param(["--tlsciphersuites", "NONSENSE"], FAILED, "unknown cipher suite", id="suite"),
    pytest.param(["--tlscurves", "NONSENSE"], FAILED, "unknown curve", id="curve"),
    pytest.param(["--tlsversionmin", "SSL3"], USAGE, "--tlsversionmin: one of", id="version"),
    pytest.param(["--notls", "--forcetls"], USAGE, "only one of", id="two modes"),
    pytest.param(["--clientcert", "x"], USAGE, "go together", id="certificate without key"),
    pytest.param(["--tlscerts", "/nowhere.pem"], FAILED, "/nowhere.pem: No such file", id="authorities"),
    pytest.param(["--authmechanisms", "NTLM"], USAGE, "NTLM is none of", id="mechanism"),
    pytest.param(["--immediatetls"], FAILED, "TLS handshake failed", id="TLS at once"),
])  # fmt: skip
def test_smtp_dial_fails(tmp_path, capfd, typed, flags, code, error):
    with talking_server(smtp([]), PAIR, tmp_path) as port, name_server(HERE) as server:
        assert dial(server, port, *flags) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert error in err


def test_smtp_dial_nobody(capfd):
    with name_server(HERE) as server:
        assert dial(server, 1) == FAILED
        assert "Connection refused" in capfd.readouterr().err
        assert moxpy("smtp", "dial", "--server", server, "nowhere.example") == FAILED
        assert "does not exist" in capfd.readouterr().err


@pytest.mark.parametrize(("text", "host", "port"), [
    ("mx.example", "mx.example", 25),
    ("Mx.example.:587", "mx.example", 587),
    ("192.0.2.1", "192.0.2.1", 25),
    ("192.0.2.1:26", "192.0.2.1", 26),
    ("2001:db8::1", "2001:db8::1", 25),
    ("[2001:db8::1]", "2001:db8::1", 25),
    ("[2001:db8::1]:26", "2001:db8::1", 26),
    ("localhost:1025", "localhost", 1025),
    ("mx.example:0", None, 0),
    ("mx.example:65536", None, 0),
    ("mx.example:x", None, 0),
    ("a..b", None, 0),
    (":25", None, 0),
])  # fmt: skip
def test_endpoint(text, host, port):
    if host is None:
        with pytest.raises(UsageError):
            endpoint(text, 25)
        return
    found, at = endpoint(text, 25)
    assert (str(found), at) == (host, port)


@pytest.mark.parametrize(("pieces", "whole"), [
    ([b"a\nb\r\n", b"\n"], b"a\r\nb\r\n\r\n"),
    ([b"a\r", b"\nb"], b"a\r\nb"),
    ([b"a", b"\n", b"\n"], b"a\r\n\r\n"),
    ([b"a\r\r\n"], b"a\r\r\n"),
])  # fmt: skip
def test_lines(pieces, whole):
    found, last = b"", b""
    for piece in pieces:
        found += whole_lines(piece, last)
        last = piece[-1:]
    assert found == whole


# ---- dane dial, dialmx ----


def tlsa(port, *words):
    return {(f"_{port}._tcp.{HOST}.", "TLSA"): [" ".join(map(str, one)) for one in words]}


KEY = hashlib.sha256(key_octets()).hexdigest()
AUTHORITYS = hashlib.sha256(AUTHORITY.certificate.public_bytes(Encoding.DER)).hexdigest()
OTHER = "00" * 32


def echo(sock, secure):
    with secure(sock) as stream:
        stream.sendall(b"you said " + stream.recv(100))
        stream.unwrap()


@pytest.mark.parametrize(("records", "flags", "by"), [
    pytest.param([(3, 1, 1, KEY)], [], f"3 1 1 {KEY}", id="the server's"),
    pytest.param([(2, 0, 1, AUTHORITYS)], [], f"2 0 1 {AUTHORITYS}", id="an authority's"),
    pytest.param([(1, 1, 1, KEY)], [], f"1 1 1 {KEY}", id="the server's and PKIX"),
    pytest.param([(0, 0, 1, AUTHORITYS)], [], f"0 0 1 {AUTHORITYS}", id="an authority's and PKIX"),
    pytest.param([(3, 1, 1, KEY), (1, 1, 1, KEY)], ["--usages", "pkix-ee,dane-ta"], f"1 1 1 {KEY}", id="chosen"),
    pytest.param([(3, 1, 1, OTHER)], [], None, id="another's"),
    pytest.param([(0, 1, 1, KEY)], [], None, id="not of an authority"),
    pytest.param([(3, 1, 1, KEY)], ["--usages", "2"], None, id="not chosen"),
    pytest.param([], [], None, id="none"),
])  # fmt: skip
def test_dane_dial(tmp_path, capfd, typed, records, flags, by):
    typed(b"hello\n")
    with talking_server(echo, PAIR, tmp_path) as port:
        known = {**HERE, **(tlsa(port, *records) if records else {})}
        with name_server(known) as server:
            code = moxpy("dane", "dial", "--server", server, *flags, f"{HOST}:{port}")
    out, err = capfd.readouterr()
    if by is None:
        assert (code, out) == (FAILED, "")
        return
    assert (code, out) == (OK, "you said hello\n")
    assert f"verified by {by}\n" in err


def test_dane_dial_without_dnssec(tmp_path, capfd):
    with name_server({**HERE, **tlsa(25, (3, 1, 1, KEY))}, authentic=False) as server:
        assert moxpy("dane", "dial", "--server", server, f"{HOST}:25") == FAILED
    assert "DNSSEC does not vouch" in capfd.readouterr().err
    assert moxpy("dane", "dial", HOST) == USAGE
    assert moxpy("dane", "dial", "192.0.2.1:25") == USAGE
    assert moxpy("dane", "dial", "--usages", "x", f"{HOST}:25") == USAGE


def test_dane_dialmx(tmp_path, capfd, typed, monkeypatch):
    commands = []
    typed(b"QUIT\n")
    with talking_server(smtp(commands), PAIR, tmp_path) as port:
        monkeypatch.setattr(dane_commands, "SMTP_PORT", port)
        mx = {("example.org.", "MX"): ["10 gone.example.org.", f"20 {HOST}."]}
        with name_server({**HERE, **mx, **tlsa(port, (3, 1, 1, KEY), (1, 1, 1, KEY))}) as server:
            assert moxpy("dane", "dialmx", "--server", server, "--ehlohostname", "us.example", "example.org") == OK
    out, err = capfd.readouterr()
    assert out == "221 bye\r\n"
    assert commands == [b"EHLO us.example", b"STARTTLS", b"EHLO us.example", b"QUIT"]
    assert f"hosts of example.org: gone.example.org, {HOST} (MX records)" in err
    assert "gone.example.org: gone.example.org does not exist" in err or "gone.example.org: " in err
    assert f"{HOST}: TLSA of {HOST}: 1 1 1 {KEY} (unusable)" in err
    assert f"verified by 3 1 1 {KEY}" in err


@pytest.mark.parametrize(("records", "words", "error"), [
    pytest.param(tlsa(25, (3, 1, 1, OTHER)), [HOST], "no host could be verified", id="no TLS there"),
    pytest.param({}, [], "no TLSA records", id="no records"),
    pytest.param(tlsa(25, (1, 1, 1, KEY)), [], "no usable TLSA record", id="no usable"),
    pytest.param({}, ["b.example.org"], "is not a host of example.org", id="not a host"),
    pytest.param({("example.org.", "MX"): ["0 ."]}, [], "takes no mail", id="null MX"),
])  # fmt: skip
def test_dane_dialmx_fails(capfd, monkeypatch, records, words, error):
    mx = {("example.org.", "MX"): [f"20 {HOST}."]}
    monkeypatch.setattr(dane_commands, "SMTP_PORT", 25)
    monkeypatch.setattr(dane_commands, "_CONNECT_SECONDS", 0.2)
    with name_server({**HERE, **mx, **records}) as server:
        assert moxpy("dane", "dialmx", "--server", server, "example.org", *words) == FAILED
    assert error in capfd.readouterr().err


def test_dane_dialmx_without_dnssec(capfd):
    mx = {("example.org.", "MX"): [f"20 {HOST}."]}
    with name_server({**HERE, **mx}, authentic=False) as server:
        assert moxpy("dane", "dialmx", "--server", server, "example.org") == FAILED
    assert "DNSSEC does not vouch for the hosts" in capfd.readouterr().err
