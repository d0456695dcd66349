"""Looking at the world as the server does: names, senders, policies, connections."""

from typing import Final

from appliance.cli.commands.declare import CHECK, JSON, SERVER, Argument, Command, Flag

COMMANDS: Final = (
    Command(
        "rdap domainage",
        "quickstart:domain_age",
        "Tell for how long a domain has been registered, by what its registry says.",
        arguments=(Argument("domain"),),
        flags=(JSON, SERVER),
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
        flags=(JSON, SERVER),
    ),
    Command(
        "spf check",
        "msgauth:spf_check",
        "Ask a domain by SPF whether an IP address may send its mail.\n\n"
        "An address as well as a domain. Prints the status, whether DNSSEC vouches for it, and the mechanism that\n"
        "matched. The verdict is the output: the exit code is 0 whatever it says, unless --check is given.",
        arguments=(Argument("domain"), Argument("ip")),
        flags=(Flag("helo", "what the client calls itself; default: the domain", "NAME"), CHECK, JSON, SERVER),
    ),
    Command(
        "spf lookup",
        "msgauth:spf_lookup",
        "Print the SPF record of a domain, and whether DNSSEC vouches for it.",
        arguments=(Argument("domain"),),
        flags=(JSON, SERVER),
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
        flags=(JSON, SERVER),
    ),
    Command(
        "dmarc verify",
        "msgauth:dmarc_verify",
        "Check the sender of the message on standard input by SPF, DKIM and DMARC.\n\n"
        'As if it had come from an IP address with MAIL FROM and HELO as given; either may be empty (""). The verdict\n'
        "is the output: the exit code is 0 whatever it says, unless --check is given.",
        arguments=(Argument("ip"), Argument("mailfrom"), Argument("helo")),
        flags=(CHECK, JSON, SERVER),
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
        flags=(JSON, SERVER),
    ),
    Command(
        "dnsbl check",
        "msgauth:dnsbl_check",
        "Look an IP address up in a DNS block list.\n\n"
        "The status is pass (not listed), fail (listed) or temperror: the list gave no answer, or one that says\n"
        "that it will not answer us. The exit code is 0 whatever it says, unless --check is given.",
        arguments=(Argument("zone"), Argument("ip")),
        flags=(CHECK, JSON, SERVER),
    ),
    Command(
        "dnsbl checkhealth",
        "msgauth:dnsbl_checkhealth",
        "Check whether a DNS block list is in order.\n\n"
        "It must list 127.0.0.2 and must not list 127.0.0.1; with --ipv6 the same addresses as IPv6 has them.",
        arguments=(Argument("zone"),),
        flags=(Flag("ipv6", "ask about addresses of IPv6"), JSON, SERVER),
    ),
    Command(
        "dmarc sendreports",
        "reports:send_dmarc",
        "Send the DMARC reports that are owed to others now, before their time.\n\n"
        "The running server sends them by itself, each day to most. Prints the domains that they are about; who wants\n"
        "no report gets none. They are in the queue afterwards.",
        flags=(JSON,),
    ),
    Command(
        "tlsrpt sendreports",
        "reports:send_tls",
        "Send the reports about TLS that are owed to others now, before their time.\n\n"
        "The running server sends them by itself, each day. Prints the domains and hosts that they are about; who\n"
        "wants no report gets none. What happens in the rest of the day is another report.",
        flags=(JSON,),
    ),
    Command(
        "dmarcdb addreport",
        "reports:add_dmarc",
        "Keep the DMARC report in the message on standard input, as if it had come from a domain.\n\n"
        "Without the checks that a report by mail must pass. By the running server, or without one.",
        arguments=(Argument("domain"),),
        unlisted=True,
    ),
    Command(
        "tlsrptdb addreport",
        "reports:add_tls",
        "Keep the TLS report in the message on standard input, as if it had come from the domain of its From.\n\n"
        "Without the checks that a report by mail must pass; one about the host itself is taken, too, so --hostreport\n"
        "says nothing. By the running server, or without one.",
        flags=(Flag("hostreport", "for scripts of mox"),),
        unlisted=True,
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
        flags=(JSON, SERVER),
    ),
    Command(
        "dane dial",
        "dane:dial",
        "Connect to a server by TLS, verified by its TLSA records, and speak with it.\n\n"
        "DNSSEC must vouch for addresses and records. Tells which record fits, then carries standard input to the\n"
        "server and what it says to standard output.",
        arguments=(Argument("host:port"),),
        flags=(Flag("usages", "only records of these: pkix-ta, pkix-ee, dane-ta, dane-ee", "LIST"), SERVER),
    ),
    Command(
        "dane dialmx",
        "dane:dial_mx",
        "Connect to a mail host of a domain as for a delivery, verified by its TLSA records.\n\n"
        "DNSSEC must vouch for each step. Tells what is found and why a host will not do; of the first that does, the\n"
        "session is carried to standard input and output. With a host only that is tried.",
        arguments=(Argument("domain"), Argument("host", optional=True)),
        flags=(Flag("ehlohostname", "what to call ourselves; default: localhost", "NAME"), SERVER),
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
            SERVER,
        ),
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
        flags=(JSON, SERVER),
    ),
    Command(
        "dkim verify",
        "dkim:verify",
        "Verify the DKIM signatures of a message in a file.\n\n"
        "Of one on standard input for -. Tells status, problem, key record and field of each signature. Lines that\n"
        "end in LF alone get the CRLF they had on their way. A key for testing counts like any other.",
        arguments=(Argument("file"),),
        flags=(JSON, CHECK, SERVER),
    ),
    Command(
        "dkim sign",
        "dkim:sign",
        "Sign a message in a file as the configuration of From's domain says, and print it.\n\n"
        "One on standard input for -. The keys are read from the configuration; no server needs to run.",
        arguments=(Argument("file"),),
    ),
    Command(
        "message parse",
        "messagefile:parse",
        "Print the parts of a message in a file, as JSON.\n\n"
        "Of one on standard input for -. Places and sizes are in octets; what is wrong with the message is told.",
        arguments=(Argument("file"),),
        flags=(Flag("smtputf8", "tell whether it needs SMTPUTF8"),),
    ),
    Command(
        "webapi",
        "webapi:webapi",
        "List the methods of the webapi, show an example of one, or call it.\n\n"
        "With a base URL, such as https://address:password@mail.example.org/webapi/v0/, the JSON on standard input is\n"
        "sent and the response printed. Address and password may be in MOXPY_USER and MOXPY_PASSWORD instead.",
        arguments=(Argument("method", optional=True), Argument("baseurl", optional=True)),
    ),
)
