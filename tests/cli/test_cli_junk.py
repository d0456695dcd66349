import mailbox

import pytest

from appliance.cli.main import FAILED, OK, USAGE, run

GOOD = "Subject: lunch meeting tomorrow\r\nDate: Mon, 2 Jan 2006 15:04:%02d +0000\r\n\r\nshall we eat pizza %s\r\n"
BAD = "Subject: cheap pills offer\r\nDate: Mon, 2 Jan 2006 15:04:%02d +0000\r\n\r\nbuy these pills today %s\r\n"


@pytest.fixture
def folders(tmp_path):
    """A folder of files and a Maildir, sixty messages each."""
    (tmp_path / "ham").mkdir()
    (tmp_path / "spam/cur").mkdir(parents=True)
    for number in range(60):
        word = f"w{'aeiou'[number % 5]}{number}"
        (tmp_path / f"ham/{number:02}").write_bytes((GOOD % (number, word)).encode())
        (tmp_path / f"spam/cur/{number:02}").write_bytes((BAD % (number, word)).encode())
    return str(tmp_path / "ham"), str(tmp_path / "spam")


def said(capsys, *arguments: str, code=OK) -> str:
    assert run(["moxpy", "junk", *arguments]) == code
    return capsys.readouterr().out


def test_train_check_and_test(capsys, tmp_path, folders):
    db = ("--dbpath", str(tmp_path / "filter.db"))
    trained = said(capsys, "train", *db, *folders)
    assert trained.startswith("trained: 60 ham, 60 spam, 0 malformed, ")
    assert said(capsys, "check", *db, f"{folders[0]}/00") == "0.000008, significant\n"
    assert said(capsys, "check", *db, f"{folders[1]}/cur/00") == "1.000000, significant\n"
    (tmp_path / "bad").write_bytes(b"Content-Type: ;\r\n\r\nx")
    assert said(capsys, "check", *db, str(tmp_path / "bad")) == "1.000000, significant\n"
    (tmp_path / "new").write_bytes(b"Subject: else\r\n\r\nnothing known")
    assert said(capsys, "check", *db, str(tmp_path / "new")) == "0.500000, significant\n"
    assert said(capsys, "test", *db, *folders).splitlines() == [
        "ham: 60 ok, 0 bad",
        "spam: 60 ok, 0 bad",
        "specificity: 1.000000",
        "sensitivity: 1.000000",
        "accuracy: 1.000000",
    ]
    lines = said(capsys, "test", *db, *reversed(folders)).splitlines()
    assert lines[0] == f"ham 1.0000 {folders[1]}/cur/00"
    assert lines[-1] == "accuracy: 0.000000"
    # It goes on from where it was, with the same words in a row.
    assert said(capsys, "train", *db, *folders).startswith("trained: 120 ham, 120 spam, ")
    said(capsys, "train", *db, "--one-grams", *folders, code=FAILED)


def test_a_word_counts_from_its_second_message_on(capsys, tmp_path):
    db = ("--dbpath", str(tmp_path / "filter.db"), "--one-grams", "--two-grams=false")
    for name, text in (("ham", b"\r\nfirst both"), ("spam", b"\r\nsecond both")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1").write_bytes(text)
    trained = said(capsys, "train", *db, str(tmp_path / "ham"), str(tmp_path / "spam"))
    assert trained == "trained: 1 ham, 1 spam, 0 malformed, 1 words\n"


def test_analyze(capsys, folders):
    lines = said(capsys, "analyze", "--train-ratio", "0.9", *folders).splitlines()
    assert lines[-6:-4] == ["ham: 6 ok, 0 bad", "spam: 6 ok, 0 bad"]
    assert lines[-1] == "trained: 54 ham, 54 spam, 0 malformed"


def test_play_learns_in_the_order_of_dates(capsys, folders):
    lines = said(capsys, "play", "--sent-dir", folders[0], *folders).splitlines()
    # The first spam comes before anything was learned of its kind.
    assert lines[0] == f"spam 0.5000 {folders[1]}/cur/00"
    assert lines[-5] == "ham: 120 ok, 0 bad"


def test_mbox(capsys, tmp_path, folders):
    box = mailbox.mbox(tmp_path / "box")
    for number in range(3):
        box.add((GOOD % (number, "x")).replace("\r\n", "\n").encode())
    box.close()
    db = ("--dbpath", str(tmp_path / "filter.db"))
    assert said(capsys, "train", *db, str(tmp_path / "box"), folders[1]).startswith("trained: 3 ham, 60 spam, ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("check", "none"), FAILED),
        (("analyze", "none", "none"), FAILED),
        (("analyze", "--max-power", "x", "none", "none"), USAGE),
        (("analyze", "--top-words", "-1", "none", "none"), USAGE),
        (("analyze", "--two-grams=false", "none", "none"), USAGE),
    ],
)
def test_what_cannot_be(arguments, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["moxpy", "junk", *arguments]) == code


def test_no_filter(capsys, tmp_path):
    (tmp_path / "filter.db").write_bytes(b"no filter")
    said(capsys, "check", "--dbpath", str(tmp_path / "filter.db"), __file__, code=FAILED)


def test_shown_only_when_asked_for(capsys):
    run(["moxpy", "help"])
    assert "junk train" not in capsys.readouterr().out
    run(["moxpy", "help", "junk"])
    assert "junk train" in capsys.readouterr().out
    run(["moxpy", "completion", "bash"])
    assert '"junk") candidates=' in capsys.readouterr().out
