"""Keys, tables of DNS records and signatures made by hand, for tests of DKIM and ARC."""

import base64
import hashlib
import re
from functools import cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table

DOMAIN = "example.org"


@cache
def rsa_key(bits=1024):
    return rsa.generate_private_key(65537, bits)


@cache
def ed25519_key():
    return ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def published(key) -> str:
    """The value of p=."""
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return base64.b64encode(public.public_bytes_raw()).decode()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def pem(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def records(**by_selector) -> Table:
    """A table of key records at example.org."""
    return Table(
        {
            f"{selector}._domainkey.{DOMAIN}": {Type.TXT: [texts] if isinstance(texts, str) else texts}
            for selector, texts in by_selector.items()
        },
        authentic=True,
    )


def usual_records(**more) -> Table:
    return records(
        rsa=f"v=DKIM1; k=rsa; p={published(rsa_key())}",
        ed=f"v=DKIM1; k=ed25519; p={published(ed25519_key())}",
        **more,
    )


def resolver(**more) -> Resolver:
    return Resolver(usual_records(**more))


def relaxed(field: bytes) -> bytes:
    """RFC 6376 §3.4.2 as plainly as can be."""
    name, _, value = field.partition(b":")
    value = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" ")
    return name.strip().lower() + b":" + value + b"\r\n"


def proof(key, octets: bytes) -> str:
    """A signature of octets, in base64."""
    digest = hashlib.sha256(octets).digest()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.sign(digest)).decode()
    return base64.b64encode(key.sign(octets, padding.PKCS1v15(), hashes.SHA256())).decode()


def signed(
    message: bytes,
    *,
    key=None,
    names="from:to:subject:date",
    name="DKIM-Signature",
    drop=(),
    **tags,
) -> bytes:
    """A message with a relaxed/relaxed signature on top, whose tags may be whatever a test needs.

    The body must be its own canonical form. A tag given as None is left out; `drop` are names whose fields are not
    hashed though they are listed.
    """
    key = key or rsa_key()
    header, _, body = message.partition(b"\r\n\r\n")
    algorithm = "ed25519-sha256" if isinstance(key, ed25519.Ed25519PrivateKey) else "rsa-sha256"
    values = {
        "v": "1",
        "a": algorithm,
        "c": "relaxed/relaxed",
        "d": DOMAIN,
        "s": "ed" if algorithm.startswith("ed") else "rsa",
        "h": names,
        "bh": base64.b64encode(hashlib.sha256(body).digest()).decode(),
        **tags,
    }
    text = "; ".join(f"{tag}={value}" for tag, value in values.items() if value is not None)
    own = f"{name}: {text}; b=".encode()
    fields = re.findall(rb"[^\r\n]+(?:\r\n[ \t][^\r\n]*)*", header)
    octets = b""
    for one in (values["h"] or "").lower().split(":"):
        for at in range(len(fields) - 1, -1, -1):
            if fields[at].split(b":")[0].strip().lower() == one.strip().encode() and one not in drop:
                octets += relaxed(fields.pop(at))
                break
    octets += relaxed(own)[:-2]
    return own + proof(key, octets).encode() + b"\r\n" + message
