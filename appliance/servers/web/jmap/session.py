"""The session object: what is here, how much of it at once, and where (RFC 8620 §2)."""

import hashlib
from typing import Any, Final

import msgspec

from appliance.base import limits
from appliance.delivery.appliance import Appliance
from appliance.operations import sharing
from appliance.operations.actor import Actor, Right
from appliance.servers.web.jmap import blob, call, standard, submission
from appliance.servers.web.jmap.call import account_id
from appliance.store import mailbox

#: Properties that Email/query sorts by.
EMAIL_SORTS: Final = (
    *("receivedAt", "sentAt", "size", "from", "to", "subject"),
    *("hasKeyword", "allInThreadHaveKeyword", "someInThreadHaveKeyword"),
)

#: Capabilities of accounts, and what they say of one.
ACCOUNT_CAPABILITIES: Final[dict[str, dict[str, Any]]] = {
    call.MAIL: {
        "maxMailboxesPerEmail": 1,
        "maxMailboxDepth": mailbox.NAME_LEVELS,
        "maxSizeMailboxName": mailbox.ELEMENT_OCTETS,
        "maxSizeAttachmentsPerEmail": 0,
        "emailQuerySortOptions": list(EMAIL_SORTS),
        "mayCreateTopLevelMailbox": True,
    },
    call.SUBMISSION: submission.capability(),
    call.VACATION: {},
    call.QUOTA: {},
    call.BLOB: {
        "maxSizeBlobSet": limits.JMAP_BLOB_SET_OCTETS,
        "maxDataSources": limits.JMAP_BLOB_SOURCES,
        "supportedTypeNames": list(blob.TYPES),
        "supportedDigestAlgorithms": list(blob.DIGESTS),
    },
    call.MDN: {},
    call.OWN: {},
}
#: Those that say something of the server.
_SERVER: Final[dict[str, dict[str, Any]]] = {
    call.CORE: {
        "maxConcurrentUpload": limits.JMAP_UPLOADS,
        "maxSizeRequest": limits.JMAP_REQUEST_OCTETS,
        "maxConcurrentRequests": limits.JMAP_REQUESTS,
        "maxCallsInRequest": limits.JMAP_CALLS,
        "maxObjectsInGet": limits.JMAP_GET_OBJECTS,
        "maxObjectsInSet": limits.JMAP_SET_OBJECTS,
        "collationAlgorithms": list(standard.COLLATIONS),
    },
}
#: All that a request may use.
CAPABILITIES: Final = frozenset({call.CORE, call.WEBSOCKET, call.VAPID, *ACCOUNT_CAPABILITIES})


def document(
    app: Appliance,
    actor: Actor,
    root: str,
    *,
    max_message_octets: int,
    account_pages: str | None,
    server_key: str,
    is_read_only: bool,
) -> tuple[bytes, str]:
    """The session object as JSON, and its state.

    `root`: the URL below which everything is, with a slash. `account_pages`: path or URL of the pages of the account,
    None where there are none. `server_key`: what push services know us by.
    """
    account = account_id(actor.account)
    of_account = {name: dict(value) for name, value in ACCOUNT_CAPABILITIES.items()}
    # What a message may have beside its text; its texts need little.
    of_account[call.MAIL]["maxSizeAttachmentsPerEmail"] = max_message_octets
    is_read_only = is_read_only or Right.CHANGE_MAIL not in actor.rights
    of_shared = {name: value for name, value in of_account.items() if name in call.SHARED}
    # Who it is that makes mailboxes of his own, only he says.
    of_shared[call.MAIL] = {**of_account[call.MAIL], "mayCreateTopLevelMailbox": False}
    with app.store.read() as tx:
        shared = {
            account_id(one.account): {
                "name": name,
                "isPersonal": False,
                "isReadOnly": is_read_only or not one.may_change,
                "accountCapabilities": of_shared,
            }
            for name, one in sharing.owners(tx, actor.account).items()
        }
    server = {name: dict(_SERVER.get(name, {})) for name in sorted(CAPABILITIES)}
    # RFC 8887 §4.1
    server[call.WEBSOCKET] = {"url": f"ws{root.removeprefix('http')}ws", "supportsPush": True}
    # RFC 9749 §3
    server[call.VAPID] = {"applicationServerKey": server_key}
    server[call.CORE]["maxSizeUpload"] = max_message_octets
    server[call.OWN] = {"accountPages": account_pages}
    session: dict[str, Any] = {
        "capabilities": server,
        "accounts": {
            account: {
                "name": actor.login_address or actor.name,
                "isPersonal": True,
                "isReadOnly": is_read_only,
                "accountCapabilities": of_account,
            },
            **shared,
        },
        "primaryAccounts": dict.fromkeys(ACCOUNT_CAPABILITIES, account),
        "username": actor.login_address or actor.name,
        "apiUrl": f"{root}api",
        "downloadUrl": f"{root}download/{{accountId}}/{{blobId}}/{{name}}?accept={{type}}",
        "uploadUrl": f"{root}upload/{{accountId}}/",
        "eventSourceUrl": f"{root}eventsource?types={{types}}&closeafter={{closeafter}}&ping={{ping}}",
    }
    state = hashlib.sha256(msgspec.json.encode(session)).hexdigest()[:16]
    return msgspec.json.encode({**session, "state": state}), state
