"""Commands about TLS public keys: config tlspubkey list, get, add, rm, gen."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from appliance.cli import output, remote
from appliance.cli.main import OK, Failed, Invocation

#: A certificate is smaller; who gives more has given the wrong file.
_PEM_CHARACTERS: Final = 1 << 20


def show_list(invocation: Invocation) -> int:
    """All keys, or those of one account."""
    account = invocation.arguments[0] if invocation.arguments else None
    keys: list[dict[str, Any]] = remote.call(invocation, "tlspubkeylist", account=account)
    lines = [f"# {len(keys)} TLS public key{'' if len(keys) == 1 else 's'}"]
    if keys:
        lines.append("# fingerprint\ttype\tname\taccount\tlogin address\tno imap preauth")
    lines += ["\t".join(_row(key)) for key in keys]
    output.show(invocation, keys, lines)
    return OK


def _row(key: dict[str, Any]) -> list[str]:
    quoted = json.dumps(key["name"], ensure_ascii=False)
    preauth = str(key["no_imap_preauth"]).lower()
    return [key["fingerprint"], key["type"], quoted, key["account"], key["login_address"], preauth]


def get(invocation: Invocation) -> int:
    """All about one key."""
    key: dict[str, Any] = remote.call(invocation, "tlspubkeyget", fingerprint=invocation.arguments[0])
    lines = [
        f"type: {key['type']}",
        f"name: {key['name']}",
        f"account: {key['account']}",
        f"address: {key['login_address']}",
        f"no imap preauth: {str(key['no_imap_preauth']).lower()}",
        "",
        key["certificate"].rstrip("\n"),
    ]
    output.show(invocation, key, lines)
    return OK


def add(invocation: Invocation) -> int:
    """Let the key of a certificate on standard input log in."""
    pem = sys.stdin.read(_PEM_CHARACTERS)
    address, name = (*invocation.arguments, "")[:2]
    added: dict[str, Any] = remote.call(
        invocation,
        "tlspubkeyadd",
        address=address,
        name=name,
        noimappreauth=invocation.given("no-imap-preauth"),
        certificate=pem,
    )
    output.show(invocation, added, [f"added {added['type']} key {added['fingerprint']} for {added['login_address']}"])
    return OK


def remove(invocation: Invocation) -> int:
    """Forget a key."""
    remote.call(invocation, "tlspubkeyrm", fingerprint=invocation.arguments[0])
    print(f"removed {invocation.arguments[0]}")
    return OK


def generate(invocation: Invocation) -> int:
    """Make a key pair in three files."""
    from appliance.operations import tlskeys

    now = datetime.now(UTC)
    new = tlskeys.generate(now)
    stem = f"{invocation.arguments[0]}.{now:%Y%m%d%H%M}"
    files = {
        f"{stem}.ed25519privatekey.pkcs8.pem": new.private_key,
        f"{stem}.certificate.pem": new.certificate,
        f"{stem}.ed25519privatekey-certificate.pem": new.private_key + new.certificate,
    }
    made: list[Path] = []
    try:
        for name, text in files.items():
            with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                made.append(Path(name))
                file.write(text)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise Failed(f"cannot write {error.filename}: {error.strerror}") from error
    for path in made:
        print(path)
    print(f"seed, as sendmail takes it: {new.seed}", file=sys.stderr)
    print(f"fingerprint: {new.fingerprint}", file=sys.stderr)
    print(f"to let it log in: moxpy config tlspubkey add ADDRESS < {stem}.certificate.pem", file=sys.stderr)
    return OK
