"""What a client of a dialogue does beyond sending lines: a TLS handshake, a SASL exchange."""

import base64
import hashlib
from collections.abc import Callable

import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from OpenSSL import SSL

from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.tls.context import client_context
from support.imaphouse import PASSWORD, Client
from support.scramclient import Scram, cram_md5
from support.streams import key_pair

_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_ALGORITHMS = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}


async def start_tls(client: Client, version: str, key: str = "") -> str:
    """The client's side of a handshake, with the key of that name if there is one; OpenSSL's words when it fails.

    With TLS 1.3 a server that does not like the key says so only afterwards.
    """
    context = client_context()
    context.set_max_proto_version(_VERSIONS[version])
    if key:
        context.use_certificate(x509.load_pem_x509_certificate(key_pair(key).chain))
        context.use_privatekey(load_pem_private_key(key_pair(key).key, None))
    stream = TLSStream(client.stream, context, server_side=False, server_name="mx.example")
    client.stream = stream
    try:
        await stream.do_handshake()
    except TLSHandshakeError as error:
        return str(error.__cause__)
    return ""


async def alert(client: Client) -> str:
    """OpenSSL's words for the alert that ends the connection."""
    try:
        line = await client.line()
    except trio.BrokenResourceError as error:
        return str(error.__cause__)
    return f"line {line!r}"


async def authenticate(client: Client, mechanism: str, user: str, *words: str) -> None:
    """A SASL exchange up to the reply that ends it, which stays to be read.

    `words`: `wrong` for the password, `y` for the flag of SCRAM, `tls-exporter` and the like for its channel binding,
    `elsewhere` for that of another channel.
    """
    await client.send(f"AUTH {mechanism}\r\n".encode())
    respond = _responses(client, mechanism, user, words)
    while (line := await client.line()).startswith(b"334 "):
        await client.send(base64.b64encode(respond(base64.b64decode(line[4:]))) + b"\r\n")
    client.put_back(line)


def _responses(client: Client, mechanism: str, user: str, words: tuple[str, ...]) -> Callable[[bytes], bytes]:
    password = "wrong password" if "wrong" in words else PASSWORD
    if mechanism == "CRAM-MD5":
        return lambda challenge: cram_md5(user, password, challenge)
    if mechanism == "PLAIN":
        return lambda _: f"\0{user}\0{password}".encode()
    if mechanism == "LOGIN":
        left = [user, password]
        return lambda _: left.pop(0).encode()
    if mechanism == "EXTERNAL":
        return lambda _: b"" if user == "-" else user.encode()
    scram = Scram(_ALGORITHMS[mechanism.removesuffix("-PLUS")], user, password, _binding(client, words))
    scram.flag = "y" if "y" in words else "n"
    steps = iter((lambda _: scram.first(), scram.final, lambda last: b"" if _agrees(scram, last) else b"*"))
    return lambda challenge: next(steps)(challenge)


def _agrees(scram: Scram, last: bytes) -> bool:
    return last.startswith(b"e=") or scram.check(last)


def _binding(client: Client, words: tuple[str, ...]) -> tuple[str, bytes] | None:
    kinds = [word for word in words if word.startswith("tls-")]
    if not kinds:
        return None
    data = b"elsewhere"
    if "elsewhere" not in words and isinstance(client.stream, TLSStream):
        connection = client.stream.connection
        if kinds[0] == "tls-exporter":  # RFC 9266 §2
            data = connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        elif kinds[0] == "tls-unique":  # RFC 5929 §3
            data = connection.get_finished() or b""
        else:  # RFC 5929 §4.1, for a certificate signed with SHA-256
            certificate = connection.get_peer_certificate(as_cryptography=True)
            assert certificate is not None
            data = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return kinds[0], data
