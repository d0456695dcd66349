"""Commands about newer versions: checkupdate, and those of who announces them."""

import base64
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli import output
from appliance.cli.main import OK, Failed, Invocation, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def check(invocation: Invocation) -> int:
    """Look for a newer version."""
    import trio

    from appliance.base.clock import SystemClock
    from appliance.cli import lookup
    from appliance.cli.configuration import load_config
    from appliance.dns.resolver import Resolver
    from appliance.operations import hostfacts, updates, versions
    from appliance.tls import roots

    config = load_config(invocation)
    feed = config.static.update_feed
    if feed is None:
        raise Failed(
            f"this is moxpy {versions.current()}; where newer ones are announced is not configured: update_feed"
        )
    clock = SystemClock()
    resolver = Resolver(lookup.network(invocation, clock), caller="cli")
    believed = roots.configured(config.static.tls.ca, config.directory)
    client = hostfacts.web_client(resolver, believed, clock, "updates")
    try:
        found = trio.run(updates.look, feed, resolver, client, None)
    except updates.NotKnown as problem:
        raise Failed(str(problem)) from problem
    document = {
        "current": str(found.current),
        "latest": str(found.latest),
        "newer": found.is_newer,
        "changes": [{"version": str(one.version), "text": one.text} for one in found.changes],
    }
    lines = [f"current: {found.current}", f"latest: {found.latest}"]
    lines += [line for one in found.changes for line in ("", *one.text.strip().splitlines())]
    output.show(invocation, document, lines)
    return OK


def generate_key(_: Invocation) -> int:
    """A new key, PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    print(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), end="")
    return OK


def public_key(_: Invocation) -> int:
    """What belongs to the key on standard input."""
    print(base64.b64encode(_key(sys.stdin.buffer.read()).public_key().public_bytes_raw()).decode())
    return OK


def _key(octets: bytes) -> "Ed25519PrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(octets, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Failed(f"not a private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Failed("not an Ed25519 key")
    return key


def add_signed(invocation: Invocation) -> int:
    """Sign the text on standard input and put it first into a changelog."""
    import msgspec

    from appliance.operations import updates

    key_file, file = map(Path, invocation.arguments)
    try:
        key = _key(key_file.read_bytes())
        log = msgspec.json.decode(file.read_bytes(), type=updates.Changelog) if file.exists() else updates.Changelog()
        change = updates.signed(key, sys.stdin.read())
        octets = msgspec.json.format(msgspec.json.encode(updates.Changelog([change, *log.changes]))) + b"\n"
        made = file.with_name(file.name + ".new")
        made.write_bytes(octets)
        made.replace(file)
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}") from error
    except (ValueError, msgspec.MsgspecError) as error:
        raise Failed(str(error)) from error
    print(f"{change.version} added; when {file} is published, announce it:")
    print(f'_updates TXT "v=UPDATES0; l={change.version}"')
    return OK


def verify(invocation: Invocation) -> int:
    """Check the signatures of a changelog."""
    from appliance.operations import updates

    key, file = invocation.arguments
    try:
        changes = updates.verified(Path(file).read_bytes(), key)
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}") from error
    except updates.NotKnown as problem:
        raise Failed(str(problem)) from problem
    for one in changes:
        print(f"{one.version}\t{one.field('date')}")
    return OK


def serve(invocation: Invocation) -> int:
    """Serve a changelog by HTTP, for a web server in front of it."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    file = Path(invocation.arguments[0])
    address, _, port = (invocation.text("address") or "127.0.0.1:8199").rpartition(":")
    if not port.isdecimal():
        raise UsageError(f"--address: an address and a port\nusage: {invocation.command.usage}")

    class Handler(BaseHTTPRequestHandler):
        timeout = 20

        def do_GET(self) -> None:
            try:
                octets = file.read_bytes()
            except OSError:
                self.send_error(500)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

    try:
        with HTTPServer((address, int(port)), Handler) as server:
            print(f"serving {file} at http://{address}:{server.server_port}/", flush=True)
            server.serve_forever()
    except OSError as error:
        raise Failed(f"{address}:{port}: {error.strerror}") from error
    return OK
