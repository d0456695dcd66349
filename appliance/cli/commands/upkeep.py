"""What is kept: checking, mending, training."""

from typing import Final

from appliance.cli.commands.declare import JSON, Argument, Command, Flag

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

#: Behind what a command does.
_WITHOUT: Final = (
    "\nDone by the running server beside its work; without one the command holds the data directory and does it itself."
)
_AND_WITHOUT: Final = "\n" + _WITHOUT

COMMANDS: Final = (
    Command(
        "reindex",
        "upkeep:reindex",
        "Make the index that searches use anew.\n\n"
        "Of one account, or of all. The server keeps the index by itself; this mends one that verifydata finds\n"
        "damaged. Searches go on meanwhile, by reading the messages." + _WITHOUT,
        arguments=(Argument("account", optional=True),),
        flags=(JSON,),
    ),
    Command(
        "retrain",
        "upkeep:retrain",
        "Train the junk filter anew.\n\n"
        "Of one account, or of all that have one, from all messages flagged as junk or as not junk. The server does\n"
        "so by itself when the filter is new or looks at other words than before. The old filter serves meanwhile."
        + _WITHOUT,
        arguments=(Argument("account", optional=True),),
        flags=(JSON,),
    ),
    Command(
        "reparse",
        "upkeep:reparse",
        "Read the structure of messages anew.\n\n"
        "Of one account, or of all: what is kept ready to be shown and searched is made from the messages themselves.\n"
        "After an update that reads messages better, or where verifydata finds something." + _WITHOUT,
        arguments=(Argument("account", optional=True),),
        flags=(JSON,),
    ),
    Command(
        "ensureparsed",
        "upkeep:ensure_parsed",
        "Read the structure of messages that lack it.\n\n--all: of every message, as reparse does." + _WITHOUT,
        arguments=(Argument("account"),),
        flags=(Flag("all", "every message"), JSON),
    ),
    Command(
        "fixmsgsize",
        "upkeep:fix_sizes",
        "Correct sizes of messages that are not those of their octets.\n\n"
        "Of one account, or of all. Clients that know such a message should forget it: moxpy bumpuidvalidity."
        + _WITHOUT,
        arguments=(Argument("account", optional=True),),
        flags=(JSON,),
    ),
    Command(
        "recalculatemailboxcounts",
        "upkeep:recount",
        "Count the messages of all mailboxes of an account anew, and say what was wrong." + _AND_WITHOUT,
        arguments=(Argument("account"),),
        flags=(JSON,),
    ),
    Command(
        "reassignthreads",
        "upkeep:reassign_threads",
        "Put messages into threads anew.\n\n"
        "Of one account, or of all. An answer that came before what it answers finds it. Threads whose parents are\n"
        "gone stay together." + _WITHOUT,
        arguments=(Argument("account", optional=True),),
        flags=(JSON,),
    ),
    Command(
        "bumpuidvalidity",
        "upkeep:bump_uid_validity",
        "Have clients forget what they know of a mailbox, or of all of an account.\n\n"
        "IMAP clients read it anew when its UIDVALIDITY is another. Connections that have it open end." + _WITHOUT,
        arguments=(Argument("account"), Argument("mailbox", optional=True)),
        flags=(JSON,),
    ),
    Command(
        "reassignuids",
        "upkeep:reassign_uids",
        "Give the messages of a mailbox, or of all of an account, UIDs from 1 on.\n\n"
        "In their order, with a new UIDVALIDITY. Connections that have it open end. The mailbox is named by its number."
        + _WITHOUT,
        arguments=(Argument("account"), Argument("mailboxid", optional=True)),
        flags=(JSON,),
    ),
    Command(
        "fixuidmeta",
        "upkeep:fix_next_uids",
        "Raise UIDNEXT and the next UIDVALIDITY where they would give one a second time." + _AND_WITHOUT,
        arguments=(Argument("account"),),
        flags=(JSON,),
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
        "Reads the store in a data folder, whether a server runs on it or not, and changes nothing in it. Files that\n"
        "lie in it and are not its own are problems, too; --fix moves them to the folder moved.",
        arguments=(Argument("datadir"),),
        flags=(
            Flag("fix", "move files away that do not belong into the store"),
            Flag("skip-size-check", "do not count the octets of all messages: much quicker"),
            JSON,
        ),
    ),
    Command(
        "openaccounts",
        "data:open_accounts",
        "Open the store of a data folder, and say what is in it.\n\n"
        "One of an older version is upgraded by that, as by a start of the server, which must not run meanwhile.",
        arguments=(Argument("datadir"), Argument("account", optional=True, many=True)),
        flags=(JSON,),
        unlisted=True,
    ),
    Command(
        "readmessages",
        "data:read_messages",
        "Read and take apart every message of a data folder, and say how fast that is.\n\n"
        "Of all accounts, or of some. No server may run on it meanwhile.",
        arguments=(Argument("datadir"), Argument("account", optional=True, many=True)),
        flags=(JSON,),
        unlisted=True,
    ),
    Command(
        "deliver",
        "accounts:deliver",
        "Deliver the message on standard input to an address, without any checks.\n\n"
        "For tests: it arrives like mail from this machine. Aliases and catch-alls are followed, line ends may be of\n"
        "any kind.",
        arguments=(Argument("address"),),
    ),
)
