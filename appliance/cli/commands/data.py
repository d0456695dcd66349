"""Data that leave and come back: backups, exports, imports."""

from typing import Final

from appliance.cli.commands.declare import JSON, Argument, Command, Flag

_EXPORT: Final = (Argument("destdir"), Argument("account"), Argument("mailbox", optional=True))
_SINGLE: Final = Flag("single", "without the mailboxes below")
_IMPORT_FLAGS: Final = (
    Flag(
        "duplicates",
        "which messages of a mailbox are not added again: content (the same octets; default), messageid; or keep",
        "WHICH",
    ),
    JSON,
)

COMMANDS: Final = (
    Command(
        "backup",
        "backup:backup",
        "Make a backup of the running server.\n\n"
        "One snapshot of all mail, accounts and the queue, with configuration and keys, in a new folder that the\n"
        "server's user can write to; mail comes and goes meanwhile. The folder has its name once all of it is on\n"
        "the disk. With --keep it is a folder of backups: one is added, and of older ones the newest stay. Each\n"
        "holds the whole store as one file whose pages keep their places, so that programs that send backups\n"
        "elsewhere by what changed in them have little to send; --compact makes it smaller, and new all over.\n"
        "A program of yours is run when it is made: backup_command in the configuration.\n"
        "Restore it with: moxpy restore. Exit code 1 when something is missing, or the program failed.",
        arguments=(Argument("destdir"),),
        flags=(
            Flag("verbose", "print what is copied"),
            Flag("compact", "leave out unused pages of the store"),
            Flag("keep", "make the backup in the folder, and keep so many", "COUNT"),
            JSON,
        ),
    ),
    Command(
        "restore",
        "backup:restore",
        "Check a backup and put it in place.\n\n"
        "Data go to the data folder of the configuration, the configuration to its own folder unless there is one\n"
        "(--config says where). Nothing is overwritten: move away what is there. All invariants of the store are\n"
        "checked first; with --rehearse that is all, and nothing is written anywhere.",
        arguments=(Argument("backup"),),
        flags=(Flag("rehearse", "only check the backup"),),
    ),
    Command(
        "export maildir",
        "exchange:export_maildir",
        "Write mailboxes as Maildirs.\n\n"
        "All of an account, or one with those below it, into a folder that is new or empty. Flags are kept, and up\n"
        "to 26 keywords of each mailbox. Works with the running server, and without one.",
        arguments=_EXPORT,
        flags=(_SINGLE,),
    ),
    Command(
        "export mbox",
        "exchange:export_mbox",
        "Write mailboxes as mbox files.\n\n"
        "All of an account, or one with those below it, into a folder that is new or empty: a file for each, in the\n"
        "variant mboxrd, with flags and keywords in Status, X-Status and X-Keywords. Works with the running server,\n"
        "and without one.",
        arguments=_EXPORT,
        flags=(_SINGLE,),
    ),
    Command(
        "import maildir",
        "exchange:import_maildir",
        "Add the messages of a Maildir to a mailbox.\n\n"
        "Folders below it become mailboxes below, or beside the Inbox. The server's user must be able to read them;\n"
        "they stay as they are. Flags, keywords and times of arrival are kept. If it fails or is interrupted, all\n"
        "that was added is taken back. If the server stopped meanwhile, run it again: what is there is passed over.",
        arguments=(Argument("account"), Argument("mailbox"), Argument("maildir")),
        flags=(_SINGLE, *_IMPORT_FLAGS),
    ),
    Command(
        "import mbox",
        "exchange:import_mbox",
        "Add the messages of an mbox file to a mailbox.\n\n"
        "As import maildir. Flags are those of the fields Status, X-Status and X-Keywords.",
        arguments=(Argument("account"), Argument("mailbox"), Argument("mbox")),
        flags=_IMPORT_FLAGS,
    ),
    Command(
        "import imap",
        "importimap:import_imap",
        "Add the messages of an account on another IMAP server.\n\n"
        "All of its mailboxes, or one, with flags, keywords and times of arrival. The password is asked for, or one\n"
        "line of standard input; the connection has TLS, and the certificate is verified. Nothing is changed there.\n"
        "Messages whose Message-ID and size a mailbox has are not fetched again, so if it is interrupted, run it\n"
        "again; run it a last time after the MX records have changed.",
        arguments=(Argument("account"), Argument("host"), Argument("user")),
        flags=(
            Flag("port", "default: 993, with --starttls 143", "PORT"),
            Flag("starttls", "begin TLS with STARTTLS"),
            Flag("ca", "believe the authorities in this file (PEM), not those of the system", "FILE"),
            Flag("mailbox", "only this one, as it is called there, with / between its levels", "NAME"),
            Flag("below", "put all mailboxes below this one", "NAME"),
            JSON,
        ),
    ),
    Command(
        "ximport maildir",
        "exchange:ximport_maildir",
        "Add the messages of a Maildir to a mailbox, without a server.\n\n"
        "As import maildir, by this command itself: files need only be readable for whoever calls it.",
        arguments=(Argument("account"), Argument("mailbox"), Argument("maildir")),
        flags=(_SINGLE, *_IMPORT_FLAGS),
        unlisted=True,
    ),
    Command(
        "ximport mbox",
        "exchange:ximport_mbox",
        "Add the messages of an mbox file to a mailbox, without a server.\n\n"
        "As import mbox, by this command itself: the file need only be readable for whoever calls it.",
        arguments=(Argument("account"), Argument("mailbox"), Argument("mbox")),
        flags=_IMPORT_FLAGS,
        unlisted=True,
    ),
    Command(
        "gentestdata",
        "data:gentestdata",
        "Make a small data folder with some of everything.\n\n"
        "For tests of upgrades: one of each version's is kept, and later versions must be able to open it.",
        arguments=(Argument("dir"),),
        unlisted=True,
    ),
)
