"""Settings for Apple's devices: a configuration profile (com.apple.mail.managed), and a QR code that leads to it.

A profile has no password; the device asks for it. Its identifiers are made of the addresses, so that a second profile
takes the place of the first.
"""

import hashlib
import plistlib
import re
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.config.addresses import DomainEntry
from appliance.config.source import Config
from appliance.mail.address import AddressError, parse_address
from appliance.operations import clientsettings
from appliance.operations.clientsettings import Server
from appliance.servers.web.respond import Request, Response, text
from appliance.tls.context import KeyPair

log = Log("http")
requests = Counter("mobileconfig_request_total", "Requests for profiles of Apple devices.", ("domain",))

MEDIA_TYPE: Final = "application/x-apple-aspen-config"
#: Of one account, and characters of the name to show; a QR code holds little more.
_ADDRESSES, _NAME_CHARACTERS = 10, 100
_URL_CHARACTERS: Final = 1500
_NOT_OF_FILES: Final = re.compile(r"[^A-Za-z0-9@._+-]+")
_NO_STORE: Final = {"cache-control": "no-store"}


class _Unfit(Exception):
    """The request is none for a profile. The text is for who asked."""


async def answer(config: Config, pair: Callable[[str], KeyPair | None], request: Request) -> Response:
    """The profile for `addresses`, separated by commas, the first of them the login; `name`: of the sender.

    Signed with the certificate of the host if there is one: devices then show who it is from.
    """
    try:
        addresses, entry = _wanted(config, request)
    except _Unfit as error:
        return text(400, str(error))
    requests.labels(entry.name).inc()
    servers = clientsettings.servers(config.static, entry)
    name = "".join(one for one in request.query.get("name", "") if one.isprintable())
    octets = profile(addresses, name[:_NAME_CHARACTERS], servers)
    if octets is None:
        return text(404, "there are no servers for mail programs here")
    found = pair(request.host)
    if found is not None:
        octets = await trio.to_thread.run_sync(signed, octets, found)
    file_name = f"email-account-{_NOT_OF_FILES.sub('-', addresses[0])}.mobileconfig"
    disposition = f'attachment; filename="{file_name}"'
    return Response(200, octets, MEDIA_TYPE, {**_NO_STORE, "content-disposition": disposition})


async def picture(config: Config, place: str, request: Request) -> Response:
    """A QR code (PNG) of the profile's URL; `place`: all of that before the query."""
    try:
        _wanted(config, request)
    except _Unfit as error:
        return text(400, str(error))
    wanted = {key: request.query[key] for key in ("addresses", "name") if key in request.query}
    url = f"{place}?{urlencode(wanted)}"
    if len(url) > _URL_CHARACTERS:
        return text(400, "too long for a QR code")
    octets = await trio.to_thread.run_sync(partial(_drawn, url))
    return Response(200, octets, "image/png", _NO_STORE)


def _drawn(url: str) -> bytes:
    import io

    import segno  # Seldom needed.

    file = io.BytesIO()
    segno.make_qr(url, error="m").save(file, kind="png", scale=4)
    return file.getvalue()


def _wanted(config: Config, request: Request) -> tuple[list[str], DomainEntry]:
    """The addresses, and the domain of the first. Whether there is such a user is nobody's business."""
    addresses = [one.strip() for one in request.query.get("addresses", "").split(",") if one.strip()]
    if not addresses or len(addresses) > _ADDRESSES or not all(map(str.isprintable, addresses)):
        raise _Unfit(f"needs addresses=, with 1 to {_ADDRESSES} addresses")
    try:
        domains = [parse_address(one).domain for one in addresses]
    except AddressError as error:
        raise _Unfit(str(error)) from error
    entries = [config.derived.addresses.domains.get(one.ascii) for one in domains]
    for entry in entries:
        if entry is None or entry.is_reports_only:
            raise _Unfit("no such domain here")
    assert entries[0] is not None
    return addresses, entries[0]


def profile(addresses: list[str], name: str, servers: list[Server]) -> bytes | None:
    """The profile as a property list; None without servers for both ways."""
    incoming = next((one for one in servers if one.kind == "imap"), None)
    outgoing = next((one for one in servers if one.kind == "smtp"), None)
    if incoming is None or outgoing is None:
        return None
    identity = hashlib.sha256("\0".join(addresses).encode()).digest()
    reverse = ".".join(reversed(outgoing.host.split(".")))
    identifier = f"{reverse}.email.{identity[:8].hex()}"
    login = addresses[0]
    account: dict[str, Any] = {
        "EmailAccountDescription": login,
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAddress": ",".join(addresses),
        "OutgoingPasswordSameAsIncomingPassword": True,
        "PayloadDescription": f"Settings for {login}",
        "PayloadDisplayName": login,
        "PayloadIdentifier": f"{identifier}.account",
        "PayloadType": "com.apple.mail.managed",
        "PayloadUUID": _uuid(identity[:16]),
        "PayloadVersion": 1,
        "SMIMEEnabled": False,
    }
    if name:
        account["EmailAccountName"] = name
    for way, server in (("Incoming", incoming), ("Outgoing", outgoing)):
        account |= {
            f"{way}MailServerAuthentication": "EmailAuthCRAMMD5",
            f"{way}MailServerHostName": server.host,
            f"{way}MailServerPortNumber": server.port,
            # Also for STARTTLS: devices find out.
            f"{way}MailServerUseSSL": server.socket != "plain",
            f"{way}MailServerUsername": login,
        }
    content = {
        "PayloadContent": [account],
        "PayloadDescription": f"Email account {login}",
        "PayloadDisplayName": f"{login} email account",
        "PayloadIdentifier": identifier,
        "PayloadRemovalDisallowed": False,
        "PayloadType": "Configuration",
        "PayloadUUID": _uuid(identity[16:]),
        "PayloadVersion": 1,
    }
    return plistlib.dumps(content)


def _uuid(octets: bytes) -> str:
    """RFC 9562 §5.8: of our own making."""
    return str(uuid.UUID(bytes=octets, version=4)).upper()


def signed(octets: bytes, pair: KeyPair) -> bytes:
    """A signature (RFC 5652 §5) with the content in it; the content alone for keys that cannot sign it so."""
    try:
        certificates = x509.load_pem_x509_certificates(pair.chain)
        key: Any = load_pem_private_key(pair.key, None)
        builder = pkcs7.PKCS7SignatureBuilder().set_data(octets).add_signer(certificates[0], key, hashes.SHA256())
        for one in certificates[1:]:
            builder = builder.add_certificate(one)
        return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])
    except (TypeError, ValueError) as error:
        log.info("profile not signed", error)
        return octets
