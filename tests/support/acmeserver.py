"""An ACME server in memory (RFC 8555) that checks what it is sent, and does wrong what it is told to do wrong.

It is no authority's code and none of ours: requests are taken apart by hand, so that both cannot be wrong alike.
"""

import base64
import hashlib
import hmac as macs
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import trio
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from appliance.net.http import Bounds, Fault, HTTPError, Request, Response
from appliance.tls import selfsigned

BASE = "https://acme.test"
Fields = tuple[tuple[str, str], ...]


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


class Refused(Exception):
    def __init__(self, status: int, kind: str, detail: str = "no", fields: Fields = ()) -> None:
        super().__init__(kind)
        self.status, self.kind, self.detail, self.fields = status, kind, detail, fields

    @property
    def problem(self) -> dict[str, Any]:
        return {"type": f"urn:ietf:params:acme:error:{self.kind}", "detail": self.detail, "status": self.status}


@dataclass
class Order:
    name: str
    replaces: str
    status: str = "pending"
    authorization: str = "pending"
    #: Kind -> status and error of a challenge.
    challenges: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    pem: str = ""
    #: Looks at the order until it goes on from `processing`.
    busy: int = 0


class ACMEServer:
    """Give `client()` to what asks."""

    def __init__(self, now: Callable[[], datetime], *, lifetime: timedelta = timedelta(days=90)) -> None:
        self._now, self.lifetime = now, lifetime
        self._key = ec.generate_private_key(ec.SECP256R1())
        #: The authority's own certificate, PEM.
        self.root = self._make_root()
        self._nonces: set[str] = set()
        self._made = 0
        #: Account URL -> JWK.
        self.accounts: dict[str, dict[str, str]] = {}
        self.contacts: list[list[str]] = []
        self.orders: list[Order] = []
        #: Method and path of each request.
        self.asked: list[str] = []
        #: Answers an authority's look at a name: kind, name, token, key authorization -> why not; empty: all right. May
        #: be awaited.
        self.look: Callable[[str, str, str, str], Any] = lambda kind, name, token, key_authorization: ""
        self.kinds = ["http-01", "tls-alpn-01", "dns-01"]
        #: Refusals of the next requests to a path's first part ("new-order"), in turn; None lets one pass.
        self.refusals: dict[str, list[Refused | None]] = {}
        self.bindings: dict[str, bytes] | None = None
        self.caa_identities: list[str] = []
        self.renewal_info = False
        #: The window that it wishes for every certificate.
        self.window: tuple[datetime, datetime] | None = None
        self.processing = 0
        #: Authorizations are valid from the start.
        self.proved = False
        self.wrong_key = False
        self.unreachable = False
        #: Seconds that each request takes.
        self.takes = 0.0

    async def send(self, request: Request, bounds: Bounds) -> Response:
        """As `net.http.Client.send`."""
        path = str(request.url).removeprefix(BASE)
        assert path != str(request.url), request.url
        self.asked.append(f"{request.method} {path}")
        await trio.sleep(self.takes)
        if self.unreachable:
            raise HTTPError(Fault.CONNECTION, "refused")
        nonce = ()
        if path != "/directory" and not path.startswith("/renewal"):
            nonce = (("replay-nonce", self._new_nonce()),)
        try:
            status, body, fields = await self._answer(request, path)
        except Refused as refused:
            status, body, fields = refused.status, refused.problem, refused.fields
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Response(status, (*nonce, *fields), octets)

    def _new_nonce(self) -> str:
        self._made += 1
        self._nonces.add(f"nonce{self._made}")
        return f"nonce{self._made}"

    async def _answer(self, request: Request, path: str) -> tuple[int, Any, Fields]:
        kind = path.split("/")[1]
        waiting = self.refusals.get(kind)
        if waiting and (refusal := waiting.pop(0)) is not None:
            raise refusal
        if kind == "directory":
            return 200, self._directory(), ()
        if kind == "new-nonce":
            assert request.method == "HEAD"
            return 200, b"", ()
        if kind == "renewal":
            assert request.method == "GET"
            assert self.window is not None
            start, end = (moment.isoformat().replace("+00:00", "Z") for moment in self.window)
            return 200, {"suggestedWindow": {"start": start, "end": end}}, (("retry-after", "21600"),)
        assert request.method == "POST"
        assert ("Content-Type", "application/jose+json") in request.fields
        account, payload = self._opened(request, path)
        number = int(path.split("/")[2]) if path.count("/") > 1 else 0
        match kind:
            case "new-account":
                return self._account(account, payload)
            case "new-order":
                ((identifier),) = payload["identifiers"]
                assert identifier["type"] == "dns"
                order = Order(identifier["value"], payload.get("replaces", ""), busy=self.processing)
                order.challenges = dict.fromkeys(self.kinds, "pending")
                if self.proved:
                    order.authorization, order.status = "valid", "ready"
                self.orders.append(order)
                return 201, self._shown(len(self.orders) - 1), (("location", f"{BASE}/order/{len(self.orders) - 1}"),)
            case "account":
                self.contacts.append(payload["contact"])
                return 200, {"status": "valid"}, ()
            case "order":
                order = self.orders[number]
                if order.status == "processing":
                    order.busy -= 1
                    order.status = "valid" if order.busy <= 0 else "processing"
                return 200, self._shown(number), ()
            case "authz":
                return self._authorization(number, payload)
            case "challenge":
                return await self._challenge(number, path.split("/")[3], payload, account)
            case "finalize":
                return self._finalize(number, payload)
            case "certificate":
                assert payload is None
                return 200, self.orders[number].pem.encode(), ()
        raise AssertionError(path)

    def _directory(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "newNonce": f"{BASE}/new-nonce",
            "newAccount": f"{BASE}/new-account",
            "newOrder": f"{BASE}/new-order",
            "meta": {
                "caaIdentities": self.caa_identities,
                "externalAccountRequired": self.bindings is not None,
            },
            "keyChange": f"{BASE}/unused",
        }
        return found | ({"renewalInfo": f"{BASE}/renewal"} if self.renewal_info else {})

    def _opened(self, request: Request, path: str) -> tuple[dict[str, str], Any]:
        """Whose request it is, and what it asks (RFC 8555 §6.2 to §6.5)."""
        message = json.loads(request.body)
        assert set(message) == {"protected", "payload", "signature"}
        header = json.loads(decode(message["protected"]))
        assert header["url"] == BASE + path
        if header["nonce"] not in self._nonces:
            raise Refused(400, "badNonce")
        self._nonces.discard(header["nonce"])
        assert ("jwk" in header) == (path == "/new-account")
        if "kid" in header and header["kid"] not in self.accounts:
            raise Refused(400, "accountDoesNotExist")
        jwk = header.get("jwk") or self.accounts[header["kid"]]
        verify(
            jwk, header["alg"], f"{message['protected']}.{message['payload']}".encode(), decode(message["signature"])
        )
        return jwk, None if message["payload"] == "" else json.loads(decode(message["payload"]))

    def _account(self, jwk: dict[str, str], payload: Any) -> tuple[int, Any, Fields]:
        assert payload["termsOfServiceAgreed"] is True
        self.contacts.append(payload["contact"])
        for url, known in self.accounts.items():
            if known == jwk:
                return 200, {"status": "valid"}, (("location", url),)
        if self.bindings is not None:
            binding = payload.get("externalAccountBinding")
            if binding is None:
                raise Refused(403, "externalAccountRequired")
            header = json.loads(decode(binding["protected"]))
            assert header["alg"] == "HS256"
            assert header["url"] == f"{BASE}/new-account"
            assert json.loads(decode(binding["payload"])) == jwk
            signed = f"{binding['protected']}.{binding['payload']}".encode()
            mac = macs.new(self.bindings[header["kid"]], signed, "sha256").digest()
            if mac != decode(binding["signature"]):
                raise Refused(401, "unauthorized", "wrong MAC")
        url = f"{BASE}/account/{len(self.accounts)}"
        self.accounts[url] = jwk
        return 201, {"status": "valid"}, (("location", url),)

    def _shown(self, number: int) -> dict[str, Any]:
        order = self.orders[number]
        found = {
            "status": order.status,
            "authorizations": [f"{BASE}/authz/{number}"],
            "finalize": f"{BASE}/finalize/{number}",
            "identifiers": [{"type": "dns", "value": order.name}],
        }
        if order.status == "valid":
            found["certificate"] = f"{BASE}/certificate/{number}"
        return found | ({"error": order.error} if order.error else {})

    def _authorization(self, number: int, payload: Any) -> tuple[int, Any, Fields]:
        order = self.orders[number]
        if payload is not None:
            assert payload == {"status": "deactivated"}
            order.authorization = "deactivated"
        challenges = [
            {"type": kind, "url": f"{BASE}/challenge/{number}/{kind}", "status": status, "token": f"token-{number}"}
            | ({"error": order.error} if status == "invalid" else {})
            for kind, status in order.challenges.items()
        ]
        # RFC 8555 §7.1.4: the identifier is what is proved, without the asterisk.
        identifier = {"type": "dns", "value": order.name.removeprefix("*.")}
        return 200, {"identifier": identifier, "status": order.authorization, "challenges": challenges}, ()

    async def _challenge(self, number: int, kind: str, payload: Any, jwk: dict[str, str]) -> tuple[int, Any, Fields]:
        assert payload == {}
        order = self.orders[number]
        canonical = json.dumps(dict(sorted(jwk.items())), separators=(",", ":")).encode()
        key_authorization = f"token-{number}.{encode(hashlib.sha256(canonical).digest())}"
        why: Any = self.look(kind, order.name, f"token-{number}", key_authorization)
        if inspect.isawaitable(why):
            why = await why
        order.challenges[kind] = order.authorization = "invalid" if why else "valid"
        order.status = "invalid" if why else "ready"
        order.error = Refused(403, "unauthorized", why).problem if why else None
        return 200, {"type": kind, "url": "", "status": "processing", "token": f"token-{number}"}, ()

    def _finalize(self, number: int, payload: Any) -> tuple[int, Any, Fields]:
        order = self.orders[number]
        if order.status != "ready":
            raise Refused(403, "orderNotReady")
        request = x509.load_der_x509_csr(decode(payload["csr"]))
        assert request.is_signature_valid
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [order.name]
        order.pem = self.issue(order.name, request.public_key())
        order.status = "processing" if order.busy else "valid"
        return 200, self._shown(number), ()

    def _make_root(self) -> str:
        pair = selfsigned.make(["test authority"], [], self._now(), key=self._key)
        return pair.chain.decode()

    def issue(self, name: str, key: Any) -> str:
        """A chain, PEM."""
        if self.wrong_key:
            key = self._key.public_key()
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now())
            .not_valid_after(self._now() + self.lifetime)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def verify(jwk: dict[str, str], algorithm: str, octets: bytes, signature: bytes) -> None:
    """Refuses a signature that is wrong (RFC 7518 §3.3, §3.4)."""
    try:
        if jwk["kty"] == "RSA":
            assert algorithm == "RS256"
            e, n = (int.from_bytes(decode(jwk[one]), "big") for one in ("e", "n"))
            rsa.RSAPublicNumbers(e, n).public_key().verify(signature, octets, padding.PKCS1v15(), hashes.SHA256())
            return
        assert algorithm == "ES256"
        x, y = (int.from_bytes(decode(jwk[one]), "big") for one in ("x", "y"))
        assert len(signature) == 64
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        key.verify(der, octets, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Refused(403, "malformed", "the signature is wrong") from None
