"""The server is killed while a webhook is being posted: it is posted again, by the same id, and none is lost."""

import http.server
import json
import subprocess
import threading
import time

from appliance.store.store import verify_folder
from cli.test_queue_commands import Server
from support import served


class Receiver(http.server.ThreadingHTTPServer):
    """Answers nothing until it may."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts, self.may_answer = [], threading.Event()

    def handle_error(self, request, client_address):
        pass  # A client that is killed.


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        subject = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Subject"]
        self.server.posts.append((self.headers["X-Mox-Webhook-ID"], self.headers["X-Mox-Webhook-Attempt"], subject))
        self.server.may_answer.wait(30)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_while_posting(moxpy, tmp_path, capsys):
    folder = tmp_path / "house"
    ports = served.prepare(moxpy, folder)
    (tmp_path / "house.ports").write_text("".join(f"{name} {port}\n" for name, port in ports.items()))
    with Receiver() as receiver:
        threading.Thread(target=receiver.serve_forever, args=(0.02,), daemon=True).start()
        domains = folder / "domains.toml"
        hook = f'[accounts.mox]\noutgoing_webhook = {{ url = "http://localhost:{receiver.server_port}/" }}\n'
        domains.write_text(domains.read_text().replace("[accounts.mox]\n", hook, 1))
        with served.running(moxpy, folder) as house:
            server = Server(folder, house)
            for subject in ("one", "two"):
                server.submit("a@x.example", subject=subject)
                server.inbox(subject, 1)
            until(lambda: receiver.posts)
            subprocess.run(["kill", "-9", str(house.pid)], check=True)
        assert receiver.posts == [("1", "1", "one")], "one at a time for a URL"
        assert verify_folder(folder) == []
        receiver.may_answer.set()
        with served.running(moxpy, folder) as house:
            server = Server(folder, house)
            until(lambda: len(receiver.posts) == 2)
            assert receiver.posts[1] == ("2", "1", "two"), "the other waits for its minute"
            server.ok(capsys, "queue webhook schedule --now 0s")
            until(lambda: len(receiver.posts) == 3)
            assert receiver.posts[2] == ("1", "2", "one")
            until(lambda: len(json.loads(server.ok(capsys, "queue webhook retired list --json"))) == 2)
        receiver.shutdown()
    assert verify_folder(folder) == []
