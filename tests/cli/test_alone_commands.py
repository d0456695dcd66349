"""Commands that hold the data themselves, and those that ask a running server where there is one."""

import io
import json
import os
import socket
import subprocess
import sys

import pytest

from appliance.cli.main import FAILED, OK, USAGE, run
from appliance.serve import lock_data
from support import served
from support.reports import dmarc_mail, tls_mail

MBOX = b"""From a@example.org Thu Jan  1 00:00:00 2026
From: a@example.org
Subject: one
Message-ID: <1@example.org>
Status: RO

buy pills

From a@example.org Thu Jan  1 00:00:01 2026
Subject: two
Message-ID: <2@example.org>

text
"""


@pytest.fixture
def called(tmp_path, capsys, monkeypatch):
    """Runs a command for the folder `local`; its exit code and what it said."""

    def call(*words, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run(["moxpy", "--config", str(tmp_path / "local" / "moxpy.toml"), *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def add_domain(folder):
    with (folder / "domains.toml").open("a") as file:
        file.write('[domains."ours.example"]\n')


def test_without_a_server(called, tmp_path):
    folder = str(tmp_path / "local")
    assert called("localserve", "--initonly", "--dir", folder)[0] == OK
    add_domain(tmp_path / "local")
    (tmp_path / "box").write_bytes(MBOX)
    code, out, _ = called("ximport", "mbox", "mox", "Old", str(tmp_path / "box"))
    assert (code, out) == (OK, "Old: 2\n2 messages imported\n")
    code, out, _ = called("ximport", "mbox", "--json", "mox", "Old", str(tmp_path / "box"))
    assert json.loads(out)["duplicates"] == 2
    assert called("ximport", "maildir", "mox", "Old", str(tmp_path / "none"))[0] == FAILED
    assert called("ximport", "mbox", "--duplicates", "x", "mox", "Old", str(tmp_path / "box"))[0] == USAGE
    assert "no account" in called("ximport", "mbox", "nobody", "Old", str(tmp_path / "box"))[2]

    code, out, _ = called("openaccounts", folder)
    assert code == OK
    assert ", 2 messages, " in out
    code, out, _ = called("openaccounts", "--json", folder, "mox")
    assert json.loads(out)["accounts"]["mox"]["messages"] == 2
    assert called("openaccounts", folder, "nobody")[0] == FAILED
    code, out, _ = called("readmessages", folder)
    assert (code, out.startswith("mox: 2 messages, ")) == (OK, True)
    assert json.loads(called("readmessages", "--json", folder)[1])["mox"]["parts"] == 2

    assert called("reindex")[1].startswith("mox: 2 messages, ")
    assert called("retrain", "mox")[1].startswith("mox: 0 junk, 2 not junk, ")
    assert "no account" in called("retrain", "nobody")[2]
    assert json.loads(called("retrain", "--json")[1]) == {"mox": {"hams": 2, "spams": 0}}

    assert called("queuefillretired", "--n", "450", "mox")[:2] == (OK, "450 retired messages and webhooks added\n")
    assert called("queuefillretired", "--n", "x", "mox")[0] == USAGE
    assert called("dmarcdb", "addreport", "big.example", stdin=dmarc_mail())[:2] == (OK, "the report is kept\n")
    assert called("dmarcdb", "addreport", "big.example", stdin=dmarc_mail())[1] == "the report is known already\n"
    assert called("tlsrptdb", "addreport", stdin=tls_mail())[1] == "the report is kept\n"
    code, _, err = called("dmarcdb", "addreport", "big.example", stdin=MBOX)
    assert (code, err.startswith("error: ")) == (FAILED, True)
    assert called("verifydata", folder)[1].endswith("OK\n")

    with lock_data(tmp_path / "local"):
        for words in (("openaccounts", folder), ("queuefillretired", "mox"), ("ximport", "mbox", "mox", "a", folder)):
            code, _, err = called(*words)
            assert (code, "another moxpy uses" in err) == (FAILED, True)


def test_no_store(tmp_path, capsys):
    assert run(["moxpy", "readmessages", str(tmp_path)]) == FAILED
    assert "there is no store" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_with_a_server(moxpy, called, tmp_path):
    with served.running(moxpy, tmp_path / "local", fill=add_domain):
        served.wait_control(tmp_path / "local")
        assert called("reindex", "--json", "mox")[0] == OK
        assert called("retrain")[1].startswith("mox: 0 junk, 0 not junk, ")
        assert called("dmarcdb", "addreport", "big.example", stdin=dmarc_mail())[:2] == (OK, "the report is kept\n")
        assert called("tlsrptdb", "addreport", stdin=tls_mail())[1] == "the report is kept\n"
        assert called("dmarc", "sendreports")[:2] == (OK, "nothing is to be reported\n")
        assert called("tlsrpt", "sendreports", "--json")[:2] == (OK, "[]\n")
        code, _, err = called("tlsrptdb", "addreport", stdin=dmarc_mail())
        assert (code, err.startswith("error: ")) == (FAILED, True)


def test_flags_for_tests(moxpy, called, tmp_path):
    """A server that is stricter than its configuration, and looks at what it kept when it ends."""
    folder = tmp_path / "local"
    ports = served.prepare(moxpy, folder)
    command = [str(moxpy), "localserve", "--dir", str(folder), "--pedantic", "--checkconsistency"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        served.wait_ready("127.0.0.1", ports["smtp"], ports["imap"], server)
        with socket.create_connection(("127.0.0.1", ports["smtp"]), timeout=60) as sock, sock.makefile("rwb") as stream:
            stream.readline()
            stream.write(b"HELO not_a_name\r\n")
            stream.flush()
            assert stream.readline().startswith(b"50")
    finally:
        server.terminate()
        _, said = server.communicate(timeout=120)
    assert (server.returncode, "not in order" in said) == (15, False)
