"""`moxpy webapi` calls methods of a running server, as a script would."""

import json
import subprocess
from pathlib import Path

from support import served


def test_calls(moxpy: Path, tmp_path: Path):
    with served.running(moxpy, tmp_path / "local") as house:
        base = f"http://mox%40localhost:{house.password}@localhost:{house.http}/webapi/v0/"

        def call(method: str, request: str, at: str = base) -> "subprocess.CompletedProcess[str]":
            words = [str(moxpy), "webapi", method, at]
            return subprocess.run(words, input=request, capture_output=True, text=True, timeout=120)

        done = call("SuppressionAdd", json.dumps({"EmailAddress": "nobody@dest.example", "Reason": "moved"}))
        assert (done.returncode, done.stderr) == (0, "")
        done = call("SuppressionList", "")
        assert json.loads(done.stdout)["Suppressions"][0]["Reason"] == "moved"
        done = call("SuppressionRemove", json.dumps({"EmailAddress": "x@dest.example"}))
        assert done.returncode == 1
        assert json.loads(done.stdout)["Code"]
        done = call("SuppressionList", "", base.replace(house.password, "wrong"))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("401 ")
    assert call("SuppressionList", "").returncode == 1
