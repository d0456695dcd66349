"""The server's life: making an installation, running, stopping, passwords."""

from typing import Final

from appliance.cli.commands.declare import JSON, SERVER, Argument, Command, Flag

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
            Flag("keep", "so many messages stay in the Inbox, the latest; default 10000, 0: all", "COUNT"),
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
            SERVER,
        ),
    ),
    Command(
        "doctor",
        "doctor:run",
        "Examine this installation: configuration, files, disk, ports, certificates, queue, DNS and each domain.\n\n"
        "Says what is wrong and what to do about it. Exits with 1 if something is, for monitors; --strict: also if\n"
        "something is doubtful. Run it as root, or as the server's user.",
        flags=(
            Flag("strict", "what is doubtful is wrong"),
            Flag("offline", "ask nobody outside"),
            Flag("dialhost", "the domain whose mail host is tried; default gmail.com", "DOMAIN"),
            JSON,
            SERVER,
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
)
