from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest

from appliance.config.load import Config
from support.exampleconfig import load_example

Load = Callable[..., Config]


def names(config: Config, provider: str) -> set[str]:
    return {domain.ascii for domain in config.derived.acme_hosts[provider]}


def test_examples(directory: Path) -> None:
    config = load_example(directory)
    assert names(config, "letsencrypt") == {
        "mx.example.org",
        "autoconfig.example.org",
        "mta-sts.example.org",
        "mail.example.org",
        "example.org",
        "www.example.org",
        "webmail.example.org",
    }
    assert names(config, "corporate") == set()
    assert {domain.ascii for domain in config.derived.client_settings_domains} == {"mail.example.org"}
    assert config.derived.source_ips == (ip_address("192.0.2.10"), ip_address("2001:db8::10"))
    assert config.derived.spf_ips == (*config.derived.source_ips, ip_address("198.51.100.7"))


def test_private_keys_are_not_shown(directory: Path) -> None:
    assert "PRIVATE" not in repr(load_example(directory).derived)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        pytest.param(
            ('description = "main domain"', "disabled = true"),
            {"autoconfig.example.org", "mta-sts.example.org", "mail.example.org"},
            id="disabled",
        ),
        pytest.param(("mtasts = {", "#"), {"mta-sts.example.org"}, id="no policy"),
    ],
)
def test_no_names(load_with: Load, change: tuple[str, str], missing: set[str]) -> None:
    assert names(load_with(change), "letsencrypt").isdisjoint(missing)


@pytest.mark.parametrize(
    ("ips", "source", "spf"),
    [
        pytest.param('ips = ["0.0.0.0", "::"]', [], [], id="unspecified"),
        pytest.param('ips = ["192.0.2.1", "192.0.2.2"]', [], ["192.0.2.1", "192.0.2.2"], id="two of a family"),
        pytest.param('ips = ["10.0.0.1"]\nnat_ips = ["192.0.2.9"]', ["10.0.0.1"], ["192.0.2.9"], id="NAT"),
    ],
)
def test_addresses(load_with: Load, ips: str, source: list[str], spf: list[str]) -> None:
    config = load_with(('ips = ["192.0.2.10", "2001:db8::10"]', ips), file="moxpy.toml")
    assert [str(ip) for ip in config.derived.source_ips] == source
    assert [str(ip) for ip in config.derived.spf_ips] == [*spf, "198.51.100.7"]
