"""Stores of every version there was, as `moxpy gentestdata` made them then: they open, are in order, hold what they held."""

import json
import lzma
import shutil
from pathlib import Path

import pytest

from appliance.operations import testdata
from appliance.store import upgrade
from appliance.store.store import verify_folder
from support.stores import open_store

STORES = Path(__file__).parents[1] / "data" / "stores"
KEPT = sorted(STORES.glob("*.mdb.xz"))


def test_one_of_this_version_is_kept():
    """Whoever adds a step of upgrading keeps one of the version that it makes: see what gentestdata prints."""
    assert STORES / f"{len(upgrade.STEPS) + 1}.mdb.xz" in KEPT


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_kept(tmp_path, path):
    (tmp_path / "store").mkdir()
    with lzma.open(path) as packed, (tmp_path / "store" / "data.mdb").open("wb") as file:
        shutil.copyfileobj(packed, file)
    with open_store(tmp_path) as store:
        with store.read() as tx:
            assert upgrade.version(tx) == len(upgrade.STEPS) + 1
        assert testdata.summary(store) == json.loads(path.with_name(path.name.replace(".mdb.xz", ".json")).read_text())


def test_what_is_made_is_what_is_kept(tmp_path):
    """Or else a new one should be kept."""
    testdata.generate(tmp_path / "made")
    assert verify_folder(tmp_path / "made", alone=True) == []
    kept = STORES / f"{len(upgrade.STEPS) + 1}.json"
    assert json.loads((tmp_path / "made" / "summary.json").read_text()) == json.loads(kept.read_text())
    assert sorted(one.name for one in (tmp_path / "made").iterdir()) == ["store", "summary.json"]
