"""Commands about what others may do with an account's mailboxes."""

from typing import Final

from appliance.cli import names, output, remote
from appliance.cli.main import OK, Invocation

_WHOSE: Final = {"own": "each reader's own", "shared": "shared"}


def show_list(invocation: Invocation) -> int:
    """Who may do what with a mailbox."""
    account, mailbox = names.account(invocation.arguments[0]), invocation.arguments[1]
    found = remote.call(invocation, "acllist", account=account, mailbox=mailbox)
    output.show(invocation, found, (f"{one['identifier']}\t{one['rights']}" for one in found))
    return OK


def put(invocation: Invocation) -> int:
    """Grant rights."""
    account, mailbox, identifier, rights = invocation.arguments
    held = remote.call(
        invocation, "aclset", account=names.account(account), mailbox=mailbox, identifier=identifier, rights=rights
    )
    print(f"{identifier} has {f'rights {held}' if held else 'no rights'} on {mailbox} of {account}")
    return OK


def seen(invocation: Invocation) -> int:
    """Show or say whose read marks they are."""
    account, mailbox, *whose = invocation.arguments
    found = remote.call(
        invocation, "aclseen", account=names.account(account), mailbox=mailbox, whose=whose[0] if whose else None
    )
    print(f"read marks in {mailbox} of {account} are {_WHOSE[found]}")
    return OK


def remove(invocation: Invocation) -> int:
    """Take all rights back."""
    account, mailbox, identifier = invocation.arguments
    remote.call(invocation, "aclrm", account=names.account(account), mailbox=mailbox, identifier=identifier)
    print(f"{identifier} has no rights on {mailbox} of {account}")
    return OK
