"""The TypeScript side of the web APIs is what the tables of functions say."""

import importlib.util
from pathlib import Path

RECIPE = Path(__file__).parents[3] / "build" / "typescript_api.py"


def test_it_is_not_stale():
    spec = importlib.util.spec_from_file_location("typescript_api", RECIPE)
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    assert recipe.stale() == [], "run build/typescript_api.py"
