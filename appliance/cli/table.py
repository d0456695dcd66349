"""Every command, declared once: parsing, usage, help and completion are made from this table.

A handler is named as text and imported only when its command runs, so that a small command stays quick.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag: `--name`, or `--name VALUE` when it takes one."""

    name: str
    help: str
    #: What the value is called in the usage; None for a switch.
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument."""

    name: str
    optional: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One command. The first line of `help` stands in lists."""

    words: str
    #: `module:function` below appliance.cli; called with an Invocation, returns the exit code.
    handler: str
    help: str
    arguments: Sequence[Argument] = field(default=())
    flags: Sequence[Flag] = field(default=())
    #: Left out of lists until one of its words is typed.
    unlisted: bool = False
    #: The handler reads the arguments itself, by another program's rules; global flags mean nothing to it.
    verbatim: bool = False

    @property
    def usage(self) -> str:
        """`moxpy words [--flags] arguments`."""
        parts = ["moxpy", self.words]
        parts += [f"[{self.spell(flag)}]" for flag in self.flags]
        for argument in self.arguments:
            name = argument.name + (" ..." if argument.many else "")
            parts.append(f"[{name}]" if argument.optional else name)
        return " ".join(parts)

    def spell(self, flag: Flag) -> str:
        """`--name VALUE`; a letter of another program's has one dash."""
        return f"{'-' if self.verbatim else '--'}{flag.name}{' ' + flag.value if flag.value else ''}"


JSON: Final = Flag("json", "print one JSON document")

_SERVER: Final = Flag("server", "ask this server instead of those in /etc/resolv.conf", "ADDRESS[:PORT]")

#: Flags that stand before or after any command.
GLOBAL_FLAGS: Final = (
    Flag("config", "the static configuration file; default $MOXPYCONF, then config/moxpy.toml", "PATH"),
    Flag("loglevel", "error, warn, info, debug, trace, traceauth or tracedata", "LEVEL"),
    Flag("logjson", "log JSON lines instead of logfmt"),
    Flag("logtime", "log the time of each line"),
)

_ALIAS_FLAGS: Final = (
    Flag("postpublic", "anyone may write to it, not its members alone", "true|false"),
    Flag("listmembers", "members see each other in their account pages", "true|false"),
    Flag("allowmsgfrom", "members may send with the alias as From", "true|false"),
)

_CHECK: Final = Flag("check", "exit with 3 unless it passes")

_JUNK: Final = (
    Flag("one-grams", "look at single words"),
    Flag("two-grams", "look at pairs of words; this is the default, --two-grams=false leaves them out"),
    Flag("three-grams", "look at three words in a row"),
    Flag("max-power", "how far a single word may go towards certainty; default 0.05", "NUMBER"),
    Flag("ignore-words", "ignore words this near to 0.5; default 0.1", "NUMBER"),
    Flag("top-words", "how many of the most telling words count, of each side; default 10", "NUMBER"),
    Flag("rare-words", "words seen at most this often count less; default 1", "NUMBER"),
    Flag("spam-threshold", "probability above which a message is spam; default 0.95", "NUMBER"),
    Flag("train-ratio", "share of the messages that analyze learns from; default 0.5", "NUMBER"),
    Flag("sent-dir", "more ham: messages that were sent", "DIR"),
    Flag("seed", "choose other messages to learn from each time"),
    Flag("dbpath", "the file of the filter; default: filter.db", "PATH"),
    Flag("debug", "check also prints the words that counted"),
)
_HAM_SPAM: Final = (Argument("hamdir"), Argument("spamdir"))

_ANY_FILTER: Final = (
    Flag("ids", "messages with these ids", "1,2"),
    Flag("n", "at most so many", "MAX"),
    Flag("account", "messages that this account sent", "NAME"),
    Flag("from", "a part of the sender address; @ and a domain for that domain alone", "ADDRESS"),
    Flag("to", "a part of the recipient address; @ and a domain for that domain alone", "ADDRESS"),
    Flag("submitted", 'when they were queued: "<now", "<-24h" for longer ago than a day, ">-1h" for later', "BOUND"),
    Flag("transport", 'messages given this transport; "" for those given none', "NAME"),
)
#: Which messages of the queue are meant.
QUEUE_FILTER: Final = (
    *_ANY_FILTER,
    Flag("nextattempt", 'when the next attempt comes: "<now" for due, ">1h" for later than in an hour', "BOUND"),
    Flag("hold", "messages that are on hold, or not", "true|false"),
)
_ANY_HOOK: Final = (
    Flag("ids", "webhooks with these ids", "1,2"),
    Flag("n", "at most so many", "MAX"),
    Flag("account", "webhooks of this account", "NAME"),
    Flag("submitted", 'when they were queued: "<now", "<-24h" for longer ago than a day, ">-1h" for later', "BOUND"),
    Flag(
        "event",
        "incoming, delivered, suppressed, delayed, failed, relayed, expanded, canceled or unrecognized",
        "EVENT",
    ),
)
#: Which webhooks are meant.
HOOK_FILTER: Final = (
    *_ANY_HOOK,
    Flag("nextattempt", 'when the next attempt comes: "<now" for due, ">1h" for later than in an hour', "BOUND"),
)
_ASCENDING: Final = Flag("asc", "oldest first")
_ALL: Final = Flag("all", "all messages, when there is no filter")

COMMANDS: Final = (
    Command(
        "serve",
        "serving:serve",
        "Run the mail server.\n\nReads the configuration, binds the ports of all listeners and serves until stopped.",
    ),
    Command(
        "localserve",
        "serving:localserve",
        "Run a complete mail server for tests on this machine alone.\n\n"
        "Needs no network, no root and no configuration: ports are the usual ones plus 1000, any recipient is\n"
        "accepted, and special addresses fail on purpose. The first start makes a folder with configuration, keys\n"
        "and an account; later starts find everything as it was.",
        flags=(
            Flag("dir", "folder of configuration and data; default: ~/.config/moxpy-localserve", "DIR"),
            Flag("ip", "listen on this address instead of 127.0.0.1 and ::1; only for a new folder", "IP"),
            Flag("initonly", "make the folder and exit"),
        ),
    ),
    Command(
        "quickstart",
        "quickstart:run",
        "Make an installation for a domain, in the current folder.\n\n"
        "Looks at the machine and the DNS, says what is wrong and what to do about it, writes configuration, keys, an\n"
        "account with a password and a service file, and prints the DNS records to add. Nothing is ever overwritten:\n"
        "where there is an installation, none is made. The user is whom the server runs as; default moxpy.",
        arguments=(Argument("user@domain"), Argument("user", optional=True)),
        flags=(
            Flag("hostname", "the name of this machine in the DNS; default: what the system says", "NAME"),
            Flag("ip", "its addresses, instead of those found", "IP,IP"),
            Flag("existing-webserver", "another web server has ports 80 and 443, and forwards to us"),
            Flag("ed25519", "sign with a second key, of a kind that some receivers do not know yet"),
            Flag("skipdial", "do not try port 25 of others, nor ask a registry"),
            Flag("dialhost", "the domain whose mail host is tried; default gmail.com", "DOMAIN"),
            Flag("offline", "ask nothing at all; needs --hostname"),
            Flag("dry-run", "write nothing; exits with 1 if something does not work"),
            Flag("dir", "the folder; default: the current one", "DIR"),
            JSON,
            _SERVER,
        ),
    ),
    Command("stop", "running:stop", "Stop the running server.\n\nWaits until it has ended."),
    Command(
        "loglevels",
        "running:loglevels",
        "Show or change the log levels of the running server.\n\n"
        "Without arguments: the levels. With a level: the default level. With a level and a package: the level of\n"
        'that package; an empty level ("") takes it back. Changes are forgotten when the server stops.',
        arguments=(Argument("level", optional=True), Argument("package", optional=True)),
        flags=(JSON,),
    ),
    Command(
        "setadminpassword",
        "running:setadminpassword",
        "Set the password of the admin pages.\n\n"
        "Writes its hash to the file that admin_password_file names. The password is read from the terminal, or as\n"
        "one line from standard input. It counts at once, also for a running server, and all admin logins end.",
    ),
    Command(
        "setaccountpassword",
        "running:setaccountpassword",
        "Set the password of an account.\n\n"
        "Takes the name of an account, not an address. The password is read from the terminal, or as one line from\n"
        "standard input. Bots guess passwords all day: take a long, random one. All web logins of the account end.",
        arguments=(Argument("account"),),
    ),
    Command(
        "reindex",
        "upkeep:reindex",
        "Make the index that searches use anew.\n\n"
        "Of one account, or of all. The server keeps the index by itself; this mends one that verifydata finds\n"
        "damaged. Searches go on meanwhile, by reading the messages.",
        arguments=(Argument("account", optional=True),),
    ),
    Command(
        "retrain",
        "upkeep:retrain",
        "Train the junk filter anew.\n\n"
        "Of one account, or of all that have one, from all messages flagged as junk or as not junk. The server does\n"
        "so by itself when the filter is new or looks at other words than before. The old filter serves meanwhile.",
        arguments=(Argument("account", optional=True),),
    ),
    Command(
        "junk train",
        "junk:train",
        "Train a junk filter in a file with mail from folders.\n\n"
        "Folders have a message in each file, or are Maildirs; mbox files will do, too. No server needs to run, and\n"
        "no account's filter changes: this is for trying out settings.",
        arguments=_HAM_SPAM,
        flags=_JUNK,
        unlisted=True,
    ),
    Command(
        "junk check",
        "junk:check",
        "Judge a message by a junk filter in a file.",
        arguments=(Argument("mailfile"),),
        flags=_JUNK,
        unlisted=True,
    ),
    Command(
        "junk test",
        "junk:test",
        "Judge mail from folders by a junk filter in a file, and tell how often it was right.",
        arguments=_HAM_SPAM,
        flags=_JUNK,
        unlisted=True,
    ),
    Command(
        "junk analyze",
        "junk:analyze",
        "Train a new junk filter with some of the mail from folders, and judge the rest.",
        arguments=_HAM_SPAM,
        flags=_JUNK,
        unlisted=True,
    ),
    Command(
        "junk play",
        "junk:play",
        "Judge each message from folders in the order of their dates, and train a junk filter with it.",
        arguments=_HAM_SPAM,
        flags=_JUNK,
        unlisted=True,
    ),
    Command(
        "verifydata",
        "data:verifydata",
        "Check every invariant of the stored data.\n\n"
        "Reads the store in a data folder, whether a server runs on it or not, and changes nothing.",
        arguments=(Argument("datadir"),),
        flags=(JSON,),
    ),
    Command(
        "config test",
        "configuration:test",
        "Check the configuration files.\n\nPrints all errors with file, line and hint; changes nothing.",
        flags=(JSON,),
    ),
    Command(
        "config ensureacmehostprivatekeys",
        "certificates:ensure_host_keys",
        "Write private keys of hosts, for certificates that keep their key.\n\n"
        "For each listener with ACME that lacks an RSA-2048 or a P-256 key among host_private_key_files: that of the\n"
        "certificate it has, or a new one, in hostkeys/ beside the configuration. Prints the lines to add. TLSA\n"
        "records (DANE) that name these keys stay right when certificates are renewed.",
    ),
    Command(
        "config describe-static",
        "configuration:describe_static",
        "Print a commented template of the static configuration file, moxpy.toml.",
    ),
    Command(
        "config describe-domains",
        "configuration:describe_domains",
        "Print a commented template of the dynamic configuration file, domains.toml.",
    ),
    Command(
        "config describe-sendmail",
        "configuration:describe_sendmail",
        "Print a commented template of the file that sendmail reads, /etc/moxpysubmit.toml.",
    ),
    Command(
        "queue list",
        "queue:show_list",
        "List messages that wait to be delivered.\n\n"
        "Id, when it was queued, sender, recipient, next and last attempt, the last error. Newest first, by the time\n"
        "of the next attempt. All filters that are given must match.",
        flags=(*QUEUE_FILTER, Flag("sort", "nextattempt or queued", "ORDER"), _ASCENDING, JSON),
    ),
    Command(
        "queue hold",
        "queue:hold",
        "Put messages on hold.\n\nThey are not attempted until they are let go. Without a filter: all of them.",
        flags=QUEUE_FILTER,
    ),
    Command(
        "queue unhold",
        "queue:unhold",
        "Let messages go that are on hold.\n\nThey are attempted when their time comes, or at once if it has come.",
        flags=QUEUE_FILTER,
    ),
    Command(
        "queue schedule",
        "queue:schedule",
        "Move the next attempt of messages.\n\n"
        "By a duration such as 1h30m; a negative one makes it come earlier: put -- before it. With --now the attempt\n"
        "comes that long from now: `moxpy queue schedule --now 0s` sends everything at once that is not on hold.",
        arguments=(Argument("duration"),),
        flags=(*QUEUE_FILTER, Flag("now", "from now on, and not from when it is to come")),
    ),
    Command(
        "queue transport",
        "queue:transport",
        "Send messages by a transport of moxpy.toml, whatever the routes say.\n\n"
        'With an empty name ("") the routes decide again. --transport tells which messages, the argument what they\n'
        "get.",
        arguments=(Argument("name"),),
        flags=QUEUE_FILTER,
    ),
    Command(
        "queue requiretls",
        "queue:requiretls",
        "Say what TLS messages demand.\n\n"
        "yes: only verified TLS, all the way, as if submitted with REQUIRETLS. no: without TLS if need be, as if\n"
        "there were a field TLS-Required: No, which is not added. default: neither.",
        arguments=(Argument("yes|no|default"),),
        flags=QUEUE_FILTER,
    ),
    Command(
        "queue fail",
        "queue:fail",
        "Give messages up as after a permanent failure.\n\n"
        "Their senders get a notice that the administrator canceled the delivery. Needs a filter, or --all.",
        flags=(*QUEUE_FILTER, _ALL),
    ),
    Command(
        "queue drop",
        "queue:drop",
        "Remove messages from the queue, and tell nobody.\n\nNeeds a filter, or --all.",
        flags=(*QUEUE_FILTER, _ALL),
    ),
    Command(
        "queue dump",
        "queue:dump",
        "Print a message of the queue as it is sent.",
        arguments=(Argument("id"),),
    ),
    Command(
        "queue retired list",
        "queue:show_retired",
        "List messages that left the queue.\n\n"
        "They are remembered as long as keep_retired_message_period of their account says. Id, when it was queued,\n"
        "sender, recipient, success or failure and since when, the last attempt, the error. Newest first.",
        flags=(
            *_ANY_FILTER,
            Flag("lastactivity", "since when they are done: as --submitted", "BOUND"),
            Flag("result", "how it ended", "success|failure"),
            Flag("sort", "lastactivity or queued", "ORDER"),
            _ASCENDING,
            JSON,
        ),
    ),
    Command(
        "queue retired print",
        "queue:print_retired",
        "Print all that is remembered of a message that left the queue, as JSON.",
        arguments=(Argument("id"),),
    ),
    Command(
        "queue holdrules list",
        "queue:show_rules",
        "List the rules that put messages on hold.",
        flags=(JSON,),
    ),
    Command(
        "queue holdrules add",
        "queue:add_rule",
        "Put messages on hold that match in all that is given: those in the queue, and all to come.\n\n"
        "Without flags it holds everything.",
        flags=(
            Flag("account", "only messages that this account sends", "NAME"),
            Flag("senderdom", "only messages whose sender address is of this domain", "DOMAIN"),
            Flag("recipientdom", "only messages to addresses of this domain", "DOMAIN"),
        ),
    ),
    Command(
        "queue holdrules remove",
        "queue:remove_rule",
        "Remove a rule that puts messages on hold.\n\nWhat it held stays on hold.",
        arguments=(Argument("id"),),
    ),
    Command(
        "queue webhook list",
        "hooks:show_list",
        "List webhooks that wait to be posted.\n\n"
        "Id, when it was queued, account, event, message of the queue, URL, next and last attempt, the last error.\n"
        "Newest first, by the time of the next attempt. All filters that are given must match.",
        flags=(*HOOK_FILTER, Flag("sort", "nextattempt or queued", "ORDER"), _ASCENDING, JSON),
    ),
    Command(
        "queue webhook schedule",
        "hooks:schedule",
        "Move the next attempt of webhooks.\n\n"
        "By a duration such as 1h30m; a negative one makes it come earlier: put -- before it. With --now the attempt\n"
        "comes that long from now: `moxpy queue webhook schedule --now 0s` posts everything at once.",
        arguments=(Argument("duration"),),
        flags=(*HOOK_FILTER, Flag("now", "from now on, and not from when it is to come")),
    ),
    Command(
        "queue webhook cancel",
        "hooks:cancel",
        "Post webhooks no more.\n\nNeeds a filter, or --all.",
        flags=(*HOOK_FILTER, Flag("all", "all webhooks, when there is no filter")),
    ),
    Command(
        "queue webhook print",
        "hooks:print_waiting",
        "Print a webhook that waits, with its payload and all attempts, as JSON.",
        arguments=(Argument("id"),),
        flags=(JSON,),
    ),
    Command(
        "queue webhook replay",
        "hooks:replay",
        "Post a webhook again that is done.\n\n"
        "It goes where webhooks of its account go now, with the id of the first: who has it already can tell.",
        arguments=(Argument("id"),),
        flags=(JSON,),
    ),
    Command(
        "queue webhook retired list",
        "hooks:show_retired",
        "List webhooks that are done: posted, given up, canceled, or superseded by later news of their message.\n\n"
        "They are remembered as long as keep_retired_webhook_period of their account says. Newest first.",
        flags=(
            *_ANY_HOOK,
            Flag("lastactivity", "since when they are done: as --submitted", "BOUND"),
            Flag("result", "how it ended", "success|failure"),
            Flag("sort", "lastactivity or queued", "ORDER"),
            _ASCENDING,
            JSON,
        ),
    ),
    Command(
        "queue webhook retired print",
        "hooks:print_retired",
        "Print all that is remembered of a webhook that is done, with its payload, as JSON.",
        arguments=(Argument("id"),),
        flags=(JSON,),
    ),
    Command(
        "queue suppress list",
        "suppressing:show_list",
        "List the addresses that accounts do not send to any more.\n\n"
        "Account, address, whether a person added it, when, the base address and the reason, with tabs between them.\n"
        "An address is added by itself when a delivery failed for good and the reply says it does not exist or does\n"
        "not want mail, or after three failures in a row, as far as keep_retired_message_period remembers them.",
        flags=(Flag("account", "only that of this account", "NAME"), JSON),
    ),
    Command(
        "queue suppress add",
        "suppressing:add",
        "Let an account not send to an address any more.\n\n"
        "It counts for all variants of the address: in any case, with or without dots, or what follows + or -.",
        arguments=(Argument("account"), Argument("address")),
        flags=(Flag("reason", "why, for whoever looks at the list later", "TEXT"),),
    ),
    Command(
        "queue suppress remove",
        "suppressing:remove",
        "Let an account send to an address again.",
        arguments=(Argument("account"), Argument("address")),
    ),
    Command(
        "queue suppress lookup",
        "suppressing:look_up",
        "Tell whether an address is suppressed.",
        arguments=(Argument("address"),),
        flags=(Flag("account", "only in the list of this account", "NAME"), JSON),
    ),
    Command(
        "deliver",
        "accounts:deliver",
        "Deliver the message on standard input to an address, without any checks.\n\n"
        "For tests: it arrives like mail from this machine. Aliases and catch-alls are followed, line ends may be of\n"
        "any kind.",
        arguments=(Argument("address"),),
    ),
    Command(
        "config account list",
        "accounts:list_accounts",
        "List all accounts.\n\nThose that may not log in are marked.",
        flags=(JSON,),
    ),
    Command(
        "config account addresses",
        "accounts:list_addresses",
        "List the addresses of an account.\n\n@domain is a catch-all: all addresses of a domain that lead nowhere.",
        arguments=(Argument("account"),),
        flags=(JSON,),
    ),
    Command(
        "config account add",
        "accounts:add",
        "Add an account with one address.\n\n"
        "It takes mail at once, with a junk filter and a mailbox for rejected mail. To log in it needs a password:\n"
        "moxpy setaccountpassword.",
        arguments=(Argument("account"), Argument("address")),
    ),
    Command(
        "config account rm",
        "accounts:remove",
        "Remove an account with all its mail.\n\n"
        "Its connections end, its addresses leave all aliases, what it has in the queue goes. The mail is erased in\n"
        "the background; until that is done there can be no new account of the same name.",
        arguments=(Argument("account"),),
    ),
    Command(
        "config account disable",
        "accounts:disable",
        "Refuse logins to an account.\n\n"
        "Who tries gets the message. Open connections and web sessions end; mail is still delivered and sent.",
        arguments=(Argument("account"), Argument("message")),
    ),
    Command(
        "config account enable",
        "accounts:enable",
        "Allow logins to an account again.",
        arguments=(Argument("account"),),
    ),
    Command(
        "config account quota",
        "accounts:quota",
        "Show or set how much mail an account may hold.\n\n"
        "A size is a number of bytes or has a suffix: 500M, 2G. `none` is no limit, `default` the limit of the static\n"
        "file. What is set counts at once. Mail beyond it is refused; nothing is removed.",
        arguments=(Argument("account"), Argument("size", optional=True)),
        flags=(JSON,),
    ),
    Command(
        "config account logins",
        "credentials:logins",
        "Show who logged in or tried to.\n\n"
        "Of one account or all, newest first. Attempts that differ only in their moment are one line with a count.\n"
        "The account - stands for addresses that nobody has. Kept for 30 days.",
        arguments=(Argument("account", optional=True),),
        flags=(Flag("most", "how many lines; default 100", "N"), JSON),
    ),
    Command(
        "config address add",
        "accounts:add_address",
        "Add an address to an account.\n\n@domain is a catch-all: all addresses of a domain that lead nowhere.",
        arguments=(Argument("address"), Argument("account")),
    ),
    Command(
        "config address rm",
        "accounts:remove_address",
        "Remove an address, or a catch-all @domain, from its account.\n\n"
        "It leaves all aliases too. The last member of an alias cannot be removed, nor an address that a TLS public\n"
        "key logs in with.",
        arguments=(Argument("address"),),
    ),
    Command(
        "config address account",
        "accounts:account_of",
        "Print the account that mail for an address goes to.\n\nSeparators and catch-alls are considered.",
        arguments=(Argument("address"),),
        flags=(JSON,),
    ),
    Command(
        "config address forward print",
        "accounts:print_forwards",
        "Print where mail for an address of an account, or a catch-all @domain, is forwarded to.",
        arguments=(Argument("address"),),
        flags=(JSON,),
    ),
    Command(
        "config address forward add",
        "accounts:add_forwards",
        "Forward mail for an address of an account to addresses of other servers.\n\n"
        "What is accepted and not junk goes on, with a sender address of ours that passes SPF, and sealed by ARC if\n"
        "the domain signs; a copy is kept here too. Notices of failure beyond go back to the sender; what the next\n"
        "server refuses is told to the account. An account forwards up to 5000 messages in 24 hours.",
        arguments=(Argument("address"), Argument("outside", many=True)),
    ),
    Command(
        "config address forward rm",
        "accounts:remove_forwards",
        "Forward mail for an address to some addresses no more.\n\n"
        "If it does not forward to one of them, nothing is changed. With the last one copies are kept again.",
        arguments=(Argument("address"), Argument("outside", many=True)),
    ),
    Command(
        "config address forward only",
        "accounts:forward_only",
        "Say whether an address keeps no copy of what it forwards.\n\n"
        "What is not forwarded, for instance junk, is kept all the same, and what cannot be delivered comes back.",
        arguments=(Argument("address"), Argument("true|false")),
    ),
    Command(
        "config acl list",
        "sharing:show_list",
        "List who may do what with a mailbox of an account.\n\n"
        "Its owner comes first. Letters are the rights of RFC 4314: l see it, r read, s mark as read, w other flags,\n"
        "i add messages, p post, k make mailboxes below, x remove it, t and e remove messages, a grant rights.",
        arguments=(Argument("account"), Argument("mailbox")),
        flags=(JSON,),
    ),
    Command(
        "config acl set",
        "sharing:put",
        "Let another account use a mailbox, which it finds below Other Users.\n\n"
        "The grantee is an account, an address it logs in with, or anyone. The rights replace those it had; with + or\n"
        "- in front they are added or taken away. To read: lr; to read and mark as read: lrs; all: lrswipkxtea.\n"
        "Put -- before rights that begin with a dash. Mailboxes made below it later begin with the same rights.",
        arguments=(Argument("account"), Argument("mailbox"), Argument("grantee"), Argument("rights")),
    ),
    Command(
        "config acl rm",
        "sharing:remove",
        "Take all rights on a mailbox back from a grantee.\n\n"
        "Connections that have the mailbox open end. What was granted to anyone stays.",
        arguments=(Argument("account"), Argument("mailbox"), Argument("grantee")),
    ),
    Command(
        "config acl seen",
        "sharing:seen",
        "Say whether readers of a mailbox share what is marked as read, or each has marks of his own.\n\n"
        "own or shared; without either, what it is. The owner keeps his marks. All others begin with everything\n"
        "unread, and need the right s to mark; what they marked is kept when marks are shared again. Connections that\n"
        "have the mailbox open end, but for the owner's. Mailboxes made below it later begin the same way.",
        arguments=(Argument("account"), Argument("mailbox"), Argument("own|shared", optional=True)),
    ),
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
        "config printservice",
        "quickstart:print_service",
        "Print a service file for systemd, for an installation in the current folder.",
    ),
    Command(
        "config dnsrecords",
        "domaindns:records",
        "Print the DNS records that a domain needs.\n\n"
        "As a zone file with explanations, to be added to what the zone has; --format list prints a record a line,\n"
        "separated by tabs. --diff asks the DNS which are there, and exits with 1 if one is missing.",
        arguments=(Argument("domain"),),
        flags=(
            Flag("format", "bind, json or list; default bind", "FORMAT"),
            Flag("diff", "compare with what the DNS says"),
            JSON,
            _SERVER,
        ),
    ),
    Command(
        "config dnscheck",
        "domaindns:check",
        "Check a domain as the world sees it: DNS records, certificates, policies.\n\n"
        "Says what is wrong and which records to publish. Exits with 1 if there are errors; --strict: warnings, too.\n"
        "Takes half a minute at most.",
        arguments=(Argument("domain"),),
        flags=(Flag("strict", "warnings are errors"), JSON, _SERVER),
    ),
    Command(
        "rdap domainage",
        "quickstart:domain_age",
        "Tell for how long a domain has been registered, by what its registry says.",
        arguments=(Argument("domain"),),
        flags=(JSON, _SERVER),
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
    Command(
        "config apppassword add",
        "credentials:add_app_password",
        "Make a password for one program or device and print it.\n\n"
        "It is shown this once. It works beside the account's password, with every mechanism, until it is removed or\n"
        "expires; the account's own password may change. The label says later which program or device has it.",
        arguments=(Argument("account"), Argument("label")),
        flags=(
            Flag(
                "protocols", "where it may be used: submission, imap, webmail, webapi; default all but webmail", "P,P"
            ),
            Flag("expires", "how long it works, for example 90d; default: until it is removed", "DURATION"),
            JSON,
        ),
    ),
    Command(
        "config apppassword list",
        "credentials:list_app_passwords",
        "List the app passwords of an account.\n\n"
        "Id, label, protocols, when it was made, when it expires, when it was used last (to about an hour).",
        arguments=(Argument("account"),),
        flags=(JSON,),
    ),
    Command(
        "config apppassword rm",
        "credentials:remove_app_password",
        "Take an app password back.\n\nIts program or device cannot log in any more; its open connections end.",
        arguments=(Argument("account"), Argument("id")),
    ),
    Command(
        "config secondfactor rm",
        "credentials:remove_second_factor",
        "Remove the second factor of an account, or of the administrator.\n\n"
        "For who has lost the device that makes codes, and the recovery codes. Without an account it is the one of\n"
        "the admin pages. Passwords stay as they are.",
        arguments=(Argument("account", optional=True),),
    ),
    Command(
        "config tlspubkey list",
        "tlskeys:show_list",
        "List TLS public keys, which log clients in by their certificate.\n\n"
        "Of one account, or of all: fingerprint, type, name, account, login address, and whether IMAP does not begin\n"
        "logged in.",
        arguments=(Argument("account", optional=True),),
        flags=(JSON,),
    ),
    Command(
        "config tlspubkey get",
        "tlskeys:get",
        "Show one TLS public key with its certificate.\n\nPut -- before a fingerprint that begins with a dash.",
        arguments=(Argument("fingerprint"),),
        flags=(JSON,),
    ),
    Command(
        "config tlspubkey add",
        "tlskeys:add",
        "Let a client log in by the key of its TLS certificate, read as PEM from standard input.\n\n"
        "On submission and IMAP ports, as the account of the address. Only the public key counts, RSA of 2048 bits or\n"
        "more, ECDSA or ed25519: names, dates and issuer of the certificate mean nothing. Without a name the key is\n"
        "called by the certificate's CommonName or its serial number.",
        arguments=(Argument("address"), Argument("name", optional=True)),
        flags=(
            Flag("no-imap-preauth", "IMAP does not begin logged in; for clients that insist on AUTHENTICATE EXTERNAL"),
            JSON,
        ),
    ),
    Command(
        "config tlspubkey rm",
        "tlskeys:remove",
        "Forget a TLS public key.\n\n"
        "It opens no connection any more. Put -- before a fingerprint that begins with a dash.",
        arguments=(Argument("fingerprint"),),
    ),
    Command(
        "config tlspubkey gen",
        "tlskeys:generate",
        "Make an ed25519 key and a certificate for it.\n\n"
        "Writes the private key, the certificate, and both in one file, beside each other: names begin with the stem\n"
        "and the time. Prints the seed of the key, which sendmail takes, and the fingerprint.",
        arguments=(Argument("stem"),),
    ),
    Command(
        "tls certificates",
        "certificates:show_list",
        "Tell how the certificates of the running server stand.\n\n"
        "Those from files, and those that ACME providers of the configuration give, or should: host, kind of key,\n"
        "where it comes from, state (ok, waiting, error), when it expires, from when it is renewed, and what failed.",
        flags=(JSON,),
    ),
    Command(
        "dns lookup",
        "lookup:lookup",
        "Look a name up in the DNS, as the server does.\n\n"
        "Types: ips (the default: both kinds of addresses), a, aaaa, caa, cname, mx, ns, ptr (takes an IP address),\n"
        "srv, tlsa, txt. Tells whether DNSSEC vouches for the answer, and whether that is the word of the resolver or\n"
        "the signatures were checked here; the latter is done when the resolver does not validate. No server needs to\n"
        "run.",
        arguments=(Argument("type", optional=True), Argument("name")),
        flags=(JSON, _SERVER),
    ),
    Command(
        "spf check",
        "msgauth:spf_check",
        "Ask a domain by SPF whether an IP address may send its mail.\n\n"
        "An address as well as a domain. Prints the status, whether DNSSEC vouches for it, and the mechanism that\n"
        "matched. The verdict is the output: the exit code is 0 whatever it says, unless --check is given.",
        arguments=(Argument("domain"), Argument("ip")),
        flags=(Flag("helo", "what the client calls itself; default: the domain", "NAME"), _CHECK, JSON, _SERVER),
    ),
    Command(
        "spf lookup",
        "msgauth:spf_lookup",
        "Print the SPF record of a domain, and whether DNSSEC vouches for it.",
        arguments=(Argument("domain"),),
        flags=(JSON, _SERVER),
    ),
    Command(
        "spf parse",
        "msgauth:spf_parse",
        "Check the syntax of an SPF record.\n\nSilent when it is well-formed; asks nobody.",
        arguments=(Argument("record"),),
    ),
    Command(
        "dmarc lookup",
        "msgauth:dmarc_lookup",
        "Print the DMARC record that counts for a domain: its own, or that of its organization.",
        arguments=(Argument("domain"),),
        flags=(JSON, _SERVER),
    ),
    Command(
        "dmarc verify",
        "msgauth:dmarc_verify",
        "Check the sender of the message on standard input by SPF, DKIM and DMARC.\n\n"
        'As if it had come from an IP address with MAIL FROM and HELO as given; either may be empty (""). The verdict\n'
        "is the output: the exit code is 0 whatever it says, unless --check is given.",
        arguments=(Argument("ip"), Argument("mailfrom"), Argument("helo")),
        flags=(_CHECK, JSON, _SERVER),
    ),
    Command(
        "dmarc parsereportmsg",
        "reports:parse_dmarc",
        "Show the DMARC aggregate reports in messages.\n\n"
        "Each file is one message. A report may be a zip, gzip or XML file in it. Nothing is looked up, and nobody\n"
        "vouches for the sender. No server needs to run.",
        arguments=(Argument("file", many=True),),
        flags=(JSON,),
    ),
    Command(
        "dmarc checkreportaddrs",
        "msgauth:dmarc_checkreportaddrs",
        "Check whether the addresses that get the reports about a domain want them.\n\n"
        "Those of other organizations must say so in the DNS. Exits with 1 when one does not.",
        arguments=(Argument("domain"),),
        flags=(JSON, _SERVER),
    ),
    Command(
        "dnsbl check",
        "msgauth:dnsbl_check",
        "Look an IP address up in a DNS block list.\n\n"
        "The status is pass (not listed), fail (listed) or temperror: the list gave no answer, or one that says\n"
        "that it will not answer us. The exit code is 0 whatever it says, unless --check is given.",
        arguments=(Argument("zone"), Argument("ip")),
        flags=(_CHECK, JSON, _SERVER),
    ),
    Command(
        "dnsbl checkhealth",
        "msgauth:dnsbl_checkhealth",
        "Check whether a DNS block list is in order.\n\n"
        "It must list 127.0.0.2 and must not list 127.0.0.1; with --ipv6 the same addresses as IPv6 has them.",
        arguments=(Argument("zone"),),
        flags=(Flag("ipv6", "ask about addresses of IPv6"), JSON, _SERVER),
    ),
    Command(
        "tlsrpt parsereportmsg",
        "reports:parse_tls",
        "Print the TLS reports in messages, as JSON.\n\nEach file is one message. No server needs to run.",
        arguments=(Argument("file", many=True),),
    ),
    Command(
        "tlsrpt lookup",
        "reports:lookup_tls",
        "Look up where reports about TLS to a domain shall go.\n\n"
        "The record of a domain is at _smtp._tls below it, and asks others to send reports. No server needs to run.",
        arguments=(Argument("domain"),),
        flags=(
            JSON,
            Flag("server", "ask this server instead of those in /etc/resolv.conf", "ADDRESS[:PORT]"),
        ),
    ),
    Command(
        "mtasts lookup",
        "mtasts:lookup",
        "Look up and fetch the MTA-STS policy of a domain.\n\n"
        "Prints the DNS record, and the policy with its address. Nothing is kept. No server needs to run.",
        arguments=(Argument("domain"),),
        flags=(JSON, _SERVER),
    ),
    Command(
        "dane dial",
        "dane:dial",
        "Connect to a server by TLS, verified by its TLSA records, and speak with it.\n\n"
        "DNSSEC must vouch for addresses and records. Tells which record fits, then carries standard input to the\n"
        "server and what it says to standard output.",
        arguments=(Argument("host:port"),),
        flags=(Flag("usages", "only records of these: pkix-ta, pkix-ee, dane-ta, dane-ee", "LIST"), _SERVER),
    ),
    Command(
        "dane dialmx",
        "dane:dial_mx",
        "Connect to a mail host of a domain as for a delivery, verified by its TLSA records.\n\n"
        "DNSSEC must vouch for each step. Tells what is found and why a host will not do; of the first that does, the\n"
        "session is carried to standard input and output. With a host only that is tried.",
        arguments=(Argument("domain"), Argument("host", optional=True)),
        flags=(Flag("ehlohostname", "what to call ourselves; default: localhost", "NAME"), _SERVER),
    ),
    Command(
        "dane makerecord",
        "dane:make_record",
        "Print the TLSA record of a certificate or key.\n\n"
        "Usage: pkix-ta (0), pkix-ee (1), dane-ta (2), dane-ee (3). Selector: cert (0), spki (1). Matching type:\n"
        "full (0), sha2-256 (1), sha2-512 (2). The file is PEM: a certificate, a public or a private key.",
        arguments=(Argument("usage"), Argument("selector"), Argument("matchtype"), Argument("file")),
        flags=(JSON,),
    ),
    Command(
        "smtp dial",
        "smtpdial:dial",
        "Connect to a mail server, start TLS if it is offered, and speak with it.\n\n"
        "Tells what was agreed on and what the server offers, then carries standard input to it, lines ended by CRLF,\n"
        "and what it says to standard output. The port is 25 unless given.",
        arguments=(Argument("host[:port]"),),
        flags=(
            Flag("ehlohostname", "what to call ourselves; default: localhost", "NAME"),
            Flag("forcetls", "start TLS even if it is not offered, and say nothing without it"),
            Flag("immediatetls", "TLS before anything is said"),
            Flag("notls", "never start TLS"),
            Flag("remotehostname", "the name to ask for, and to verify; default: the host", "NAME"),
            Flag("tlsverify", "end unless certificate authorities vouch for the server"),
            Flag("tlscerts", "those of this PEM file instead of the system's", "FILE"),
            Flag("tlsversionmin", "TLSv1.0 to TLSv1.3; default TLSv1.2", "VERSION"),
            Flag("tlsversionmax", "the same", "VERSION"),
            Flag("tlsciphersuites", "only these, by the names of IANA or OpenSSL", "LIST"),
            Flag("tlscurves", "only these, as X25519 or P-256", "LIST"),
            Flag("tlsnosessiontickets", "never resume sessions; it is never done"),
            Flag("tlsrenegotiation", "not supported", "never|once|always"),
            Flag("tlsnodynamicrecordsizing", "not supported"),
            Flag("clientcert", "a certificate to show, PEM", "FILE"),
            Flag("clientkey", "its key", "FILE"),
            Flag("username", "log in as this user", "NAME"),
            Flag("passwordfile", "with the password in this file", "FILE"),
            Flag("authmechanisms", "by the first of these that is offered", "LIST"),
            _SERVER,
        ),
    ),
    Command(
        "admin imapserve",
        "imapserve:imapserve",
        "Speak IMAP over standard input and output, logged in as an address.\n\n"
        "For tunnels and migration tools: ssh host moxpy admin imapserve address",
        arguments=(Argument("address"),),
        flags=(Flag("fd0", "write to file descriptor 0, too, for a socket that is standard input"),),
    ),
    Command(
        "cid",
        "lookup:connection",
        "Tell the connection that the id in a Received field or a reply of the server belongs to.\n\n"
        "The id stands in parentheses behind refusals, and after `id` in Received. What is printed is `cid` in the\n"
        "lines of the log about that connection. Put -- before an id that begins with a dash. No server needs to run.",
        arguments=(Argument("id"),),
        flags=(JSON,),
    ),
    Command(
        "dkim gened25519",
        "dkim:generate_ed25519",
        "Make an ed25519 key for DKIM and print it.\n\n"
        "As PKCS8 PEM, for private_key_file of a selector. Sign with an RSA key too: not everybody knows ed25519 yet.",
    ),
    Command(
        "dkim genrsa",
        "dkim:generate_rsa",
        "Make an RSA key for DKIM and print it.\n\nOf 2048 bits, as PKCS8 PEM, for private_key_file of a selector.",
    ),
    Command(
        "dkim txt",
        "dkim:txt",
        "Print the DNS record of the DKIM key on standard input.\n\nAs a line for a zone file.",
    ),
    Command(
        "dkim lookup",
        "dkim:look_up",
        "Look the public key of a selector up in the DNS and check it.",
        arguments=(Argument("selector"), Argument("domain")),
        flags=(JSON, _SERVER),
    ),
    Command(
        "dkim verify",
        "dkim:verify",
        "Verify the DKIM signatures of a message in a file.\n\n"
        "Of one on standard input for -. Tells status, problem, key record and field of each signature. Lines that\n"
        "end in LF alone get the CRLF they had on their way. A key for testing counts like any other.",
        arguments=(Argument("file"),),
        flags=(JSON, _CHECK, _SERVER),
    ),
    Command(
        "dkim sign",
        "dkim:sign",
        "Sign a message in a file as the configuration of From's domain says, and print it.\n\n"
        "One on standard input for -. The keys are read from the configuration; no server needs to run.",
        arguments=(Argument("file"),),
    ),
    Command(
        "sendmail",
        "sendmail:sendmail",
        "Submit the message on standard input to a mail server, for cron and scripts.\n\n"
        "Also when moxpy is called by the name sendmail, by a link /usr/sbin/sendmail for one. No server needs to run\n"
        "here: server, login and sender are read from /etc/moxpysubmit.toml (moxpy config describe-sendmail). The\n"
        "message goes to one recipient; one without a domain, such as root, is default_destination. From becomes the\n"
        "sender of the configuration, with the name the message has; To, Date and Message-ID are added when missing,\n"
        "and line ends become CRLF. Cc and Bcc are no recipients. Other flags of sendmail are ignored.\n"
        "A message that could not be sent is kept in ~/moxpysubmit.failures, and the exit code is 1; it is 2 for\n"
        "a wrong call.\n\n"
        "Where the file holds a secret, let a group read it that those are in who may send (chgrp, chmod 640). The\n"
        "executable, being one file, does not start when it is setgid itself.",
        arguments=(Argument("recipient", optional=True),),
        flags=(
            Flag("F", "name of the sender, if the message has none", "NAME"),
            Flag("t", "the recipient is the one of the To field"),
            Flag("C", "read this file instead of /etc/moxpysubmit.toml", "PATH"),
        ),
        verbatim=True,
    ),
    Command("version", "about:version", "Print version and platform.", flags=(JSON,)),
    Command(
        "help",
        "about:help",
        "Show what commands there are, or all about one.",
        arguments=(Argument("command", optional=True, many=True),),
    ),
    Command(
        "completion",
        "about:completion",
        "Print a completion script for bash, zsh or fish.\n\n"
        "For bash: moxpy completion bash > /etc/bash_completion.d/moxpy",
        arguments=(Argument("shell"),),
    ),
)


#: What lists show.
LISTED: Final = tuple(command for command in COMMANDS if not command.unlisted)


def below(words: Sequence[str]) -> list[Command]:
    """Commands whose words begin with these."""
    count = len(words)
    return [command for command in COMMANDS if command.words.split()[:count] == list(words)]


def find(words: Sequence[str]) -> tuple[Command | None, int]:
    """The command of the longest full match, and how many words that took."""
    for count in range(len(words), 0, -1):
        for command in COMMANDS:
            if command.words.split() == list(words[:count]):
                return command, count
    return None, 0
