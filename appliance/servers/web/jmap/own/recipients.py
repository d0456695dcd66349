"""Recipient/query and RecipientSecurity/get: whom one may mean, and how safely mail goes there."""

from typing import Annotated, Final

import msgspec

from appliance.operations import knownrecipients, recipientsecurity
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import OWN, AccountArguments, Call, Method, Wire
from appliance.servers.web.jmap.problem import MethodError

_MOST: Final = 20
_ADDRESSES: Final = 50
_TEXT_CHARACTERS: Final = 300


class QueryArguments(AccountArguments, kw_only=True):
    """A part of an address or name, and how many at most."""

    text: str
    limit: Annotated[int, msgspec.Meta(ge=1)] = _MOST


class Recipient(Wire):
    """Somebody the account wrote to."""

    name: str
    email: str
    last_sent: str


class QueryResponse(Wire):
    """Who was written to last comes first. `is_complete`: there are no more."""

    account_id: str
    list: list[Recipient]
    is_complete: bool


async def query(call: Call, arguments: QueryArguments) -> QueryResponse:
    """Recipient/query."""
    if len(arguments.text) > _TEXT_CHARACTERS:
        raise MethodError("invalidArguments", "the text is too long")
    found, is_complete = await knownrecipients.complete(
        call.app, call.actor, arguments.text, min(arguments.limit, _MOST)
    )
    return QueryResponse(
        account_id=call.account_id,
        list=[Recipient(name=one.name, email=one.address, last_sent=standard.utc_date(one.last_sent)) for one in found],
        is_complete=is_complete,
    )


class SecurityArguments(AccountArguments, kw_only=True):
    """Of whom."""

    addresses: list[str]


class Security(Wire):
    """Each is `yes`, `no`, `unknown` or `error`."""

    email: str
    starttls: str
    mtasts: str
    dnssec: str
    dane: str
    require_tls: str = msgspec.field(name="requireTLS")


class SecurityResponse(Wire):
    """In the order in which they were asked for."""

    account_id: str
    list: list[Security]


async def security(call: Call, arguments: SecurityArguments) -> SecurityResponse:
    """RecipientSecurity/get."""
    if len(arguments.addresses) > _ADDRESSES:
        raise MethodError("requestTooLarge", f"at most {_ADDRESSES} addresses")
    found = await recipientsecurity.look(call.app, call.actor, call.config, arguments.addresses)
    return SecurityResponse(
        account_id=call.account_id,
        list=[
            Security(
                email=one.email,
                starttls=one.starttls,
                mtasts=one.mtasts,
                dnssec=one.dnssec,
                dane=one.dane,
                require_tls=one.requiretls,
            )
            for one in found
        ],
    )


METHODS: Final = (
    Method("Recipient/query", OWN, QueryArguments, query),
    Method("RecipientSecurity/get", OWN, SecurityArguments, security),
)
