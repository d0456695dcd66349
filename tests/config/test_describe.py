import re
import tomllib
from collections.abc import Callable

import pytest

from appliance.config.describe import describe_domains, describe_sendmail, describe_static
from appliance.config.domains import Domains
from appliance.config.errors import Report
from appliance.config.schema import ListOf, MapOf, Shape, SubTable, Table, keys_of, read_table
from appliance.config.static import Static
from appliance.config.submitting import Submitting

TEMPLATES = [
    pytest.param(describe_static, Static, id="static"),
    pytest.param(describe_domains, Domains, id="domains"),
    pytest.param(describe_sendmail, Submitting, id="sendmail"),
]
#: What a template cannot guess: names of the operator's own things.
OWN_NAMES = "is required"


def uncommented(text: str) -> str:
    return re.sub(r"(?m)^#(?=[^ \n])", "", text)


@pytest.mark.parametrize(("describe", "table"), TEMPLATES)
def test_template_is_of_the_schema(describe: Callable[[], str], table: type[Table]) -> None:
    text = describe()
    report = Report()
    read_table(table, tomllib.loads(uncommented(text)), (), report)
    assert {remark.message for remark in report.errors} <= {OWN_NAMES}
    tomllib.loads(text)
    assert max(map(len, text.splitlines())) < 130


@pytest.mark.parametrize(("describe", "table"), TEMPLATES)
def test_every_key_is_there_with_a_word(describe: Callable[[], str], table: type[Table]) -> None:
    raw = tomllib.loads(uncommented(describe()))

    def check(shape: Shape, raw: object) -> None:
        if isinstance(shape, SubTable):
            assert isinstance(raw, dict)
            keys = keys_of(shape.type)
            assert list(raw.keys() - keys) == []
            for name, key in keys.items():
                assert key.doc.endswith((".", ")"))
                check(key.shape, raw[name])
        elif isinstance(shape, MapOf):
            assert isinstance(raw, dict)
            check(shape.item, next(iter(raw.values())))
        elif isinstance(shape, ListOf):
            assert isinstance(raw, list)
            check(shape.item, raw[0])

    check(SubTable(table), raw)


def test_defaults_of_a_place_are_shown() -> None:
    text = describe_static()
    admin = text[text.index("[listeners.public.admin_https]") :]
    assert "#port = 443" in admin[: admin.index("[listeners.public.webmail_http]")]
    assert '#path = "/admin/"' in admin[: admin.index("[listeners.public.webmail_http]")]
    assert "[listeners.public]\n" in text
    assert "\n#[listeners.public.smtp]\n" in text
    assert '\nhostname = "mail.example.org"\n' in text
