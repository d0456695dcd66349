"""Accounts: addresses, sharing, passwords, keys."""

from typing import Final

from appliance.cli.commands.declare import JSON, Argument, Command, Flag

COMMANDS: Final = (
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
        "For who has lost the device that makes codes, the passkeys and the recovery codes. Without an account it is\n"
        "that of the admin pages. Passwords stay as they are.",
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
        "refused list",
        "refusals:show_list",
        "Show incoming mail that was refused, and why.\n\n"
        "Newest first: when it last came, how often, the reason, who brought it, sender, recipient, account, and what\n"
        "the sender was told; below it what the reasons mean and what helps. Attempts at one message are one line.\n"
        "Kept for 14 days; of networks that are refused often only a count. The account - stands for mail for nobody\n"
        "in particular. All filters that are given must match.",
        flags=(
            Flag("account", "mail for this account", "NAME"),
            Flag("address", "a part of the sender, the recipient or the address in From", "ADDRESS"),
            Flag("ip", "who brought it: an address or a network", "IP"),
            Flag("reason", "this reason only", "WORD"),
            Flag("id", "the id in parentheses behind the reply that the sender got", "ID"),
            Flag("within", "of the last hours only: 24h", "DURATION"),
            Flag("most", "how many lines; default 50", "N"),
            JSON,
        ),
    ),
    Command(
        "admin loginattempts",
        "credentials:logins",
        "Show who logged in or tried to: the same as config account logins.",
        arguments=(Argument("account", optional=True),),
        flags=(Flag("most", "how many lines; default 100", "N"), JSON),
    ),
    Command(
        "admin imapserve",
        "imapserve:imapserve",
        "Speak IMAP over standard input and output, logged in as an address.\n\n"
        "For tunnels and migration tools: ssh host moxpy admin imapserve address",
        arguments=(Argument("address"),),
        flags=(Flag("fd0", "write to file descriptor 0, too, for a socket that is standard input"),),
    ),
)
