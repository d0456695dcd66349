"""The file `release.toml` of a server for tests: which server mail is released to on request, and for whom."""

from pathlib import Path
from typing import Annotated, Final

from appliance.config.errors import ConfigErrors
from appliance.config.load import read_config_text
from appliance.config.schema import Table, doc, read_table
from appliance.config.submitting import Submitting, validate

NAME: Final = "release.toml"


class Releasing(Table, frozen=True, kw_only=True):
    """How caught mail is released."""

    allow: Annotated[
        tuple[str, ...],
        doc("Who may get it: addresses, or domains as @example.org. Everybody else gets nothing."),
    ]
    server: Annotated[Submitting, doc("The server it is handed to, as in the file of moxpy sendmail.")]

    def allows(self, address: str) -> bool:
        """Whether an address may get released mail."""
        address = address.lower()
        wanted = (one.lower() for one in self.allow)
        return any(address == one or (one.startswith("@") and address.endswith(one)) for one in wanted)


def load(path: Path) -> Releasing:
    """Read and check the file. Raises ConfigErrors, which never tell a secret."""
    hint = 'it has allow = ["@example.org"], and a table [server] with host, from, username, password ...'
    text = read_config_text(path, hint=hint)
    found = None
    if text.raw is not None:
        found = read_table(Releasing, text.raw, (), text.report)
        validate(found.server, text.report, ("server",))
    problems = text.problems()
    if problems or found is None:
        raise ConfigErrors(problems)
    return found
