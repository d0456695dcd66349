"""The file of `moxpy sendmail`, `/etc/moxpysubmit.toml`: where mail of programs is submitted, and as whom."""

import base64
import binascii
import re
from pathlib import Path
from typing import Annotated, Final, Literal

from appliance.config.errors import ConfigErrors, KeyPath, Report
from appliance.config.load import read_config_text
from appliance.config.schema import Table, doc, read_table
from appliance.config.values import AddressName, DomainName, FilePath, Port

PATH: Final = Path("/etc/moxpysubmit.toml")

Method = Literal[
    "EXTERNAL",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-1",
    "CRAM-MD5",
    "PLAIN",
]
_SEED: Final = re.compile(r"[A-Za-z0-9_-]{43}")
#: Each of them logs in alone.
SECRETS: Final = ("password", "client_auth_ed25519_private_key", "client_auth_cert_private_key_pem_file")


class Submitting(Table, frozen=True, kw_only=True):
    """How `moxpy sendmail` submits."""

    local_hostname: Annotated[
        DomainName | None, doc("Name of this machine, for EHLO and Message-ID. Without, the one the system has.")
    ] = None
    host: Annotated[DomainName, doc("Server to submit to; its certificate must be for this name.")]
    port: Annotated[
        Port | None, doc("TCP port. Without, 465 with TLS from the start, 587 with STARTTLS, 25 without TLS.")
    ] = None
    tls: Annotated[bool, doc("TLS from the start. Without it and starttls there is no TLS.")] = True
    starttls: Annotated[bool, doc("TLS by STARTTLS instead of TLS from the start; without it nothing is sent.")] = False
    tls_insecure_skip_verify: Annotated[
        bool, doc("Do not verify the certificate. PLAIN is used only if auth_method says so then.")
    ] = False
    username: Annotated[str | None, doc("Login name, often the address; goes with password.")] = None
    password: Annotated[str | None, doc("Password of the login. Let nobody read this file who may not know it.")] = None
    client_auth_ed25519_private_key: Annotated[
        str | None,
        doc(
            "Instead of a password: seed of an ed25519 key, base64url without padding, as moxpy config tlspubkey gen "
            "prints it. The server must know the key: moxpy config tlspubkey add."
        ),
    ] = None
    client_auth_cert_private_key_pem_file: Annotated[
        FilePath | None, doc("Instead of a password: PEM file, absolute, with a private key and its certificate.")
    ] = None
    auth_method: Annotated[
        Method | None,
        doc(
            "How to log in; one of EXTERNAL (by the key), SCRAM-SHA-256-PLUS, SCRAM-SHA-256, SCRAM-SHA-1-PLUS, "
            "SCRAM-SHA-1, CRAM-MD5, PLAIN. Without, the best that the server offers."
        ),
    ] = None
    from_: Annotated[AddressName, doc("Address to send as; replaces the one that a message has.")]
    default_destination: Annotated[
        AddressName | None, doc("Where messages go whose recipient has no domain, such as root.")
    ] = None
    require_tls: Annotated[
        Literal["yes", "no"] | None,
        doc("yes: TLS is demanded of all servers on the way (RFC 8689). no: a message goes even where TLS fails."),
    ] = None

    @property
    def has_tls(self) -> bool:
        """Whether the session is encrypted."""
        return self.tls or self.starttls

    @property
    def client_key(self) -> bool:
        """Whether a key logs in."""
        return bool(self.client_auth_ed25519_private_key or self.client_auth_cert_private_key_pem_file)


def load(path: Path) -> Submitting:
    """Read and check the file. Raises ConfigErrors, which never tell a secret."""
    text = read_config_text(path, hint="moxpy config describe-sendmail prints a template")
    found = None
    if text.raw is not None:
        found = read_table(Submitting, text.raw, (), text.report)
        validate(found, text.report)
    problems = text.problems()
    if problems or found is None:
        raise ConfigErrors(problems)
    return found


def seed_octets(seed: str) -> bytes:
    """The 32 octets of a seed (RFC 8032 §5.1.5). Raises ValueError, without the seed."""
    if not _SEED.fullmatch(seed):
        raise ValueError("must be 32 octets in base64url without padding, 43 characters")
    try:
        return base64.urlsafe_b64decode(seed + "=")
    except binascii.Error:
        raise ValueError("is not base64url") from None


def validate(file: Submitting, report: Report, within: KeyPath = ()) -> None:
    """The rules that one key alone does not break. `within`: where the table stands."""
    given = [name for name in SECRETS if getattr(file, name)]
    for name in given[1:]:
        report.error((*within, name), f"only one of {', '.join(SECRETS)}")
    if file.password and not file.username:
        report.error((*within, "username"), "is required with a password")
    if file.username and not given:
        report.error((*within, "username"), f"needs one of {', '.join(SECRETS)}")
    if file.client_key and not file.has_tls:
        report.error((*within, "tls"), "a client key is shown in TLS only: set tls or starttls")
    if file.auth_method and not given:
        report.error((*within, "auth_method"), "there is nothing to log in with")
    elif file.auth_method and (file.auth_method == "EXTERNAL") != file.client_key:
        report.error((*within, "auth_method"), "EXTERNAL goes with a client key, the others with a password")
    if file.require_tls == "yes" and (not file.has_tls or file.tls_insecure_skip_verify):
        report.error((*within, "require_tls"), "needs TLS with a server that is verified")
    if file.client_auth_ed25519_private_key:
        try:
            seed_octets(file.client_auth_ed25519_private_key)
        except ValueError as error:
            report.error((*within, "client_auth_ed25519_private_key"), str(error))
    pem_file = file.client_auth_cert_private_key_pem_file
    if pem_file and not Path(pem_file).is_absolute():
        report.error((*within, "client_auth_cert_private_key_pem_file"), "must be an absolute path")
