"""Domains and aliases, and what the world's DNS says about them."""

from typing import Final

from appliance.cli.commands.declare import JSON, SERVER, Argument, Command, Flag

_ALIAS_FLAGS: Final = (
    Flag("postpublic", "anyone may write to it, not its members alone", "true|false"),
    Flag("listmembers", "members see each other in their account pages", "true|false"),
    Flag("allowmsgfrom", "members may send with the alias as From", "true|false"),
)

COMMANDS: Final = (
    Command("config domain list", "domains:list_domains", "List all domains.", flags=(JSON,)),
    Command(
        "config domain add",
        "domains:add",
        "Add a domain.\n\n"
        "Makes DKIM keys, addresses for reports and policies, and says which commands tell the DNS records. The\n"
        "account gets the reports; with a localpart it is a new one, with that as its address.",
        arguments=(Argument("domain"), Argument("account"), Argument("localpart", optional=True)),
        flags=(Flag("disabled", "take no mail for it yet, for instance while another server still does"),),
    ),
    Command(
        "config domain rm",
        "domains:remove",
        "Remove a domain.\n\n"
        "Its aliases go with it, and its addresses from accounts; accounts and their mail stay. DKIM keys move to the\n"
        "folder old beside them.",
        arguments=(Argument("domain"),),
    ),
    Command(
        "config domain disable",
        "domains:disable",
        "Take no mail to and from a domain for now.\n\n"
        "Senders are told to try again later. Logins with its addresses still work.",
        arguments=(Argument("domain"),),
    ),
    Command(
        "config domain enable",
        "domains:enable",
        "Take mail to and from a domain again.",
        arguments=(Argument("domain"),),
    ),
    Command(
        "config dkim rotate start",
        "domains:rotate_start",
        "Let new DKIM keys take the place of those that sign for a domain.\n\n"
        "The running server makes them, publishes their records, waits until all name servers of the zone have them\n"
        "and nobody remembers that there were none, signs with the new keys, waits a week, and removes the records\n"
        "and files of the old ones. Records are changed where dns_updates in the configuration says how; without it\n"
        "each step tells which record to add or remove, and goes on when it is seen. A restart goes on where it was.\n"
        "By itself, from time to time: rotate_every in the domain's dkim.",
        arguments=(Argument("domain"),),
        flags=(JSON,),
    ),
    Command(
        "config dkim rotate status",
        "domains:rotate_status",
        "Tell how far the replacement of DKIM keys has come, and what is to be done.\n\n"
        "Of a domain, or of all that had one.",
        arguments=(Argument("domain", optional=True),),
        flags=(JSON,),
    ),
    Command(
        "config dkim rotate next",
        "domains:rotate_next",
        "Do not wait for the end of the present step of a replacement of DKIM keys.\n\n"
        "For a name server that is gone, say, or a key that leaked. What others do not know yet, or still need to\n"
        "verify what was sent, fails there.",
        arguments=(Argument("domain"),),
        flags=(JSON,),
    ),
    Command(
        "config dkim rotate abort",
        "domains:rotate_abort",
        "End a replacement of DKIM keys.\n\n"
        "Before the new keys sign they go, and the old ones sign as before. Afterwards both stay, and the new ones\n"
        "sign.",
        arguments=(Argument("domain"),),
        flags=(JSON,),
    ),
    Command(
        "config dnsrecords",
        "domaindns:records",
        "Print the DNS records that a domain needs.\n\n"
        "As a zone file with explanations, to be added to what the zone has; --format list prints a record a line,\n"
        "separated by tabs. --diff asks the DNS which are there, and exits with 1 if one is missing.\n\n"
        "--apply shows what is missing or different at the name server that dns_updates in the configuration names\n"
        "for the domain (RFC 2136 with TSIG), and with --yes publishes it. Records of others stay; a policy or an\n"
        "alias that differs is replaced.",
        arguments=(Argument("domain"),),
        flags=(
            Flag("format", "bind, json or list; default bind", "FORMAT"),
            Flag("diff", "compare with what the DNS says"),
            Flag("apply", "what is to be changed at the name server"),
            Flag("yes", "change it"),
            JSON,
            SERVER,
        ),
    ),
    Command(
        "config dnscheck",
        "domaindns:check",
        "Check a domain as the world sees it: DNS records, certificates, policies.\n\n"
        "Says what is wrong and which records to publish. Exits with 1 if there are errors; --strict: warnings, too.\n"
        "Takes half a minute at most.",
        arguments=(Argument("domain"),),
        flags=(Flag("strict", "warnings are errors"), JSON, SERVER),
    ),
    Command(
        "clientconfig",
        "domaindns:client_config",
        "Print what users of a domain enter in their mail programs.",
        arguments=(Argument("domain"),),
        flags=(JSON,),
    ),
    Command(
        "config alias list",
        "domains:list_aliases",
        "List the aliases of a domain.",
        arguments=(Argument("domain"),),
        flags=(JSON,),
    ),
    Command(
        "config alias print",
        "domains:print_alias",
        "Print settings and members of an alias.",
        arguments=(Argument("alias@domain"),),
        flags=(JSON,),
    ),
    Command(
        "config alias add",
        "domains:add_alias",
        "Add an alias: an address whose mail goes to several addresses of local accounts.\n\n"
        "Anyone may write to it unless --postpublic false is given.",
        arguments=(Argument("alias@domain"), Argument("address", many=True)),
        flags=_ALIAS_FLAGS,
    ),
    Command(
        "config alias update",
        "domains:update_alias",
        "Change settings of an alias.\n\nThose not given stay as they are.",
        arguments=(Argument("alias@domain"),),
        flags=_ALIAS_FLAGS,
    ),
    Command(
        "config alias rm",
        "domains:remove_alias",
        "Remove an alias.",
        arguments=(Argument("alias@domain"),),
    ),
    Command(
        "config alias addaddr",
        "domains:add_members",
        "Add members to an alias.",
        arguments=(Argument("alias@domain"), Argument("address", many=True)),
    ),
    Command(
        "config alias rmaddr",
        "domains:remove_members",
        "Remove members from an alias.\n\nIf one of them is no member, nothing is changed.",
        arguments=(Argument("alias@domain"), Argument("address", many=True)),
    ),
    Command(
        "config alias addforward",
        "domains:add_forwards",
        "Forward mail for an alias to addresses of other servers, too.\n\n"
        "What a member accepts and does not take for junk goes on; the first such member hears of failures.",
        arguments=(Argument("alias@domain"), Argument("outside", many=True)),
    ),
    Command(
        "config alias rmforward",
        "domains:remove_forwards",
        "Forward mail for an alias to some addresses no more.\n\nIf it does not forward to one, nothing is changed.",
        arguments=(Argument("alias@domain"), Argument("outside", many=True)),
    ),
)
