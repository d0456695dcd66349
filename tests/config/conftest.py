"""The example configuration, whole and changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.config.load import Config
from support.exampleconfig import example_keys, load_example, write_example


@pytest.fixture(scope="session")
def keys() -> dict[str, bytes]:
    return example_keys()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write_example(tmp_path / "config")


@pytest.fixture
def load_with(directory: Path) -> Callable[..., Config]:
    """Load the examples with (old, new) replacements in one file; each old text must be there."""

    def load_changed(*changes: tuple[str, str], file: str = "domains.toml", append: str = "") -> Config:
        path = directory / file
        text = path.read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        path.write_text(text + append)
        return load_example(directory)

    return load_changed
