"""The table of methods, in the order in which their pages are listed."""

from typing import Final

from appliance.operations.actor import Right
from appliance.servers.web.webapi import messages, send, suppressions
from appliance.servers.web.webapi.call import Method
from appliance.servers.web.webapi.types import (
    MessageFlagsRequest,
    MessageGetResult,
    MessageMoveRequest,
    MessagePartRequest,
    MessageRequest,
    Nothing,
    SendRequest,
    SendResult,
    SuppressionAddRequest,
    SuppressionListResult,
    SuppressionPresentResult,
    SuppressionRequest,
)

_MESSAGE: Final = {"MsgID": 204}
_ADDRESS: Final = {"EmailAddress": "nobody@dest.example"}

_ALL: Final = (
    Method(
        "Send",
        "Send a message: it is put together, signed and queued for all its recipients, or for none.",
        SendRequest,
        SendResult,
        Right.SUBMIT,
        send.send,
        {
            "To": [{"Name": "Ada", "Address": "ada@dest.example"}],
            "Subject": "Order 17",
            "Text": "Thanks for your order.\n",
            "Extra": {"order": "17"},
            "SaveSent": True,
        },
        {
            "MessageID": "<3fAxUuYrDZ1XrVoCJL5SzQ@mail.acme.example>",
            "Submissions": [{"Address": "ada@dest.example", "QueueMsgID": 91, "FromID": "qG0m0mXW0c1k0bM8C2rY3A"}],
        },
    ),
    Method(
        "SuppressionList",
        "All addresses that the account does not send to any more.",
        Nothing,
        SuppressionListResult,
        Right.SUPPRESS,
        suppressions.list_all,
        {},
        {
            "Suppressions": [
                {
                    "ID": 1,
                    "Created": "2026-02-03T04:05:06.7Z",
                    "Account": "shop",
                    "BaseAddress": "nobody@dest.example",
                    "OriginalAddress": "no.body+news@dest.example",
                    "Manual": False,
                    "Reason": "delivery failed: 550 5.1.1 no such user",
                }
            ]
        },
    ),
    Method(
        "SuppressionAdd",
        "Do not send to an address any more. An address of which any variant is in the list is an error.",
        SuppressionAddRequest,
        Nothing,
        Right.SUPPRESS,
        suppressions.add,
        {**_ADDRESS, "Manual": True, "Reason": "has moved"},
    ),
    Method(
        "SuppressionRemove",
        "Send to an address again. An address that is not in the list is an error.",
        SuppressionRequest,
        Nothing,
        Right.SUPPRESS,
        suppressions.remove,
        _ADDRESS,
    ),
    Method(
        "SuppressionPresent",
        "Whether an address, or a variant of it, is in the list.",
        SuppressionRequest,
        SuppressionPresentResult,
        Right.SUPPRESS,
        suppressions.present,
        _ADDRESS,
        {"Present": True},
    ),
    Method(
        "MessageGet",
        "What a message says, for programs that know no MIME; its parts, and what is known of it.",
        MessageRequest,
        MessageGetResult,
        Right.READ_MAIL,
        messages.get,
        _MESSAGE,
        {
            "Message": {
                "From": [{"Name": "Ada", "Address": "ada@dest.example"}],
                "To": [{"Name": "", "Address": "shop@acme.example"}],
                "CC": [],
                "BCC": [],
                "ReplyTo": [],
                "MessageID": "<x1@dest.example>",
                "References": ["<3fAxUuYrDZ1XrVoCJL5SzQ@mail.acme.example>"],
                "Date": "2026-02-03T05:00:00Z",
                "Subject": "Re: Order 17",
                "Text": "Thank you\n",
                "HTML": "",
            },
            "Structure": {
                "ContentType": "text/plain",
                "ContentTypeParams": {"charset": "utf-8"},
                "ContentID": "",
                "ContentDisposition": "",
                "Filename": "",
                "DecodedSize": 11,
                "Parts": [],
            },
            "Meta": {
                "Size": 1754,
                "DSN": False,
                "Flags": ["$notjunk", "\\seen"],
                "MailFrom": "ada@dest.example",
                "MailFromValidated": True,
                "RcptTo": "shop@acme.example",
                "MsgFrom": "ada@dest.example",
                "MsgFromValidated": True,
                "DKIMVerifiedDomains": ["dest.example"],
                "RemoteIP": "192.0.2.7",
                "MailboxName": "Inbox",
            },
        },
    ),
    Method(
        "MessageRawGet",
        "The whole message as it is, with what was added to its header here.",
        MessageRequest,
        None,
        Right.READ_MAIL,
        messages.get_raw,
        _MESSAGE,
    ),
    Method(
        "MessagePartGet",
        "The content of a part, decoded. PartPath has indices into Parts of Structure, from the outermost in.",
        MessagePartRequest,
        None,
        Right.READ_MAIL,
        messages.get_part,
        {**_MESSAGE, "PartPath": [1, 0]},
    ),
    Method(
        "MessageDelete",
        "Remove a message for good.",
        MessageRequest,
        Nothing,
        Right.CHANGE_MAIL,
        messages.delete,
        _MESSAGE,
    ),
    Method(
        "MessageFlagsAdd",
        "Add flags: \\seen, \\answered, \\flagged, \\deleted, \\draft, $junk, $notjunk, $forwarded, $phishing, "
        "$mdnsent, or words of your own.",
        MessageFlagsRequest,
        Nothing,
        Right.CHANGE_MAIL,
        messages.add_flags,
        {**_MESSAGE, "Flags": ["\\seen", "paid"]},
    ),
    Method(
        "MessageFlagsRemove",
        "Remove flags.",
        MessageFlagsRequest,
        Nothing,
        Right.CHANGE_MAIL,
        messages.remove_flags,
        {**_MESSAGE, "Flags": ["\\seen", "paid"]},
    ),
    Method(
        "MessageMove",
        "Move a message to another mailbox.",
        MessageMoveRequest,
        Nothing,
        Right.CHANGE_MAIL,
        messages.move,
        {**_MESSAGE, "DestMailboxName": "Archive"},
    ),
)
METHODS: Final[dict[str, Method]] = {one.name: one for one in _ALL}
