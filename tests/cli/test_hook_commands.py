"""What operators do with webhooks, against a server that runs; nobody takes what it posts at first."""

import http.server
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.cli.main import FAILED, USAGE
from appliance.store.store import verify_folder
from cli.test_queue_commands import Server
from support import served


class Taker(http.server.BaseHTTPRequestHandler):
    posts: list[tuple[str | None, str | None, dict[str, object]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).posts.append((self.headers["X-Mox-Webhook-ID"], self.headers["X-Mox-Webhook-Attempt"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def taker(port: int) -> Iterator[type[Taker]]:
    """Takes what is posted."""
    kind = type("Posts", (Taker,), {"posts": []})
    with http.server.HTTPServer(("127.0.0.1", port), kind) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield kind
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def port() -> int:
    with http.server.HTTPServer(("127.0.0.1", 0), Taker) as server:
        return server.server_port


@pytest.fixture(scope="module")
def server(moxpy: Path, tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hooks") / "house"
    ports = served.prepare(moxpy, folder)
    (folder.parent / f"{folder.name}.ports").write_text("".join(f"{name} {port}\n" for name, port in ports.items()))
    domains = folder / "domains.toml"
    hook = (
        f'[accounts.mox]\noutgoing_webhook = {{ url = "http://localhost:{port}/", authorization = "Bearer secret" }}\n'
    )
    domains.write_text(domains.read_text().replace("[accounts.mox]\n", hook, 1))
    with served.running(moxpy, folder) as house:
        yield Server(folder, house)
        verified = verify_folder(folder)
    assert verified == []


def hooks(server, capsys, words="", *, count=None):
    """Those that are listed, once there are so many that were attempted."""
    deadline = time.monotonic() + 120
    while True:
        found = json.loads(server.ok(capsys, f"queue webhook {words} --json"))
        done = [one for one in found if one["results"] and not one["results"][-1]["error"].startswith("being posted")]
        if count is None or len(done) == count or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def test_commands(server, capsys, port):
    assert server.ok(capsys, "queue webhook list") == "(none)\n"
    assert server.ok(capsys, "queue webhook retired list") == "(none)\n"
    server.submit("a@x.example", subject="one")
    hooks(server, capsys, "list", count=1)  # Deliveries go side by side, so the second message might be the first.
    server.submit("b@x.example", subject="two")
    first, second = hooks(server, capsys, "list --sort queued --asc", count=2)
    assert (first["event"], first["account"], first["subject"], first["attempts"]) == ("delivered", "mox", "one", 1)
    assert first["authorization"] is True
    assert "secret" not in json.dumps(first)
    row = server.ok(capsys, f"queue webhook list --ids {first['id']}").splitlines()[1]
    assert re.fullmatch(
        rf"{first['id']} \S+Z mox delivered message {first['queued_id']} http://localhost:{port}/ next \S+ last \S+ "
        r'error ".*127\.0\.0\.1: Connection refused.*"',
        row,
    )
    printed = json.loads(server.ok(capsys, f"queue webhook print {first['id']}"))
    assert json.loads(printed["payload"])["Subject"] == "one"

    assert server.ok(capsys, f"queue webhook schedule --ids {first['id']} 1h") == "1 webhooks changed\n"
    assert [one["id"] for one in hooks(server, capsys, "list --nextattempt '>30m'")] == [first["id"]]
    assert server.ok(capsys, f"queue webhook cancel --ids {second['id']}") == "1 webhooks canceled\n"
    (done,) = hooks(server, capsys, "retired list --result failure --event delivered --account mox")
    assert (done["id"], done["results"][-1]["error"]) == (second["id"], "canceled by admin")
    assert server.ok(capsys, "queue webhook retired list").startswith(f"webhooks:\n{second['id']} ")

    with taker(port) as taken:
        assert server.ok(capsys, "queue webhook schedule --now 0s") == "1 webhooks changed\n"
        assert hooks(server, capsys, "retired list --result success", count=1)[0]["id"] == first["id"]
        added = server.ok(capsys, f"queue webhook replay {second['id']}")
        third = int(re.fullmatch(r"added webhook (\d+)\n", added)[1])
        assert len(hooks(server, capsys, "retired list --result success", count=2)) == 2
        again = json.loads(server.ok(capsys, f"queue webhook retired print {third}"))
        assert (again["original_id"], again["success"]) == (second["id"], True)
        posts = [(id, attempt, body["Subject"]) for id, attempt, body in taken.posts]
        assert posts == [(str(first["id"]), "2", "one"), (str(second["id"]), "1", "two")]
    assert server.ok(capsys, "queue webhook list") == "(none)\n"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ("cancel", USAGE, "give a filter, or --all to cancel all webhooks"),
        ("print 999", FAILED, "error: no webhook 999 waits"),
        ("retired print 999", FAILED, "error: there is no retired webhook 999"),
        ("replay 999", FAILED, "error: there is no retired webhook 999"),
        ("print x", FAILED, "error: id: 'x' is not a number"),
        ("list --event lost", FAILED, "error: event must be one of: incoming, delivered, "),
        ("list --hold true", USAGE, "unknown flag"),
        ("schedule soon", FAILED, "error: argument duration"),
    ],
)
def test_mistakes(server, capsys, words, code, error):
    found = server(capsys, f"queue webhook {words}")
    assert found[0] == code
    assert error in found[2]
