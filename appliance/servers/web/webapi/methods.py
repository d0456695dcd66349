"""The table of methods, in the order in which their pages are listed."""

from typing import Final

from appliance.operations.actor import Right
from appliance.servers.web.webapi import suppressions
from appliance.servers.web.webapi.call import Method
from appliance.servers.web.webapi.types import (
    Nothing,
    SuppressionAddRequest,
    SuppressionListResult,
    SuppressionPresentResult,
    SuppressionRequest,
)

_ADDRESS: Final = {"EmailAddress": "nobody@dest.example"}

_ALL: Final = (
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
)
METHODS: Final[dict[str, Method]] = {one.name: one for one in _ALL}
