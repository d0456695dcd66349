"""The program itself, and sendmail."""

from typing import Final

from appliance.cli.commands.declare import JSON, SERVER, Argument, Command, Flag

COMMANDS: Final = (
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
        "Where the file holds a secret, moxpy config sendmailservice lets all users send without reading it: who may\n"
        "not read the file hands the message to that service, if it is there. The program must not be setgid: being\n"
        "one file, it unpacks itself into a folder of its caller's, and so does not start.",
        arguments=(Argument("recipient", optional=True),),
        flags=(
            Flag("F", "name of the sender, if the message has none", "NAME"),
            Flag("t", "the recipient is the one of the To field"),
            Flag("C", "read this file instead of /etc/moxpysubmit.toml", "PATH"),
        ),
        verbatim=True,
    ),
    Command(
        "sendmailserve",
        "sendmail:serve",
        "Submit one message that comes by the socket on standard input.\n\n"
        "What the service of moxpy config sendmailservice runs for each message that sendmail hands to it.",
    ),
    Command("version", "about:version", "Print version and platform.", flags=(JSON,)),
    Command(
        "licenses",
        "about:licenses",
        "Print the licence texts of this program and of what it is made with.",
    ),
    Command(
        "checkupdate",
        "updates:check",
        "Look whether there is a newer version.\n\n"
        "Asks the DNS where update_feed in the configuration says, fetches what newer versions bring, and prints that\n"
        "if all of it is signed by the key of the configuration. The server does so every day with check_updates.",
        flags=(JSON, SERVER),
    ),
    Command("updates genkey", "updates:generate_key", "Make a key to sign changes with.", unlisted=True),
    Command(
        "updates pubkey",
        "updates:public_key",
        "Print the public key of the private one on standard input, for update_feed.",
        unlisted=True,
    ),
    Command(
        "updates addsigned",
        "updates:add_signed",
        "Sign the text on standard input and put it first into a changelog, a JSON file.\n\n"
        "The text begins with the lines `Version: v1.2.3` and `Date: 2026-01-31`, and an empty one.",
        arguments=(Argument("keyfile"), Argument("changelog")),
        unlisted=True,
    ),
    Command(
        "updates verify",
        "updates:verify",
        "Check that all of a changelog is signed by a public key.",
        arguments=(Argument("publickey"), Argument("changelog")),
        unlisted=True,
    ),
    Command(
        "updates serve",
        "updates:serve",
        "Serve a changelog by HTTP. A web server with TLS belongs in front of it.",
        arguments=(Argument("changelog"),),
        flags=(Flag("address", "listen there; default 127.0.0.1:8199", "ADDRESS:PORT"),),
        unlisted=True,
    ),
    Command("helpall", "about:help_all", "Print all about every command, for documentation.", unlisted=True),
    Command(
        "help",
        "about:help",
        "Show what commands there are, or all about one.",
        arguments=(Argument("command", optional=True, many=True),),
    ),
    Command(
        "completion",
        "about:completion",
        "Print a completion script for bash, zsh or fish.",
        arguments=(Argument("shell"),),
    ),
)
