"""Schemathesis against the functions of a running localserve, by the OpenAPI documents that it gives of itself.

Run by `make interop-openapi`. Schemathesis needs half a hundred packages that nothing else here does, so it is installed
into an environment of its own. Somebody is logged in; what may go wrong is the caller's data. A crash is a failure,
wherever it is told: as a status, as the code `server:error`, or in the counter of bugs; so is an answer that is not as
the document says.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import urllib.request
import venv
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from appliance.localserve import ADDRESS, ADMIN_PASSWORD, PASSWORD
from support import served

SCHEMATHESIS = "4.32.5"
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance"
#: They end the session of the run, close the door behind it, or count guesses.
LEFT_OUT = ("Login", "LoginPrep", "Logout", "SessionRemove", "SessionsRemoveOthers")


class Caller:
    """Somebody who is logged in."""

    def __init__(self, house: served.House, application: str) -> None:
        self.root = f"http://localhost:{house.http}/{application}/api/"
        self.cookies = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        who = [ADMIN_PASSWORD] if application == "admin" else [ADDRESS, PASSWORD]
        self.csrf = ""
        self.csrf = self.call("Login", self.call("LoginPrep"), *who)

    def call(self, name: str, *params: Any) -> Any:
        body = json.dumps({"params": params}).encode()
        fields = {"content-type": "application/json", "x-mox-csrf": self.csrf}
        request = urllib.request.Request(self.root + name, body, fields)
        with self._opener.open(request, timeout=30) as answer:
            return json.load(answer)["result"]

    @property
    def headers(self) -> list[str]:
        cookie = "; ".join(f"{one.name}={one.value}" for one in self.cookies)
        return ["--header", f"cookie:{cookie}", "--header", f"x-mox-csrf:{self.csrf}"]


def program(folder: Path) -> Path:
    """Schemathesis, installed where it is not yet."""
    path = folder / "bin" / "schemathesis"
    if not path.exists():
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"schemathesis=={SCHEMATHESIS}"], check=True)
    return path


def document(url: str, folder: Path) -> Path:
    """The document without what it says of logging in: schemathesis would try tokens of its own, a second each."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        found = json.load(answer)
    found.pop("security", None)
    found.get("components", {}).pop("securitySchemes", None)
    for methods in found["paths"].values():
        for method in methods.values():
            method.pop("security", None)
    path = folder / "openapi.json"
    path.write_text(json.dumps(found))
    return path


def bugs(house: served.House) -> dict[str, float]:
    """What the server counted as its own fault."""
    with urllib.request.urlopen(f"http://localhost:{house.metrics}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    lines = re.findall(
        r'^(moxpy_panic_total\{.*|moxpy_webrpc_errors_total\{.*code="server:.*) (\S+)$', text, re.MULTILINE
    )
    return {name: float(value) for name, value in lines if float(value) > 0}


def main() -> int:
    parser = argparse.ArgumentParser(prog="interop.openapi", description=__doc__)
    parser.add_argument("--moxpy", type=Path, default=Path(".venv/bin/moxpy"))
    parser.add_argument("--environment", type=Path, default=Path(".work/schemathesis"))
    parser.add_argument("--examples", type=int, default=30, help="calls of each function, at most")
    parser.add_argument("--seconds", type=int, default=300, help="for each application, at most")
    parser.add_argument(
        "--only", nargs="+", choices=["admin", "account", "webapi"], default=["admin", "account", "webapi"]
    )
    options = parser.parse_args()
    schemathesis = program(options.environment.absolute())
    failed = False
    for application in options.only:
        with (
            tempfile.TemporaryDirectory() as folder,
            served.running(options.moxpy.absolute(), Path(folder) / "local") as house,
        ):
            place = "webapi/v0" if application == "webapi" else f"{application}/api"
            caller = None if application == "webapi" else Caller(house, application)
            who = ["--auth", f"{ADDRESS}:{PASSWORD}"] if caller is None else caller.headers
            command = [
                str(schemathesis), "run", str(document(f"http://localhost:{house.http}/{place}/openapi.json", Path(folder))),
                "--url", f"http://localhost:{house.http}/{place}", "--max-time", str(options.seconds), "--checks", CHECKS, "--phases", "coverage,fuzzing",
                "--max-examples", str(options.examples), "--warnings", "off", "--continue-on-failure", "--no-shrink",
                "--suppress-health-check", "all", "--request-timeout", "60", *who,
                *(part for name in LEFT_OUT for part in ("--exclude-name", f"POST /{name}")),
            ]  # fmt: skip
            print(f"{application}:", flush=True)
            done = subprocess.run(command, cwd=folder, timeout=options.seconds + 120, check=False)
            found = bugs(house)
            if caller is not None:
                caller.call("Version")  # Still logged in: the answers were not all about that.
            print(
                f"{application}: schemathesis ended with {done.returncode}, bugs counted: {found or 'none'}", flush=True
            )
            if done.returncode or found:
                failed = True
                assert house.log is not None
                print(
                    *[line for line in house.log.read_text().splitlines() if "function failed" in line][:20], sep="\n"
                )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
