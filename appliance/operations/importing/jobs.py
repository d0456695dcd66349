"""Imports that go on by themselves, for pages that come and go: begun with a file, watched and aborted by a token."""

from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.operations.actor import Actor, Right
from appliance.operations.importing import archives
from appliance.operations.importing.run import Count, Importer, Left, Outcome, Step, Told

log = Log("import")

_TOKEN_OCTETS: Final = 18
#: For so long it is told what came of one.
REMEMBER_SECONDS: Final = 60.0


class NoSuchImport(Problem):
    """There is none with that token, or it was over a while ago."""

    kind = Kind.NOT_FOUND


class TooManyImports(Problem):
    """One of the account is under way, or many of others."""

    kind = Kind.UNAVAILABLE


class Job:
    """One import: what was told so far, and how it ended."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.counts: dict[str, int] = {}
        self.troubles: list[str] = []
        self.step = ""
        self.outcome: Outcome | None = None
        #: Why it came to nothing.
        self.failure = ""
        self.ended = trio.Event()
        self._scope = trio.CancelScope()

    def abort(self) -> None:
        """End it, and take back what it added."""
        self._scope.cancel()

    async def hear(self, told: Told) -> None:
        """News of the importer."""
        match told:
            case Count(mailbox, count):
                self.counts[mailbox] = count
            case Left(text):
                self.troubles.append(text)
            case Step(title):
                self.step = title

    async def run(self, app: Appliance, token: str, path: Path, prefix: str) -> None:
        """Import an archive and remove the file."""
        try:
            self.step = "importing"
            with self._scope:
                importer = Importer(app, self.actor, hear=self.hear, prefix=prefix)
                self.outcome = await importer.run(archives.archive(path))
            if self._scope.cancelled_caught:
                self.failure = "aborted"
        except Problem as problem:
            self.failure = str(problem)
        except Exception as error:
            log.error("import failed", error, account=self.actor.name)
            self.failure = "something went wrong here; the server's log says what"
        finally:
            path.unlink(missing_ok=True)
            self.ended.set()
        await trio.sleep(REMEMBER_SECONDS)
        app.background.named.pop(token, None)


def may_begin(app: Appliance, actor: Actor) -> None:
    """Raises NotAllowed, TooManyImports."""
    actor.require(Right.CHANGE_MAIL)
    running = [one for one in app.background.named.values() if isinstance(one, Job) and not one.ended.is_set()]
    if any(one.actor.account == actor.account for one in running):
        raise TooManyImports("an import of this account is under way: wait for its end, or abort it")
    if len(running) >= limits.IMPORTS:
        raise TooManyImports("too many imports are under way, try again later")


def begin(app: Appliance, actor: Actor, path: Path, prefix: str) -> str:
    """Import an archive, which is removed at the end; the token by which it is known.

    Raises TooManyImports, and then the file is still there.
    """
    may_begin(app, actor)
    token = urlsafe_b64encode(app.random.token_bytes(_TOKEN_OCTETS)).decode()
    job = Job(actor)
    if not app.background.start(lambda: job.run(app, token, path, prefix)):
        raise TooManyImports("the server is not ready for it, try again later")
    app.background.named[token] = job
    return token


def find(app: Appliance, actor: Actor, token: str) -> Job:
    """An import of the account. Raises NoSuchImport."""
    job = app.background.named.get(token)
    if not isinstance(job, Job) or job.actor.account != actor.account:
        raise NoSuchImport("there is no such import, or it was over a while ago")
    return job
