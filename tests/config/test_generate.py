import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.config.domains import Domains
from appliance.config.errors import Report
from appliance.config.generate import NewDomain, dkim_key_file, new_account, new_domain, render
from appliance.config.schema import Table, read_table
from appliance.config.static import Listener, Monitoring, Postmaster, Static, WebService
from appliance.config.values import (
    AddressName,
    DomainName,
    FilePath,
    IPName,
    MailboxName,
    Pattern,
    Port,
    URLPath,
)
from support.exampleconfig import DATA, load_example

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DOMAIN = DomainName("new.example")


def domain(**changes: bool) -> NewDomain:
    choices = {"has_mtasts_listener": True, "is_postmaster_account": False, "account_exists": True} | changes
    return new_domain(DOMAIN, account="alice", hostname=DomainName("mx.example.org"), now=NOW, **choices)


def test_new_account() -> None:
    account = new_account(AddressName("carol@new.example"))
    assert tuple(account.destinations) == ("carol@new.example",)
    assert account.rejects_mailbox == "Rejects"
    assert account.no_custom_password
    flags, junk = account.automatic_junk_flags, account.junk_filter
    assert (flags.enabled, flags.junk_mailbox_regexp) == (True, "^(junk|spam)")
    assert flags.neutral_mailbox_regexp == "^(inbox|introbox|neutral|postmaster|dmarc|tlsrpt|rejects)"
    assert junk is not None
    assert (junk.threshold, junk.onegrams, junk.max_power, junk.top_words, junk.ignore_words, junk.rare_words) == (
        0.95, True, 0.01, 10, 0.1, 2,
    )  # fmt: skip
    assert account.subject_pass.period == "12h"


def test_new_domain() -> None:
    made = domain()
    config = made.config
    assert [key.selector for key in made.keys] == ["2026a", "2026b", "2026e"]
    assert made.keys[0].file == "dkim/2026a._domainkey.new.example.20260304T050607.rsa2048.privatekey.pkcs8.pem"
    assert config.dkim.sign == ("2026a",)
    assert config.client_settings_domain == "mail.new.example"
    assert config.mtasts is not None
    assert (config.mtasts.policy_id, config.mtasts.mode, config.mtasts.max_age.seconds) == (
        "20260304T050607",
        "enforce",
        86400,
    )
    assert config.mtasts.mx == ("mx.example.org",)
    assert tuple(made.destinations) == ("postmaster@new.example",)


@pytest.mark.parametrize("change", [{"is_postmaster_account": True}, {"account_exists": False}])
def test_postmaster_has_his_addresses(change: dict[str, bool]) -> None:
    assert domain(**change).destinations == {}


def test_no_policy_without_listener() -> None:
    assert domain(has_mtasts_listener=False).config.mtasts is None


def test_dkim_key_file_is_in_utc() -> None:
    assert ".20260304T050607.ed25519." in dkim_key_file("s", DOMAIN, NOW, "ed25519")


def test_generated_values_load(directory: Path, keys: dict[str, bytes]) -> None:
    made = domain()
    for key in made.keys:
        (directory / key.file).write_bytes(keys[key.algorithm])
    before = load_example(directory).domains
    after = Domains(
        monitor_dnsbls=before.monitor_dnsbls,
        domains={**before.domains, "new.example": made.config},
        accounts={**before.accounts, "carol": new_account(AddressName("carol@new.example"))},
    )
    (directory / "domains.toml").write_text(render(after))
    assert load_example(directory).domains == after


@pytest.mark.parametrize(("file", "table"), [("moxpy.toml", Static), ("domains.toml", Domains)])
def test_rendered_examples_say_the_same(file: str, table: type[Table]) -> None:
    report = Report()
    value = read_table(table, tomllib.loads((DATA / file).read_text()), (), report)
    assert read_table(table, tomllib.loads(render(value)), (), report) == value
    assert report.errors == []


def test_rendered_file_explains_itself() -> None:
    static = Static(
        data_dir=FilePath("."),
        log_level="debug",
        hostname=DomainName("localhost"),
        listeners={
            "local": Listener(
                ips=(IPName("127.0.0.1"),),
                admin_http=WebService(enabled=True, port=Port(1080), path=URLPath("/admin/")),
                metrics_http=Monitoring(enabled=True, port=Port(8010)),
            )
        },
        postmaster=Postmaster(account="me", mailbox=MailboxName("Inbox")),
    )
    text = render(static, suggestions={(): ["", "# Recommended: check_updates = true"]})
    assert "# Recommended: check_updates = true\n" in text
    assert text.index("Recommended") < text.index("[listeners.local]")
    assert text.endswith('account = "me"\n# Mailbox for mail to the postmaster.\nmailbox = "Inbox"\n')
    raw = tomllib.loads(text)
    assert raw["listeners"]["local"] == {
        "ips": ["127.0.0.1"],
        "admin_http": {"enabled": True, "port": 1080},
        "metrics_http": {"enabled": True},
    }


def test_patterns_survive() -> None:
    report = Report()
    before = Domains(domains={}, accounts={"a": new_account(AddressName("a@b.example"))})
    pattern = Pattern(r"""^'"\\\d""")
    from msgspec.structs import replace

    account = replace(
        before.accounts["a"],
        automatic_junk_flags=replace(before.accounts["a"].automatic_junk_flags, junk_mailbox_regexp=pattern),
    )
    before = replace(before, accounts={"a": account})
    assert read_table(Domains, tomllib.loads(render(before)), (), report) == before
