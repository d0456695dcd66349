"""Settings for Outlook and those who do as it does: XML of Microsoft's Autodiscover ("POX")."""

from html import escape
from xml.parsers import expat

from appliance.base.metrics import Counter
from appliance.config.addresses import DomainEntry
from appliance.config.source import Config
from appliance.config.static import Static
from appliance.mail.address import parse_address
from appliance.operations import clientsettings
from appliance.servers.web.respond import XML, Request, Response, text

requests = Counter("autodiscover_request_total", "Requests of Outlook for its settings.", ("domain",))

_NAMESPACE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
_OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"


def answer(config: Config, request: Request) -> Response:
    """The settings for the address in the request; its domain alone counts."""
    try:
        address = address_in(request.body)
        domain = parse_address(address).domain
    except ValueError as error:  # An AddressError is one.
        return text(400, f"not understood: {error}")
    entry = config.derived.addresses.domains.get(domain.ascii)
    if entry is None or entry.is_reports_only:
        return text(400, "no such domain here")
    requests.labels(entry.name).inc()
    return Response(200, _document(config.static, entry, address), XML, {"cache-control": "no-store"})


def _document(static: Static, entry: DomainEntry, address: str) -> bytes:
    rows = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<Autodiscover xmlns="{_NAMESPACE}">',
        f'  <Response xmlns="{_OUTLOOK}">',
        "    <Account>",
        "      <AccountType>email</AccountType>",
        "      <Action>settings</Action>",
    ]
    for server in clientsettings.servers(static, entry):
        implicit = server.socket == "SSL"
        rows += [
            "      <Protocol>",
            f"        <Type>{server.kind.upper()}</Type>",
            f"        <Server>{escape(server.host)}</Server>",
            f"        <Port>{server.port}</Port>",
            f"        <LoginName>{escape(address)}</LoginName>",
            f"        <SSL>{'on' if server.socket != 'plain' else 'off'}</SSL>",
            *(["        <Encryption>TLS</Encryption>"] if implicit else []),
            "        <SPA>off</SPA>",
            "        <AuthRequired>on</AuthRequired>",
            "      </Protocol>",
        ]
    rows += ["    </Account>", "  </Response>", "</Autodiscover>", ""]
    return "\n".join(rows).encode()


def address_in(octets: bytes) -> str:
    """The EMailAddress of a request, of any namespace. Raises ValueError. No document type, so no entities."""
    depth, found = 0, []
    inside = False
    parser = expat.ParserCreate(namespace_separator=" ")

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal inside, depth
        depth += 1
        if depth > 20:
            raise ValueError("nested too deeply")
        inside = name.rpartition(" ")[2] == "EMailAddress"

    def end(_: str) -> None:
        nonlocal inside, depth
        depth, inside = depth - 1, False

    def characters(content: str) -> None:
        if inside:
            found.append(content)

    def no_type(*_: object) -> None:
        raise ValueError("has a document type")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, no_type
    try:
        parser.Parse(octets, True)
    except expat.ExpatError as error:
        raise ValueError("not XML") from error
    except LookupError as error:  # An encoding that Python does not know.
        raise ValueError("not XML that can be read") from error
    return "".join(found).strip()
