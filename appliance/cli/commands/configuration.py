"""Configuration files and certificates."""

from typing import Final

from appliance.cli.commands.declare import JSON, Argument, Command, Flag

COMMANDS: Final = (
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
        "config sendmailservice",
        "sendmailservice:show",
        "Print service files for systemd with which all users of this machine may send by moxpy sendmail.\n\n"
        "They submit with the login of /etc/moxpysubmit.toml, which only root may read. Nothing runs while nobody\n"
        "sends. With --install: write and start them, let only root read that file, and make a link\n"
        "/usr/sbin/sendmail if there is none. Needs systemd 247.",
        flags=(Flag("install", "install them instead"),),
    ),
    Command(
        "config printservice",
        "quickstart:print_service",
        "Print a service file for systemd, for an installation in the current folder.",
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
        "config example",
        "examples:of_config",
        "Print an example for the configuration: of web sites, transports or alert rules.\n\n"
        "Without a name: which there are.",
        arguments=(Argument("name", optional=True),),
    ),
    Command(
        "example",
        "examples:other",
        "Print an example of what webhooks post.\n\nWithout a name: which there are.",
        arguments=(Argument("name", optional=True),),
    ),
)
