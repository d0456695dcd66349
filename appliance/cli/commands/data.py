"""Data that leave and come back: backups, exports, imports."""

from typing import Final

from appliance.cli.commands.declare import JSON, Argument, Command, Flag

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
        "Restore it with: moxpy restore. Exit code 1 when something is missing.",
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
)
