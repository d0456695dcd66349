"""Settings for Thunderbird and those who do as it does: XML of Mozilla's autoconfiguration, version 1.1."""

from html import escape

from appliance.base.metrics import Counter
from appliance.config.addresses import DomainEntry
from appliance.config.source import Config
from appliance.mail.address import AddressError, parse_address
from appliance.operations import clientsettings
from appliance.servers.web.respond import XML, Request, Response, text

requests = Counter("autoconf_request_total", "Requests of mail programs for their settings.", ("domain",))


def answer(config: Config, entry: DomainEntry | None, request: Request) -> Response:
    """The settings for the domain of the address asked about, else the one of the host, `entry`.

    Whether there is such a user is nobody's business before the login.
    """
    user = request.query.get("emailaddress", "")
    shown = "%EMAILADDRESS%"
    if user and user != shown:
        try:
            address = parse_address(user)
        except AddressError as error:
            return text(400, str(error))
        entry, shown = config.derived.addresses.domains.get(address.domain.ascii), escape(user)
    if entry is None or entry.is_reports_only:
        return text(400, "no such domain here")
    requests.labels(entry.name).inc()
    domain = escape(entry.domain.ascii)
    rows = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<clientConfig version="1.1">',
        f'  <emailProvider id="{domain}">',
        f"    <domain>{domain}</domain>",
        f"    <displayName>{escape(entry.name)}</displayName>",
        f"    <displayShortName>{escape(entry.name)}</displayShortName>",
    ]
    for server in clientsettings.servers(config.static, entry):
        name = "incomingServer" if server.kind == "imap" else "outgoingServer"
        rows += [
            f'    <{name} type="{server.kind}">',
            f"      <hostname>{escape(server.host)}</hostname>",
            f"      <port>{server.port}</port>",
            f"      <socketType>{server.socket}</socketType>",
            f"      <username>{shown}</username>",
            "      <authentication>password-encrypted</authentication>",
            f"    </{name}>",
        ]
    rows += ["  </emailProvider>", "</clientConfig>", ""]
    return Response(200, "\n".join(rows).encode(), XML, {"cache-control": "no-store"})
