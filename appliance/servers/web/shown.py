"""Records of the store as pages of accounts and of the administrator see them."""

from datetime import datetime
from typing import Annotated

from appliance.config.schema import doc
from appliance.delivery.appliance import Appliance
from appliance.operations import refusals, websessions
from appliance.operations.tlskeys import NamedKey
from appliance.servers.web.api import Wire
from appliance.store import records, refusal


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


class RefusalFilter(Wire):
    """Which refusals; what is empty lets all pass."""

    address: Annotated[str, doc("Part of MAIL FROM, RCPT TO or From.")] = ""
    ip: Annotated[str, doc("An IP address or a network.")] = ""
    reason: str = ""
    received_id: Annotated[str, doc("As replies have it in parentheses behind their text, and Received fields.")] = ""
    since: datetime | None = None
    before: datetime | None = None

    def filter(self) -> refusals.Filter:
        """As the verb takes it."""
        return refusals.Filter(
            address=self.address,
            ip=self.ip,
            reason=self.reason,
            received_id=self.received_id,
            since=_microseconds(self.since),
            before=_microseconds(self.before),
        )


def _microseconds(moment: datetime | None) -> int:
    return 0 if moment is None else int(moment.timestamp() * 1_000_000)


class Refusal(Wire):
    """Mail that was not taken. Attempts at the same message for the same reason are one."""

    account: Annotated[str, doc("`-`: nobody's, or not known yet when it was refused.")]
    stage: Annotated[str, doc("helo, mail, rcpt or data; empty: one record of many, of which no more is known.")]
    reason: str
    why: Annotated[str, doc("The reason in words.")]
    remedy: Annotated[str, doc("What to do about it.")]
    remote_ip: Annotated[str, doc("A network in a record of many; empty: any.")]
    helo: str
    mail_from: Annotated[str, doc("`<>`: the null path of notices; empty: none was given yet.")]
    rcpt_to: str
    msg_from: Annotated[str, doc("The address in From.")]
    message_id: str
    size: int
    code: int
    status: Annotated[str, doc("The enhanced status code of the reply.")]
    text: Annotated[str, doc("Of the reply.")]
    details: Annotated[list[str], doc("What spoke for and against the message.")]
    spf: str
    dkim: Annotated[list[str], doc("Domains with a valid signature.")]
    dmarc: str
    iprev: str
    mailbox: Annotated[str, doc("Where a copy is; empty: there is none.")]
    received_id: str
    cid: Annotated[str, doc("Of the last connection, in the log.")]
    first: datetime
    last: datetime
    count: int

    @classmethod
    def of(cls, app: Appliance, account: str, one: refusal.Refusal) -> "Refusal":
        """One about a named account."""
        explained = refusals.explain(one)
        return cls(
            account=account,
            stage=one.stage,
            reason=one.reason,
            why=explained.why,
            remedy=explained.remedy,
            remote_ip=one.remote_ip,
            helo=one.helo,
            mail_from=one.mail_from,
            rcpt_to=one.rcpt_to,
            msg_from=one.msg_from,
            message_id=one.message_id,
            size=one.size_octets,
            code=one.code,
            status=one.status,
            text=one.text,
            details=list(one.details),
            spf=one.spf,
            dkim=list(one.dkim),
            dmarc=one.dmarc,
            iprev=one.iprev,
            mailbox=one.mailbox,
            received_id=one.received_id,
            cid=refusals.cid(app, one),
            first=websessions.time(one.first),
            last=websessions.time(one.last),
            count=one.count,
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
