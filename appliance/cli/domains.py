"""Commands about domains and aliases."""

from typing import Any

from appliance.cli import names, output, remote, table
from appliance.cli.main import OK, Invocation, UsageError


def list_domains(invocation: Invocation) -> int:
    """All domains."""
    found = remote.call(invocation, "domainlist")
    output.show(invocation, found, (one["name"] + _marks(one) for one in found))
    return OK


def _marks(one: dict[str, Any]) -> str:
    return ("\t(disabled)" if one["disabled"] else "") + ("\t(reports only)" if one["reports_only"] else "")


def add(invocation: Invocation) -> int:
    """Add a domain, and say what to do next."""
    domain, account = names.domain(invocation.arguments[0]), names.account(invocation.arguments[1])
    localpart = invocation.arguments[2] if len(invocation.arguments) > 2 else None
    if localpart is not None:
        names.address(f"{localpart}@{domain}")
    remote.call(
        invocation,
        "domainadd",
        domain=domain,
        account=account,
        localpart=localpart,
        disabled=invocation.given("disabled"),
    )
    print(f"domain {domain} added" + (", disabled" if invocation.given("disabled") else ""))
    if localpart is not None:
        print(f"account {account} added; to let it log in: moxpy setaccountpassword {account}")
    known = {command.words for command in table.COMMANDS}
    following = [words for words in ("config dnsrecords", "config dnscheck") if words in known]
    if following:
        print("next, add the DNS records and check them:")
        for words in following:
            print(f"  moxpy {words} {domain}")
    return OK


def remove(invocation: Invocation) -> int:
    """Remove a domain; accounts stay."""
    domain = names.domain(invocation.arguments[0])
    gone = remote.call(invocation, "domainrm", domain=domain)
    addresses = f" with the addresses {', '.join(gone)}" if gone else ""
    print(f"domain {domain} removed{addresses}; accounts and their mail stay")
    return OK


def disable(invocation: Invocation) -> int:
    """Refuse mail to and from a domain for now."""
    domain = names.domain(invocation.arguments[0])
    remote.call(invocation, "domaindisabled", domain=domain, disabled=True)
    print(f"domain {domain} disabled; its accounts can still log in")
    return OK


def enable(invocation: Invocation) -> int:
    """Take mail again."""
    domain = names.domain(invocation.arguments[0])
    remote.call(invocation, "domaindisabled", domain=domain, disabled=False)
    print(f"domain {domain} enabled")
    return OK


def rotate_start(invocation: Invocation) -> int:
    """Begin to replace keys."""
    return _rotated(invocation, "dkimrotatestart")


def rotate_next(invocation: Invocation) -> int:
    """Do not wait for the end of a step."""
    return _rotated(invocation, "dkimrotatenext")


def rotate_abort(invocation: Invocation) -> int:
    """End a rotation before its time."""
    return _rotated(invocation, "dkimrotateabort")


def _rotated(invocation: Invocation, command: str) -> int:
    one = remote.call(invocation, command, domain=names.domain(invocation.arguments[0]))
    output.show(invocation, one, _rotation(one))
    return OK


def rotate_status(invocation: Invocation) -> int:
    """How rotations stand."""
    domain = names.domain(invocation.arguments[0]) if invocation.arguments else None
    found = remote.call(invocation, "dkimrotatestatus", domain=domain)
    lines = [line for one in found for line in _rotation(one)]
    output.show(invocation, found, lines or ["no keys were replaced yet"])
    return OK


def _rotation(one: dict[str, Any]) -> list[str]:
    replaced = ", ".join(f"{old} by {new}" for old, new in one["selectors"].items())
    begun = "begun by itself" if one["automatic"] else "begun"
    lines = [
        f"{one['domain']}: {one['step']}: {one['text']}",
        f"  {replaced}; {begun} {one['began'][:16]}, this step {one['since'][:16]} UTC",
    ]
    if one["goes_on"]:
        lines.append(f"  goes on at {one['goes_on'][:16]} UTC")
    by_hand = "" if one["updates"] else "; it goes on when all name servers have it"
    for verb, records in (("add", one["add"]), ("remove", one["remove"])):
        if records and (not one["updates"] or one["step"] == "done"):
            lines.append(f"  {verb}{by_hand if one['step'] != 'done' else ''}:")
            lines += [f"    {record}" for record in records]
    if one["problem"]:
        lines.append(f"  not yet: {one['problem']}")
    return lines


def list_aliases(invocation: Invocation) -> int:
    """Aliases of a domain."""
    found = remote.call(invocation, "aliaslist", domain=names.domain(invocation.arguments[0]))
    output.show(invocation, found, found)
    return OK


def print_alias(invocation: Invocation) -> int:
    """Settings and members of an alias."""
    one = remote.call(invocation, "aliasprint", alias=names.address(invocation.arguments[0]))
    lines = [
        f"# postpublic {str(one['post_public']).lower()}",
        f"# listmembers {str(one['list_members']).lower()}",
        f"# allowmsgfrom {str(one['allow_msg_from']).lower()}",
        "# members:",
        *one["addresses"],
    ]
    if one["forward"]:
        lines += ["# forwards to:", *one["forward"]]
    output.show(invocation, one, lines)
    return OK


def _settings(invocation: Invocation) -> dict[str, Any]:
    given = {name: text for name in ("postpublic", "listmembers", "allowmsgfrom") if (text := invocation.text(name))}
    for name, text in given.items():
        if text not in {"true", "false"}:
            raise UsageError(f"--{name}: takes true or false\nusage: {invocation.command.usage}")
    return {name: text == "true" for name, text in given.items()}


def _members(invocation: Invocation) -> list[str]:
    return [names.address(one) for one in invocation.arguments[1:]]


def add_alias(invocation: Invocation) -> int:
    """Make an alias."""
    alias = names.address(invocation.arguments[0])
    remote.call(invocation, "aliasadd", alias=alias, addresses=_members(invocation), **_settings(invocation))
    print(f"alias {alias} added")
    return OK


def update_alias(invocation: Invocation) -> int:
    """Change settings of an alias."""
    alias, settings = names.address(invocation.arguments[0]), _settings(invocation)
    if not settings:
        raise UsageError(f"nothing to change was given\nusage: {invocation.command.usage}")
    remote.call(invocation, "aliasupdate", alias=alias, **settings)
    print(f"alias {alias} updated")
    return OK


def remove_alias(invocation: Invocation) -> int:
    """Remove an alias."""
    alias = names.address(invocation.arguments[0])
    remote.call(invocation, "aliasrm", alias=alias)
    print(f"alias {alias} removed")
    return OK


def add_members(invocation: Invocation) -> int:
    """Add members to an alias."""
    alias, members = names.address(invocation.arguments[0]), _members(invocation)
    remote.call(invocation, "aliasaddaddr", alias=alias, addresses=members)
    print(f"added to alias {alias}: {', '.join(members)}")
    return OK


def remove_members(invocation: Invocation) -> int:
    """Remove members from an alias."""
    alias, members = names.address(invocation.arguments[0]), _members(invocation)
    remote.call(invocation, "aliasrmaddr", alias=alias, addresses=members)
    print(f"removed from alias {alias}: {', '.join(members)}")
    return OK


def add_forwards(invocation: Invocation) -> int:
    """Forward an alias to addresses outside."""
    alias, outside = names.address(invocation.arguments[0]), _members(invocation)
    remote.call(invocation, "aliasaddforward", alias=alias, addresses=outside)
    print(f"alias {alias} forwards to: {', '.join(outside)}")
    return OK


def remove_forwards(invocation: Invocation) -> int:
    """Forward an alias to addresses outside no more."""
    alias, outside = names.address(invocation.arguments[0]), _members(invocation)
    remote.call(invocation, "aliasrmforward", alias=alias, addresses=outside)
    print(f"alias {alias} forwards no more to: {', '.join(outside)}")
    return OK
