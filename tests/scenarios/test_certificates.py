"""A whole house gets its certificates from an authority, which comes to look, and shows them at every door."""

import gc
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
from cryptography import x509

from appliance import serve
from appliance.base.metrics import expose
from appliance.config.source import ConfigSource
from appliance.delivery.appliance import Appliance
from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.operations import certificates
from appliance.servers.smtp import session
from appliance.tls.acme import authorities
from appliance.tls.acme.provider import Pace
from support.acmeserver import ACMEServer
from support.served import free_ports

HERE = "127.0.0.1"
IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
MX, STS = "mx.example.org", "mta-sts.example.org"
STATIC = """
data_dir = "data"
log_level = "info"
user = "root"
hostname = "mx.example.org"
no_outgoing_dmarc_reports = true
no_outgoing_tls_reports = true
[acme.le]
directory_url = "https://acme.test/directory"
contact_email = "postmaster@b\u00fccher.example"
port = {validation}
[postmaster]
account = "a"
mailbox = "Inbox"
[listeners.public]
ips = ["127.0.0.1"]
tls = {{ acme = "le" }}
smtp = {{ enabled = true, port = {smtp} }}
submissions = {{ enabled = true, port = {submissions} }}
imap = {{ enabled = true, port = {imap} }}
imaps = {{ enabled = true, port = {imaps} }}
mtasts_https = {{ enabled = true, port = {https} }}
webserver_http = {{ enabled = true, port = {http} }}
"""
DOMAINS = """
[domains."example.org"]
mtasts = { policy_id = "1", mode = "enforce", max_age = "24h" }
[accounts.a]
domain = "example.org"
[accounts.a.destinations]
"a@example.org" = {}
"""
SERVICES = ("smtp", "submissions", "imap", "imaps", "https", "http", "validation")


@dataclass
class House:
    app: Appliance
    server: ACMEServer
    ports: dict[str, int]
    tls_is_believed: bool = True

    async def handshake(self, service: str, name: str | None, context: ssl.SSLContext) -> trio.SSLStream:
        """A connection in TLS, as a client has it. Raises trio.BrokenResourceError."""
        stream = await trio.open_tcp_stream(HERE, self.ports[service])
        if service == "smtp":
            for line in (b"", b"EHLO [127.0.0.1]\r\n", b"STARTTLS\r\n"):
                if line:
                    await stream.send_all(line)
                await stream.receive_some(4096)
        secured = trio.SSLStream(stream, context, server_hostname=name)
        try:
            await secured.do_handshake()
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(stream)
            raise
        return secured

    async def shown(self, service: str, name: str | None) -> str:
        """The name of the certificate that is shown; why there is none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=self.server.root)
        try:
            stream = await self.handshake(service, name, context)
        except trio.BrokenResourceError as error:
            return str(getattr(error.__cause__, "reason", error.__cause__))
        names = stream.getpeercert()["subjectAltName"]
        await trio.aclose_forcefully(stream)
        return names[0][1]

    async def looked_at(self, kind: str, name: str, token: str, key_authorization: str) -> str:
        """What an authority finds; empty: what it looked for."""
        if kind == "tls-alpn-01":
            context = ssl._create_unverified_context()
            context.set_alpn_protocols(["acme-tls/1"])
            stream = await self.handshake("validation", name, context)
            certificate = x509.load_der_x509_certificate(stream.getpeercert(binary_form=True))
            assert stream.selected_alpn_protocol() == "acme-tls/1"
            assert await stream.receive_some() == b""  # RFC 8737 §3: nothing is said.
            await trio.aclose_forcefully(stream)
            digest = certificate.extensions.get_extension_for_oid(IDENTIFIER).value.value
            right = digest == b"\x04\x20" + hashlib.sha256(key_authorization.encode()).digest()
            return "" if right and self.tls_is_believed else "wrong"
        body = await self.document(name, token)
        return "" if body == f"200 {key_authorization}" else body

    async def document(self, host: str, token: str) -> str:
        stream = await trio.open_tcp_stream(HERE, self.ports["http"])
        request = f"GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        await stream.send_all(request.encode())
        async with stream:
            octets = b"".join([octets async for octets in stream])
        head, _, body = octets.decode().partition("\r\n\r\n")
        return f"{head.split()[1]} {body}"


@asynccontextmanager
async def house(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings) -> AsyncIterator[House]:
    monkeypatch.setattr(gc, "freeze", lambda: None)
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    (folder / "moxpy.toml").write_text(STATIC.format(**ports))
    (folder / "domains.toml").write_text(DOMAINS)
    source = ConfigSource(folder / "moxpy.toml")
    names = Resolver(Table({name: {Type.A: [ip_address(HERE)]} for name in (MX, STS)}))
    made: list[Appliance] = []
    began = trio.Event()

    def ready(app: Appliance) -> None:
        made.append(app)
        began.set()

    from datetime import UTC, datetime

    server = ACMEServer(lambda: datetime.now(UTC))
    for name, value in settings.items():
        setattr(server, name, value)

    def authority(source, resolver, roots, clock):
        monkeypatch.setattr(authorities, "Client", lambda *_: server)
        return authorities.of_config(source, resolver, roots, clock, serve.ids.SystemRandom(), Pace(first=0.0))

    parts = serve.Parts(resolver=lambda _: names, authorities=authority, reporters=lambda: ())
    async with trio.open_nursery() as nursery:
        ours = House(None, server, ports)  # type: ignore[arg-type]
        server.look = ours.looked_at
        nursery.start_soon(partial(serve.serve, source, parts, ready=ready))
        with trio.fail_after(60):
            await began.wait()
        ours.app = made[0]
        yield ours
        made[0].stop()


async def until(house: House, state: str) -> None:
    with trio.fail_after(60):
        while [one.state for one in certificates.shown(house.app) if one.host == MX] != [state]:
            await trio.sleep(0.01)


async def test_every_door(tmp_path, monkeypatch):
    async with house(tmp_path, monkeypatch) as it:
        await until(it, "ok")
        found = {one: await it.shown(one, MX) for one in ("smtp", "submissions", "imaps", "https", "validation")}
        assert set(found.values()) == {MX}
        assert await it.shown("https", STS) == STS, "while somebody waits"
        assert [order.name for order in it.server.orders] == [MX, STS]
        assert it.server.contacts[0] == ["mailto:postmaster@xn--bcher-kva.example"]
        assert b'moxpy_tls_certificate_expiry_seconds{host="mx.example.org",type="ecdsa"}' in expose()


async def test_unknown_names(tmp_path, monkeypatch):
    """On port 25 the host's certificate, elsewhere unrecognized_name."""
    async with house(tmp_path, monkeypatch) as it:
        await until(it, "ok")
        for name in ("example.org", "mx"):
            assert await it.shown("smtp", name) == MX
            assert "UNRECOGNIZED_NAME" in await it.shown("imaps", name), name
        assert await it.shown("imaps", None) == MX
        assert "UNRECOGNIZED_NAME" in await it.shown("https", None)
        assert len(it.server.orders) == 1


async def test_no_certificate_to_be_had(tmp_path, monkeypatch, caplog):
    """The handshake fails, which is logged and counted, at every door and for every name; the house goes on."""
    caplog.set_level("INFO")
    async with house(tmp_path, monkeypatch, unreachable=True) as it:
        await until(it, "error")
        assert "UNRECOGNIZED_NAME" in await it.shown("imaps", MX)
        errors = session.starttls_errors.labels("other")
        for name in (MX, None, "example.org", "mx"):
            before = errors.value
            assert "UNRECOGNIZED_NAME" in await it.shown("smtp", name), name
            assert errors.value == before + 1, name
        assert [caplog.messages.count(text) for text in ("no certificate, TLS refused", "TLS handshake failed")] == [
            5,
            5,
        ]
        stream = await trio.open_tcp_stream(HERE, it.ports["smtp"])
        assert (await stream.receive_some(4096)).startswith(b"220 "), "in the clear, mail still comes"
        await trio.aclose_forcefully(stream)


async def test_documents(tmp_path, monkeypatch):
    async with house(tmp_path, monkeypatch) as it:
        it.tls_is_believed = False
        await until(it, "ok")
        assert len(it.server.orders) == 2
        assert await it.document(MX, "token-1") == "404 nobody waits for this token\n"
        assert (await it.document("other.example", "token-1")).startswith("403 ")
