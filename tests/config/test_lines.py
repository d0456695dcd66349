import tomllib

from hypothesis import given, settings, strategies as st

from appliance.config.generate import toml_value
from appliance.config.lines import line_of, lines_of

TEXT = '''# top
a = 1
b.c = """
two ] lines"""
[t."x.y"]  # header
k = [ # array
  1,
  { z = 2 }, ]
"q\\u0041" = {a.b = 1, c = [2]}
[[l]]
s = 'x # [no]'
[[l]]
s = 2
[l.sub]
m = 1979-05-27T07:32:00Z
[[l.deep]]
n = -1.5e3
'''


def test_lines() -> None:
    tomllib.loads(TEXT)
    lines = lines_of(TEXT)
    expected = {
        ("a",): 2,
        ("b", "c"): 3,
        ("t", "x.y"): 5,
        ("t", "x.y", "k"): 6,
        ("t", "x.y", "k", 0): 7,
        ("t", "x.y", "k", 1, "z"): 8,
        ("t", "x.y", "qA", "a", "b"): 9,
        ("t", "x.y", "qA", "c", 0): 9,
        ("l", 0): 10,
        ("l", 0, "s"): 11,
        ("l", 1): 12,
        ("l", 1, "s"): 13,
        ("l", 1, "sub", "m"): 15,
        ("l", 1, "deep", 0, "n"): 17,
    }
    assert {path: lines.get(path) for path in expected} == expected
    assert line_of(lines, ("l", 1, "sub", "absent")) == 14
    assert line_of(lines, ("absent",)) is None
    assert lines_of(TEXT.replace("\n", "\r\n")) == lines


_leaf = st.one_of(st.booleans(), st.integers(-5, 5), st.text("a\n\t\"'\\ é#[]={}", max_size=8))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text('ab."\\ é#[', min_size=1, max_size=4), st.one_of(_leaf, st.lists(_leaf, max_size=3))))
def test_every_key_has_a_line(values: dict[str, object]) -> None:
    from appliance.config.errors import quote_key

    text = "".join(f"{quote_key(key)} = {toml_value(value)}\n" for key, value in values.items())
    assert tomllib.loads(text) == values
    lines = lines_of(text)
    assert [lines[(key,)] for key in values] == list(range(1, len(values) + 1))
