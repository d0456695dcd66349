"""What the tables hold: msgpack arrays, whose fields are only ever added at the end with defaults (ARCHITECTURE.md).

Rows of messages are packed by hand, since every scan of a mailbox reads them all. Times are microseconds since 1970.
"""

import enum
import struct
from typing import Final, NamedTuple

import msgspec

from appliance.mail.part import Part
from appliance.store.tables import AccountID, BodyID, MailboxID, MessageID


class Flag(enum.IntFlag):
    """System flags and the keywords that IMAP registered, as bits of a row (RFC 9051 §2.3.2, RFC 5788)."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    FORWARDED = 8
    JUNK = 16
    NOT_JUNK = 32
    DELETED = 64
    DRAFT = 128
    PHISHING = 256
    MDN_SENT = 512


#: What clients call the bits, in the order in which they are told.
FLAG_NAMES: Final[dict[Flag, str]] = {
    Flag.SEEN: "\\Seen",
    Flag.ANSWERED: "\\Answered",
    Flag.FLAGGED: "\\Flagged",
    Flag.DELETED: "\\Deleted",
    Flag.DRAFT: "\\Draft",
    Flag.FORWARDED: "$Forwarded",
    Flag.JUNK: "$Junk",
    Flag.NOT_JUNK: "$NotJunk",
    Flag.PHISHING: "$Phishing",
    Flag.MDN_SENT: "$MDNSent",
}
_FLAG_OF = {name.lower(): int(flag) for flag, name in FLAG_NAMES.items()}
#: Lenient: as Thunderbird and others write them; the registry of keywords has them with a sign.
_FLAG_OF |= {"junk": int(Flag.JUNK), "nonjunk": int(Flag.NOT_JUNK)}


#: As plain numbers, for loops over rows: arithmetic with a member of an enum costs thirty times as much.
SEEN: Final = int(Flag.SEEN)
JUNK: Final = int(Flag.JUNK)
NOT_JUNK: Final = int(Flag.NOT_JUNK)
DELETED: Final = int(Flag.DELETED)


class Role(enum.IntFlag):
    """Special uses of a mailbox (RFC 6154 §2)."""

    ARCHIVE = 1
    DRAFTS = 2
    JUNK = 4
    SENT = 8
    TRASH = 16


ROLE_NAMES: Final[dict[Role, str]] = {
    Role.ARCHIVE: "\\Archive",
    Role.DRAFTS: "\\Drafts",
    Role.JUNK: "\\Junk",
    Role.SENT: "\\Sent",
    Role.TRASH: "\\Trash",
}


class Rights(enum.IntFlag):
    """What somebody may do with a mailbox (RFC 4314 §2.1)."""

    LOOKUP = 1
    READ = 2
    SEEN = 4
    WRITE = 8
    INSERT = 16
    POST = 32
    CREATE = 64
    DELETE_MAILBOX = 128
    DELETE_MESSAGES = 256
    EXPUNGE = 512
    ADMINISTER = 1024


#: The letter of each right, in the usual order.
RIGHT_LETTERS: Final[dict[Rights, str]] = dict(zip(Rights, "lrswipkxtea", strict=True))
ALL_RIGHTS: Final = int(sum(Rights))

#: The mailbox that every account has (RFC 9051 §5.1).
INBOX: Final = "Inbox"


def split_flags(
    names: "frozenset[str] | set[str] | list[str] | tuple[str, ...]",
) -> tuple[int, tuple[str, ...]]:
    """Bits of the known flags among the names, and the other names as sorted lower-case keywords."""
    bits = 0
    keywords: set[str] = set()
    for name in names:
        lower = name.lower()
        if (flag := _FLAG_OF.get(lower)) is not None:
            bits |= flag
        elif not lower.startswith("\\"):
            keywords.add(lower)
    return bits, tuple(sorted(keywords))


class Account(msgspec.Struct, array_like=True):
    """Singletons of an account."""

    name: str
    created: int
    #: The last modification sequence handed out; the first is 2.
    modseq: int = 1
    #: Removals up to here are no longer known one by one; -1 when all are.
    highest_deleted_modseq: int = -1
    next_uid_validity: int = 1
    next_mailbox: int = 1
    next_message: int = 1
    #: Octets of all messages, removed but not yet erased ones included.
    usage_octets: int = 0
    #: Removal has begun; nobody may log in.
    removed: bool = False
    #: Annotations of all its mailboxes and of itself, and the octets of their values.
    annotations: int = 0
    annotation_octets: int = 0
    #: Known recipients.
    recipients: int = 0


class Mailbox(msgspec.Struct, array_like=True):
    """A mailbox, and after its removal the memory of it."""

    id: MailboxID
    name: str
    parent: MailboxID
    uid_validity: int
    create_modseq: int
    modseq: int
    uid_next: int = 1
    roles: int = 0
    keywords: tuple[str, ...] = ()
    #: Messages without \\Deleted.
    total: int = 0
    #: Messages with \\Deleted.
    deleted: int = 0
    #: Neither \\Seen nor \\Deleted.
    unread: int = 0
    #: Without \\Seen.
    unseen: int = 0
    size_octets: int = 0
    expunged: bool = False
    #: Octets of messages with \\Deleted (RFC 9208 DELETED-STORAGE).
    deleted_octets: int = 0
    #: Others than the owner have a \\Seen of their own.
    own_seen: bool = False
    #: When that was last changed; 0 where it never was.
    own_seen_modseq: int = 0
    #: Its place among others of one level (RFC 8621 §2 sortOrder); None where nobody gave it one.
    sort_order: int | None = None
    #: When its name, place, special uses or subscription changed last; 0 where they are as they were at first.
    properties_modseq: int = 0

    @property
    def messages(self) -> int:
        """What IMAP calls MESSAGES and EXISTS."""
        return self.total + self.deleted


class Row(NamedTuple):
    """A live message as every scan sees it."""

    id: MessageID
    body: BodyID
    thread: MessageID
    modseq: int
    create_modseq: int
    size: int
    received: int
    saved: int
    flags: int
    keywords: tuple[str, ...] = ()


_ROW = struct.Struct(">QQQQQQqqH")
_pack_row = _ROW.pack
_unpack_row = _ROW.unpack_from
ROW_OCTETS: Final = _ROW.size


def pack_row(row: Row) -> bytes:
    """Row -> value; keywords follow as text."""
    fixed = _pack_row(*row[:9])
    return fixed + " ".join(row.keywords).encode() if row.keywords else fixed


def unpack_row(value: bytes) -> Row:
    """Value -> row."""
    if len(value) == ROW_OCTETS:
        return Row(*_unpack_row(value))
    words = tuple(value[ROW_OCTETS:].decode().split(" "))
    return Row(*_unpack_row(value))._replace(keywords=words)


#: The fixed part alone, for loops that make columns of it.
unpack_row_fixed = _unpack_row


class Place(NamedTuple):
    """Where a message is. Expunged ones have a place until they are erased."""

    mailbox: MailboxID
    uid: int
    body: BodyID
    size: int
    expunged: bool


_PLACE = struct.Struct(">IIQQ?")


def pack_place(place: Place) -> bytes:
    """Place -> value."""
    return _PLACE.pack(*place)


def unpack_place(value: bytes) -> Place:
    """Value -> place."""
    return Place(*_PLACE.unpack(value))


class Changed(NamedTuple):
    """The last change of a message in a mailbox: alive (or moved in), or gone from there."""

    id: MessageID
    create_modseq: int
    expunged: bool
    #: Of one that is gone; 0 where it is not known, as in what older programs wrote.
    thread: MessageID = MessageID(0)
    #: The modseq by which it came into sight of all that leave out what is \\Deleted, or out of it, last; moves do not
    #: count. 0 where it is not known: perhaps by this change.
    turned: int = 0


_CHANGED = struct.Struct(">QQ?")
_CHANGED_OCTETS = _CHANGED.size


def pack_changed(id: MessageID, create_modseq: int, thread: MessageID | None = None, *, turned: int = 0) -> bytes:
    """Fields of Changed -> value; with a thread it is gone."""
    fixed = _CHANGED.pack(id, create_modseq, thread is not None)
    if thread is not None:
        fixed += thread.to_bytes(8, "big")
    return fixed + turned.to_bytes(8, "big") if turned else fixed


def unpack_changed(value: bytes) -> Changed:
    """Value -> Changed."""
    id, created, expunged = _CHANGED.unpack_from(value)
    if len(value) == _CHANGED_OCTETS:  # As nearly all are.
        return Changed(id, created, expunged)
    rest = value[_CHANGED_OCTETS:]
    thread, rest = (rest[:8], rest[8:]) if expunged else (b"", rest)
    return Changed(id, created, expunged, MessageID(int.from_bytes(thread, "big")), int.from_bytes(rest, "big"))


class Origin(msgspec.Struct, array_like=True, frozen=True):
    """How a message reached us by SMTP; all empty for one that was uploaded.

    Domains are in U-labels. Of what was forwarded `ehlo` is empty and `dkim_domains` lacks the forwarder's; `orig_ehlo`
    and `orig_dkim_domains` have what there was. By what of this a sender is remembered says `history.names`.
    """

    remote_ip: str = ""
    ehlo: str = ""
    mail_from: str = ""
    rcpt_to: str = ""
    msg_from_localpart: str = ""
    msg_from_domain: str = ""
    msg_from_org_domain: str = ""
    ehlo_validation: int = 0
    mail_from_validation: int = 0
    msg_from_validation: int = 0
    ehlo_validated: bool = False
    mail_from_validated: bool = False
    msg_from_validated: bool = False
    dkim_domains: tuple[str, ...] = ()
    orig_ehlo: str = ""
    orig_dkim_domains: tuple[str, ...] = ()
    #: 0 unknown, 1 plain text, else the number of the TLS version.
    tls_version: int = 0
    tls_cipher: str = ""
    requiretls: bool = False
    is_forward: bool = False
    is_mailing_list: bool = False
    is_reject: bool = False
    is_dsn: bool = False
    #: The word for why it was accepted, or refused.
    reason: str = ""


#: Of a message that did not come by SMTP.
UPLOADED: Final = Origin()


class Facts(msgspec.Struct, array_like=True):
    """What is known of a message beyond its row: rarely read, rarely changed."""

    #: Structure of the message as received; offsets leave the prefix out.
    root: Part
    prefix_octets: int = 0
    message_id: str = ""
    subject_base: str = ""
    #: The mailbox in which it was first delivered or added.
    origin_mailbox: MailboxID = MailboxID(0)
    #: The mailbox for which it was meant when it went elsewhere; 0 otherwise.
    destined_mailbox: MailboxID = MailboxID(0)
    origin: Origin = Origin()
    #: Nearest first.
    thread_parents: tuple[MessageID, ...] = ()
    thread_missing_link: bool = False
    thread_muted: bool = False
    thread_collapsed: bool = False
    #: None: not trained, False: as ham, True: as spam.
    trained_junk: bool | None = None
    #: Digest of the content, to know a retry of a rejected message.
    content_digest: bytes = b""
    #: The number of the junk filter that was trained with it.
    trained_by: int = 0


class Learned(msgspec.Struct, array_like=True, frozen=True):
    """The junk filter of an account: what it was made of."""

    #: Its number; 0 while there is none.
    filter: int = 0
    hams: int = 0
    spams: int = 0
    #: How many words in a row it knows, ascending.
    grams: tuple[int, ...] = ()
    #: Whether it has learned all that was judged before; otherwise a new one is to be made.
    whole: bool = False
    #: A new one that is being made beside it; 0 while none is.
    making: int = 0
    making_hams: int = 0
    making_spams: int = 0
    making_grams: tuple[int, ...] = ()
    #: How many times words of it, or of the one being made, were counted: what was read of it before is old.
    learnings: int = 0


class Prepared(msgspec.Struct, array_like=True, frozen=True):
    """Octets made once, at delivery, and served as they are."""

    #: IMAP ENVELOPE and BODYSTRUCTURE, parentheses included. BODY, which few ask for, is made from the facts.
    envelope: bytes
    bodystructure: bytes
    #: Header fields that programs ask for by name: lower-case name -> whole lines, CRLF included, all of that name.
    fields: dict[str, bytes]
    preview: str = ""
    #: Octets of the header, prefix and empty line included.
    header_octets: int = 0


class Scram(msgspec.Struct, array_like=True, frozen=True):
    """Derived secrets of one SCRAM mechanism (RFC 5802 §3)."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


class Credentials(msgspec.Struct, array_like=True, frozen=True):
    """Secrets derived from a password, which itself is nowhere."""

    #: argon2id, or bcrypt from an import, in their usual text form; empty when there are only app passwords.
    password_hash: str
    #: The keys are empty when they could not be derived: the salt is there for the app passwords.
    scram_sha1: Scram
    scram_sha256: Scram
    #: MD5 states after the inner and the outer pad (RFC 2195).
    cram_md5_inner: bytes
    cram_md5_outer: bytes
    changed: int = 0


class AppPassword(msgspec.Struct, array_like=True, frozen=True):
    """A password for one program or device, made by us. Derived with the salts and iterations of the account's own."""

    label: str
    created: int
    #: 0: never.
    expires: int
    #: Where it may be used: `submission`, `imap`, `webmail`, `webapi`.
    protocols: tuple[str, ...]
    #: StoredKey and ServerKey (RFC 5802 §3).
    scram_sha1: tuple[bytes, bytes]
    scram_sha256: tuple[bytes, bytes]
    #: MD5 states after the inner and the outer pad (RFC 2195).
    cram_md5: tuple[bytes, bytes]
    #: 0: never. Right to about an hour.
    last_used: int = 0


class LoginAttempt(msgspec.Struct, array_like=True, frozen=True):
    """Attempts to log in that differ only in their moment."""

    login_address: str
    remote_ip: str
    local_ip: str
    #: Version and cipher; empty without TLS.
    tls: str
    #: Fingerprint of the client certificate's key; empty without one.
    key: str
    #: `submission`, `imap`, `webmail`, `webapi` ...
    protocol: str
    user_agent: str
    #: `plain`, `scram-sha-256` ...
    mechanism: str
    #: `ok`, `badcreds`, `badchanbind`, `badprotocol`, `logindisabled`, `aborted` or `error`.
    result: str
    first: int
    last: int
    count: int = 1


class Annotation(msgspec.Struct, array_like=True):
    """A METADATA entry of a mailbox, or of the account itself for mailbox 0 (RFC 5464 §3)."""

    mailbox: MailboxID
    entry: str
    value: bytes
    #: Whether it came as a string, not as binary data.
    is_text: bool
    create_modseq: int
    modseq: int


class WebSession(msgspec.Struct, array_like=True, frozen=True):
    """A login by the web; the token is known by its digest only, and so is the one against forged requests."""

    #: `account`, `webmail`: a session of one is none of the other.
    application: str
    login_address: str
    csrf_digest: bytes
    created: int
    expires: int
    last_used: int
    user_agent: str = ""
    remote_ip: str = ""
    #: The number of the app password it began with: it may no more than that, and ends with it.
    app_password: int | None = None


class Passkey(msgspec.Struct, array_like=True, frozen=True):
    """A key pair of an authenticator, of which we have the public half (Web Authentication)."""

    #: By which the authenticator knows it.
    credential: bytes
    #: Of COSE: -7, -8, -257.
    algorithm: int
    #: SubjectPublicKeyInfo, DER.
    public_key: bytes
    #: The host that it was made for, and works at.
    relying_party: str
    #: The address of the session that added it: of logins with it alone. Empty for the administrator.
    login_address: str
    name: str
    created: int
    #: 0: never.
    last_used: int = 0
    #: Signatures that the authenticator counted at its last use; 0 where it does not.
    count: int = 0


class SecondFactor(msgspec.Struct, array_like=True, frozen=True):
    """What a login in a browser must show beside the password."""

    #: The shared secret of a program that makes codes (RFC 6238); empty: none.
    secret: bytes = b""
    created: int = 0
    #: The time step of the last code that was taken: none is taken twice (RFC 6238 §5.2).
    last_step: int = 0
    #: Digests of codes for whoever lost that program, each good for once.
    recovery: tuple[bytes, ...] = ()
    #: Wrong codes since a moment.
    wrong: int = 0
    wrong_since: int = 0
    #: Mail programs need app passwords, the account's own is for browsers alone.
    app_passwords_only: bool = False
    #: Oldest first.
    passkeys: tuple[Passkey, ...] = ()

    @property
    def is_wanted(self) -> bool:
        """Whether a password alone is not enough in browsers."""
        return bool(self.secret or self.passkeys)


class APIToken(msgspec.Struct, array_like=True, frozen=True):
    """What lets a script call functions of the pages; known by its digest only."""

    label: str
    #: `read`, `change`.
    scopes: tuple[str, ...]
    created: int
    #: 0: never.
    expires: int
    #: 0: never. Right to some minutes.
    last_used: int = 0


class TLSPublicKey(msgspec.Struct, array_like=True, frozen=True):
    """A key that logs clients in by their TLS certificate. Its fingerprint, SHA-256 of the DER SPKI, is the key."""

    created: int
    #: `rsa-<bits>`, `ecdsa-<curve>`, `ed25519`.
    type: str
    name: str
    #: IMAP does not begin logged in: some clients insist on doing so themselves.
    no_imap_preauth: bool
    #: The certificate it came in, DER; nothing in it counts but the key.
    certificate: bytes
    account: AccountID
    login_address: str
