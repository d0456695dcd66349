"""Names on the command line, looked at before the server is asked, so that typing errors are told at once."""

from appliance.cli.main import Failed
from appliance.config.validate_domains import account_name_fault
from appliance.config.values import typed_address, typed_domain, typed_quota


def account(text: str) -> str:
    """Name of an account."""
    if fault := account_name_fault(text):
        raise Failed(f"account name {text!r} {fault}")
    return text


def address(text: str) -> str:
    """An address."""
    try:
        return str(typed_address(text))
    except ValueError as error:
        raise Failed(str(error)) from error


def domain(text: str) -> str:
    """A domain."""
    try:
        return str(typed_domain(text))
    except ValueError as error:
        raise Failed(str(error)) from error


def quota(text: str) -> str:
    """Most octets of an account."""
    try:
        typed_quota(text)
    except ValueError as error:
        raise Failed(str(error)) from error
    return text


def address_or_catchall(text: str) -> str:
    """An address, or `@domain` for all others of a domain."""
    return f"@{domain(text[1:])}" if text.startswith("@") else address(text)
