from collections.abc import Callable

import pytest

from appliance.mail import html


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("a &amp; <b>b</b>", "a & b", id="inline"),
        pytest.param("<p>a<p>b", "\na\nb", id="blocks"),
        pytest.param('<a title="x>y">z</a>', "z", id="bracket in quotes"),
        pytest.param("<style>p{}</STYLE>a<!-- b -->c", "ac", id="hidden"),
        pytest.param("<img alt='hi'>", " hi ", id="image"),
        pytest.param("1 < 2 <3", "1 < 2 <3", id="no tags"),
        pytest.param("a<script>b", "a", id="never closed"),
        pytest.param("&#" + "9" * 6000 + ";", "\ufffd", id="absurd reference"),
        pytest.param("\u0130" * 50 + "<script>x</script>b", "\u0130" * 50 + "b", id="letters that grow in lower case"),
    ],
)
def test_to_text(source: str, expected: str) -> None:
    assert html.to_text(source) == expected


@pytest.mark.parametrize(
    "piece", ["<a", '<a ="', "<a ='\"", "<!--", "<style>", "&", "&#1", "<", "<p>", "= ", "<img alt='"]
)
def test_growth(piece: str, growth: Callable[[Callable[[int], object]], None]) -> None:
    growth(lambda size: html.to_text(piece * size))
