"""Commands for a running server: stop, loglevels, setaccountpassword; and setadminpassword."""

import getpass
import sys

from appliance.cli import output, remote
from appliance.cli.configuration import load_config
from appliance.cli.main import OK, Failed, Invocation

_WARNING = "Bots try passwords all day. Take a long, random one.\n"


def stop(invocation: Invocation) -> int:
    """Graceful shutdown; waits."""
    remote.stop(invocation)
    print("moxpy stopped")
    return OK


def loglevels(invocation: Invocation) -> int:
    """Show or change levels."""
    if invocation.arguments:
        level, package = (*invocation.arguments, "")[:2]
        remote.call(invocation, "setloglevels", level=level, pkg=package)
        print(f"log level of {package or 'everything else'}: {level or 'default'}")
        return OK
    levels: dict[str, str] = remote.call(invocation, "loglevels")
    output.show(invocation, levels, (f"{name or '(default)'}: {level}" for name, level in sorted(levels.items())))
    return OK


def setadminpassword(invocation: Invocation) -> int:
    """Set the password of the admin pages; the server need not run."""
    from appliance.operations import adminpassword, websessions
    from appliance.operations.passwords import BadPassword

    path = websessions.password_file(load_config(invocation))
    if path is None:
        raise Failed("moxpy.toml has no admin_password_file")
    try:
        adminpassword.set_password(path, read_password())
    except BadPassword as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror}") from error
    print(f"admin password written to {path}")
    return OK


def setaccountpassword(invocation: Invocation) -> int:
    """Set a password, asked twice on a terminal."""
    remote.call(invocation, "setaccountpassword", account=invocation.arguments[0], password=read_password())
    print(f"password of account {invocation.arguments[0]} set")
    return OK


def read_password() -> str:
    """A password from the terminal without echo, or one line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    print(_WARNING, file=sys.stderr)
    password = getpass.getpass("password: ")
    if getpass.getpass("again: ") != password:
        raise Failed("the two are not the same; nothing was changed")
    return password
