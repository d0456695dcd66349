"""Functions called with whatever JSON: always an answer, and never a fault of ours."""

import json
import random
from typing import Any

import pytest
from msgspec import inspect

from appliance.servers.web.account.table import TABLE as ACCOUNT
from appliance.servers.web.admin.table import TABLE as ADMIN
from support import webhouse

#: Those that end what the others need.
_NOT = {"Login", "LoginPrep", "Logout", "SetPassword", "GeneratePassword", "SessionRemove", "SessionsRemoveOthers"}
_TEXTS = [
    *(
        "",
        " ",
        "x",
        "alice@example.org",
        "a@b",
        "@example.org",
        "example.org",
        "Inbox",
        "a/b",
        "..",
        "\x00",
        "\r\n.\r\n",
    ),
    *("\u0301", "\U0001f980", "\ufeff", "x" * 5000, "(" * 50, "^a+$", "https://x.example/", "-1", "1h", '"', "<b>"),
]
_NUMBERS = [0, 1, -1, 7, 2**31, 2**63, -(2**63), 10**30]
#: From which lists are empty.
_DEPTH = 8


def value(kind: inspect.Type, chance: random.Random, depth: int = 0) -> Any:
    """One of a type, mostly; its parts are at the edges of what it may be."""
    if chance.random() < 0.03:
        return chance.choice([None, True, 0, "x", [], {}, 1.5, [[[]]], {"a": {}}])
    match kind:
        case inspect.Metadata():
            return value(kind.type, chance, depth + 1)
        case inspect.UnionType():
            return value(chance.choice(list(kind.types)), chance, depth + 1)
        case inspect.StructType():
            fields = [one for one in kind.fields if one.required or chance.random() < 0.5]
            return {one.encode_name: value(one.type, chance, depth + 1) for one in fields}
        case inspect.ListType() | inspect.VarTupleType():
            # Some types hold themselves.
            return [
                value(kind.item_type, chance, depth + 1) for _ in range(chance.randrange(4 if depth < _DEPTH else 1))
            ]
        case inspect.DictType():
            return {
                chance.choice(_TEXTS): value(kind.value_type, chance, depth + 1) for _ in range(chance.randrange(3))
            }
        case inspect.BoolType():
            return chance.random() < 0.5
        case inspect.IntType():
            return chance.choice(_NUMBERS)
        case inspect.FloatType():
            return chance.choice([0, 0.5, 1, -1, 1e300])
        case inspect.EnumType():
            return chance.choice([*(one.value for one in kind.cls), "x"])
        case inspect.DateTimeType():
            return chance.choice(["2026-03-01T12:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", ""])
        case inspect.LiteralType():
            return chance.choice([*kind.values, "x"])
        case inspect.CustomType() if issubclass(kind.cls, int):
            return chance.choice(_NUMBERS)
        case inspect.NoneType():
            return None
        case _:
            return chance.choice([*_TEXTS, *_NUMBERS[:4]] if isinstance(kind, inspect.CustomType) else _TEXTS)


@pytest.fixture
async def house(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        yield house


@pytest.mark.parametrize("table", [ACCOUNT, ADMIN], ids=lambda one: one.name)
async def test_any_json(house, table):
    browser = await house.logged_in(table.name.removeprefix("web"))
    chance = random.Random(20261126)
    for name, method in table.methods.items():
        if name in _NOT:
            continue
        kinds = inspect.multi_type_info([one.type for one in method.parameters])
        for _ in range(25 if kinds else 1):
            params = [value(one, chance) for one in kinds]
            answer = await browser.post(name, json.dumps({"params": params}).encode())
            assert answer.status == 200, (name, params)
            code = answer.json.get("error", {}).get("code", "")
            assert code in {"", "user:error"}, (name, params, answer.json)
    assert (await browser.call("Version")).result
