"""Mail in and out of the account pages: archives that are uploaded and imported, and exports that are downloaded.

POST import                  multipart/form-data with `file` and perhaps `skipMailboxPrefix`; answers {"Token"}
GET importprogress?token=    an event stream: count, problem, step, then done or aborted
POST export                  a form with csrf, mailbox or messageids, format, archive, recursive; answers a file
"""

import shutil
from collections import Counter
from pathlib import Path
from typing import IO, Annotated, Final
from urllib.parse import parse_qsl

import msgspec
import trio

from appliance.base import limits
from appliance.base.problem import Problem
from appliance.config.schema import doc
from appliance.delivery.appliance import Appliance
from appliance.mail.parameters import parse_content_type
from appliance.operations import exporting
from appliance.operations.actor import Actor
from appliance.operations.exporting import Archive, Format, NotExportable, Wanted
from appliance.operations.importing import jobs
from appliance.servers.web import multipart
from appliance.servers.web.api import Call
from appliance.servers.web.pages import Visit
from appliance.servers.web.respond import Response, body_of, query_of, text

_JSON: Final = "application/json"
_NO_STORE: Final = {"cache-control": "no-store"}
_PREFIX_OCTETS: Final = 4096
#: Octets uploaded between two looks at the disk.
_LOOK_OCTETS: Final = 64 * limits.MIB
_FORM_FIELDS: Final = 20
_MESSAGES: Final = 10_000
#: Between looks for progress, and between signs of life, in seconds.
_LOOK_SECONDS: Final = 0.5
_ALIVE_SECONDS: Final = 30.0


async def import_abort(call: Call, import_token: Annotated[str, doc("As the upload returned it.")]) -> None:
    """Abort an import; what it has added is taken back."""
    jobs.find(call.app, call.actor, import_token).abort()


class _Refused(Exception):
    """What the client is told instead."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Doors:
    """What answers these paths."""

    def __init__(self, app: Appliance) -> None:
        self._app = app
        self._exports: Counter[int] = Counter()

    # Import.

    async def upload(self, visit: Visit) -> None:
        """Take an archive and begin its import."""
        found = await visit.require_session(visit.field(b"x-mox-csrf"))
        actor = found.actor
        assert actor is not None
        try:
            jobs.may_begin(self._app, actor)
            file, path = await trio.to_thread.run_sync(self._app.store.new_file)
            try:
                with file:
                    prefix = await self._take(visit, file)
                token = jobs.begin(self._app, actor, path, prefix)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        except Problem as problem:
            await visit.answer(text(400, str(problem)))
        except _Refused as refused:
            await visit.answer(text(refused.status, str(refused)))
        except OSError:
            await visit.answer(text(507, "the disk is full"))  # RFC 4918 §11.5
        else:
            await visit.answer(Response(200, msgspec.json.encode({"Token": token}), _JSON, _NO_STORE))

    async def _take(self, visit: Visit, file: IO[bytes]) -> str:
        """Bring the file of a form to the disk; the prefix that names are to lose."""
        parameters = dict(parse_content_type(visit.field(b"content-type").encode("latin-1")).parameters)
        prefix, octets, name = bytearray(), 0, ""
        looked, more = 0, True
        has_file = False
        try:
            parser = multipart.Parser(parameters.get("boundary", ""))
            while more:
                event = await visit.receive()
                if event["type"] != "http.request":
                    raise _Refused(400, "the upload was cut")
                more = event.get("more_body", False)
                pieces = []
                for one in parser.feed(event.get("body", b"")):
                    match one:
                        case multipart.Head():
                            name = one.name if not (has_file and one.name == "file") else ""
                            has_file = has_file or name == "file"
                        case multipart.Data() if name == "file":
                            pieces.append(one.octets)
                        case multipart.Data() if name == "skipMailboxPrefix":
                            prefix += one.octets
                            if len(prefix) > _PREFIX_OCTETS:
                                raise _Refused(400, "the prefix is too long")
                if pieces:
                    whole = b"".join(pieces)
                    octets += len(whole)
                    if octets - looked >= _LOOK_OCTETS:
                        looked = octets
                        self._look_at_disk()
                    await trio.to_thread.run_sync(file.write, whole)
            await trio.to_thread.run_sync(file.flush)
        except (multipart.Malformed, multipart.HeadTooLarge) as error:
            raise _Refused(400, f"malformed multipart/form-data: {error}") from error
        if not parser.ended or not octets:
            raise _Refused(400, "the form has no file")
        return prefix.decode("utf-8", "replace")

    def _look_at_disk(self) -> None:
        if shutil.disk_usage(self._app.store.spool_folder).free < limits.IMPORT_FREE_OCTETS:
            raise _Refused(507, "the disk has no room for it")

    async def progress(self, visit: Visit) -> None:
        """Tell how an import goes on, from its beginning; closing the page does not end it."""
        found = await visit.require_session(None)
        assert found.actor is not None
        try:
            job = jobs.find(self._app, found.actor, query_of(visit.scope).get("token", ""))
        except jobs.NoSuchImport as problem:
            await visit.answer(text(404, str(problem)))
            return
        await visit.begin_events()
        told: dict[str, int] = {}
        troubles, step, quiet = 0, "", 0.0
        while True:
            ended = job.ended.is_set()  # Before looking, so that all is told by then.
            before = (len(told), troubles, step, sum(told.values()))
            if job.step != step:
                step = job.step
                await visit.tell("step", {"Title": step})
            for text_ in job.troubles[troubles:]:
                troubles += 1
                await visit.tell("problem", {"Message": text_})
            for mailbox, count in list(job.counts.items()):
                if told.get(mailbox) != count:
                    told[mailbox] = count
                    await visit.tell("count", {"Mailbox": mailbox, "Count": count})
            if ended:
                break
            quiet = quiet + _LOOK_SECONDS if before == (len(told), troubles, step, sum(told.values())) else 0.0
            if quiet >= _ALIVE_SECONDS:
                quiet = 0.0
                await visit.alive()
            with trio.move_on_after(_LOOK_SECONDS):
                await job.ended.wait()
        if job.outcome is not None:
            outcome = job.outcome
            kinds = {"Added": outcome.added, "Duplicates": outcome.duplicates, "LeftOut": outcome.left_out}
            await visit.tell("done", kinds)
        else:
            await visit.tell("aborted", {"Message": job.failure})
        await visit.end()

    # Export.

    async def export(self, visit: Visit) -> None:
        """Send mailboxes as a file, made while it is sent."""
        body = (await body_of(visit.receive)).decode("utf-8", "replace")
        try:
            form = dict(parse_qsl(body, max_num_fields=_FORM_FIELDS))
        except ValueError:
            form = {}
        found = await visit.require_session(form.get("csrf", ""))
        actor = found.actor
        assert actor is not None
        if self._exports[actor.account] >= limits.EXPORTS:
            await visit.answer(text(429, "other exports are being fetched: wait for their end", {"retry-after": "60"}))
            return
        self._exports[actor.account] += 1
        try:
            await self._export(visit, actor, form)
        finally:
            self._exports[actor.account] -= 1

    async def _export(self, visit: Visit, actor: Actor, form: dict[str, str]) -> None:
        try:
            wanted = _wanted(form)
            format, archive = Format(form.get("format", "")), Archive(form.get("archive", ""))
            exporting.check(self._app.store, actor, wanted, format, archive)
        except Problem as problem:
            await visit.answer(text(400, str(problem)))
            return
        except ValueError:
            await visit.answer(text(400, "format or archive is unknown"))
            return
        name = exporting.file_name(wanted, format, archive, self._app.clock.now())
        fields = {"content-disposition": f'attachment; filename="{name}"', **_NO_STORE}
        await visit.begin(exporting.TYPES[archive], fields)
        files = exporting.files(self._app.store, actor, wanted, format)
        octets = exporting.archived(files, archive, scratch=Path(self._app.store.spool_folder))
        async for piece in exporting.in_pieces(octets):
            await visit.send_piece(piece)
        await visit.end()


def _wanted(form: dict[str, str]) -> Wanted:
    """Raises NotExportable."""
    ids = form.get("messageids", "")
    try:
        messages = tuple(_number(one) for one in ids.split(",")) if ids else ()
    except ValueError as error:
        raise NotExportable("messageids are ids with commas") from error
    if len(messages) > _MESSAGES:
        raise NotExportable(f"at most {_MESSAGES} messages are exported by their numbers")
    recursive = form.get("recursive", "") not in {"", "false", "off", "0"}
    return Wanted(form.get("mailbox", ""), recursive, messages)


def _number(id: str) -> int:
    """Of a message: programs know the number, JMAP a name with it. Raises ValueError."""
    return int(id.rpartition("-")[2])
