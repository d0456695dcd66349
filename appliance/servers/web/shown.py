"""Records of the store as pages of accounts and of the administrator see them."""

from datetime import datetime
from typing import Annotated

from appliance.config.schema import doc
from appliance.operations import websessions
from appliance.operations.tlskeys import NamedKey
from appliance.servers.web.api import Wire
from appliance.store import records


class LoginAttempt(Wire):
    """Attempts to log in that differ only in their moment."""

    account: Annotated[str, doc("`-` where there is no such account.")]
    login_address: str
    result: Annotated[str, doc("ok, badcreds, badchanbind, badprotocol, logindisabled, aborted or error.")]
    count: int
    first: datetime
    last: datetime
    protocol: str
    auth_mech: str
    user_agent: str
    remote_ip: str
    local_ip: str
    tls: Annotated[str, doc("Version and cipher; empty without TLS.")]
    tls_pub_key_fingerprint: str

    @classmethod
    def of(cls, account: str, one: records.LoginAttempt) -> "LoginAttempt":
        """An attempt on a named account."""
        return cls(
            account=account,
            login_address=one.login_address,
            result=one.result,
            count=one.count,
            first=websessions.time(one.first),
            last=websessions.time(one.last),
            protocol=one.protocol,
            auth_mech=one.mechanism,
            user_agent=one.user_agent,
            remote_ip=one.remote_ip,
            local_ip=one.local_ip,
            tls=one.tls,
            tls_pub_key_fingerprint=one.key,
        )


class TLSPublicKey(Wire):
    """A key that logs a client in by its TLS certificate."""

    fingerprint: Annotated[str, doc("SHA-256 of the DER SubjectPublicKeyInfo, in unpadded base64url.")]
    created: datetime
    type: Annotated[str, doc("`rsa-<bits>`, `ecdsa-<curve>` or `ed25519`.")]
    name: str
    no_imap_preauth: Annotated[bool, doc("IMAP does not begin logged in: some programs insist on logging in.")]
    account: str
    login_address: str

    @classmethod
    def of(cls, one: NamedKey) -> "TLSPublicKey":
        """A key."""
        return cls(
            fingerprint=one.fingerprint,
            created=websessions.time(one.key.created),
            type=one.key.type,
            name=one.key.name,
            no_imap_preauth=one.key.no_imap_preauth,
            account=one.account,
            login_address=one.key.login_address,
        )


class Session(Wire):
    """A browser that is logged in."""

    id: str
    application: Annotated[str, doc("`account`, `webmail` or `admin`.")]
    login_address: str
    created: datetime
    last_used: Annotated[datetime, doc("To about five minutes.")]
    expires: Annotated[datetime, doc("When it ends, unless it is used before.")]
    remote_ip: str
    user_agent: str
    is_current: Annotated[bool, doc("It is the one that asks.")]

    @classmethod
    def of(cls, one: websessions.Listed) -> "Session":
        """A session."""
        return cls(
            id=one.id,
            application=one.application,
            login_address=one.login_address,
            created=one.created,
            last_used=one.last_used,
            expires=one.expires,
            remote_ip=one.remote_ip,
            user_agent=one.user_agent,
            is_current=one.is_current,
        )
