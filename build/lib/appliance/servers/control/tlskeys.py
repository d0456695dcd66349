"""Control commands about TLS public keys."""

from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.delivery.appliance import Appliance
from appliance.operations import tlskeys
from appliance.operations.tlskeys import NamedKey
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler


def _shown(one: NamedKey) -> dict[str, Any]:
    return {
        "fingerprint": one.fingerprint,
        "type": one.key.type,
        "name": one.key.name,
        "account": one.account,
        "login_address": one.key.login_address,
        "no_imap_preauth": one.key.no_imap_preauth,
        "created_microseconds": one.key.created,
    }


async def _list(app: Appliance, request: Request) -> list[dict[str, Any]]:
    return [_shown(one) for one in tlskeys.keys(app, request.optional_text("account"))]


async def _get(app: Appliance, request: Request) -> dict[str, Any]:
    one = tlskeys.find(app, request.text("fingerprint"))
    certificate = x509.load_der_x509_certificate(one.key.certificate)
    return {**_shown(one), "certificate": certificate.public_bytes(Encoding.PEM).decode()}


async def _add(app: Appliance, request: Request) -> dict[str, Any]:
    added = await tlskeys.add(
        app,
        request.text("certificate"),
        request.text("address"),
        request.optional_text("name") or "",
        no_imap_preauth=request.switch("noimappreauth"),
    )
    return _shown(added)


async def _remove(app: Appliance, request: Request) -> None:
    await tlskeys.remove(app, request.text("fingerprint"))


#: `tlspubkeyadd` takes the certificate as PEM, so that what is wrong with it is said in one place.
COMMANDS: Final[dict[str, Handler]] = {
    "tlspubkeylist": _list,
    "tlspubkeyget": _get,
    "tlspubkeyadd": _add,
    "tlspubkeyrm": _remove,
}
