"""Commands about accounts, their addresses, and mail delivered by hand."""

import sys
from collections.abc import Iterator

from appliance.cli import names, output, remote
from appliance.cli.main import OK, Failed, Invocation, UsageError

_CHUNK_OCTETS = 256 * 1024


def list_accounts(invocation: Invocation) -> int:
    """Names, sorted; disabled ones are marked."""
    found = remote.call(invocation, "accountlist")
    output.show(
        invocation, found, (f"{one['name']}\t(disabled)" if one["login_disabled"] else one["name"] for one in found)
    )
    return OK


def list_addresses(invocation: Invocation) -> int:
    """Addresses of an account."""
    found = remote.call(invocation, "accountaddresses", account=names.account(invocation.arguments[0]))
    output.show(invocation, found, found)
    return OK


def add(invocation: Invocation) -> int:
    """Make an account."""
    account, address = names.account(invocation.arguments[0]), names.address(invocation.arguments[1])
    remote.call(invocation, "accountadd", account=account, address=address)
    print(f"account {account} added with {address}; to let it log in: moxpy setaccountpassword {account}")
    return OK


def remove(invocation: Invocation) -> int:
    """Remove an account with its mail."""
    account = names.account(invocation.arguments[0])
    remote.call(invocation, "accountrm", account=account)
    print(f"account {account} removed; its mail is being erased")
    return OK


def disable(invocation: Invocation) -> int:
    """Refuse logins."""
    account, message = names.account(invocation.arguments[0]), invocation.arguments[1]
    if not message:
        raise Failed("the message must not be empty; to allow logins: moxpy config account enable")
    remote.call(invocation, "accountdisabled", account=account, message=message)
    print(f"account {account} disabled; its mail is still delivered")
    return OK


def enable(invocation: Invocation) -> int:
    """Allow logins."""
    account = names.account(invocation.arguments[0])
    remote.call(invocation, "accountdisabled", account=account, message="")
    print(f"account {account} enabled")
    return OK


def quota(invocation: Invocation) -> int:
    """Show or set how much mail an account may hold."""
    account, size = names.account(invocation.arguments[0]), invocation.arguments[1:]
    wanted = names.quota(size[0]) if size else None
    found = remote.call(invocation, "accountquota", account=account, size=wanted)
    limit = "no limit" if found["limit_octets"] is None else f"limit {found['limit_octets']} bytes"
    whose = "of the account" if found["own"] else "by default"
    output.show(invocation, found, [f"used {found['used_octets']} bytes, {limit} {whose}"])
    return OK


def add_address(invocation: Invocation) -> int:
    """Give an account an address."""
    address, account = names.address_or_catchall(invocation.arguments[0]), names.account(invocation.arguments[1])
    remote.call(invocation, "addressadd", address=address, account=account)
    print(f"address {address} added to account {account}")
    return OK


def remove_address(invocation: Invocation) -> int:
    """Take an address from its account."""
    address = names.address_or_catchall(invocation.arguments[0])
    gone = remote.call(invocation, "addressrm", address=address)
    aliases = f", and from alias {', '.join(gone['aliases'])}" if gone["aliases"] else ""
    print(f"address {address} removed from account {gone['account']}{aliases}")
    return OK


def account_of(invocation: Invocation) -> int:
    """Whose an address is."""
    account = remote.call(invocation, "addressaccount", address=names.address(invocation.arguments[0]))
    output.show(invocation, {"account": account}, [account])
    return OK


def print_forwards(invocation: Invocation) -> int:
    """Where an address forwards to."""
    one = remote.call(invocation, "addressforward", address=names.address_or_catchall(invocation.arguments[0]))
    lines = [f"# only {str(one['only']).lower()}", *one["forward"]]
    output.show(invocation, one, lines)
    return OK


def add_forwards(invocation: Invocation) -> int:
    """Forward an address to others."""
    address, outside = names.address_or_catchall(invocation.arguments[0]), _outside(invocation)
    remote.call(invocation, "addressforwardadd", address=address, addresses=outside)
    print(f"address {address} forwards to: {', '.join(outside)}")
    return OK


def remove_forwards(invocation: Invocation) -> int:
    """Forward an address to others no more."""
    address, outside = names.address_or_catchall(invocation.arguments[0]), _outside(invocation)
    remote.call(invocation, "addressforwardrm", address=address, addresses=outside)
    print(f"address {address} forwards no more to: {', '.join(outside)}")
    return OK


def forward_only(invocation: Invocation) -> int:
    """Keep copies of what is forwarded, or none."""
    address, only = names.address_or_catchall(invocation.arguments[0]), invocation.arguments[1]
    if only not in {"true", "false"}:
        raise UsageError(f"says true or false\nusage: {invocation.command.usage}")
    remote.call(invocation, "addressforwardonly", address=address, only=only == "true")
    print(f"address {address} keeps {'no copy' if only == 'true' else 'a copy'} of what it forwards")
    return OK


def _outside(invocation: Invocation) -> list[str]:
    return [names.address(one) for one in invocation.arguments[1:]]


def deliver(invocation: Invocation) -> int:
    """Deliver the message on standard input."""
    address = names.address(invocation.arguments[0])
    remote.call(invocation, "deliver", address=address, stream=_standard_input())
    print(f"delivered to {address}")
    return OK


def _standard_input() -> Iterator[bytes]:
    while octets := sys.stdin.buffer.read(_CHUNK_OCTETS):
        yield octets
