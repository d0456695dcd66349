import pytest
from hypothesis import given, strategies as st

from appliance.mail import comment


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        pytest.param(b"a (b) c", b"a   c", id="one"),
        pytest.param(b"(a (b (c)) d)e", b" e", id="nested"),
        pytest.param(b"(a \\) b) c", b"  c", id="quoted pair"),
        pytest.param(b'"(a)" (b)', b'"(a)"  ', id="quoted string"),
        pytest.param(b"a (b", b"a  ", id="never closed"),
        pytest.param(b'a "b (c)', b'a "b (c)', id="quote never closed"),
        pytest.param(b"a) b", b"a) b", id="never opened"),
    ],
)
def test_remove(value, rest):
    assert comment.remove(value) == rest


@given(st.lists(st.sampled_from([b"(", b")", b"\\", b'"', b"a"]), max_size=40).map(b"".join))
def test_any_octets(value):
    comment.remove(value)


@pytest.mark.parametrize("piece", [b"(", b"()", b"(()", b'"', b"\\", b'"(', b"(\\"])
def test_linear(piece, growth):
    growth(lambda size: comment.remove(piece * size))
