"""Which annotations GETMETADATA tells, against RFC 5464 §4.2.2 word for word; and the limits of an account."""

from pathlib import Path

from hypothesis import given, settings, strategies as st

from appliance.protocol.imap.metadata import INFINITY
from appliance.servers.imap.metadata import choose
from support.imaphouse import open_house

NAMES = st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(lambda parts: "/private/" + "/".join(parts))


def naive(found: set[str], wanted: list[str], depth: int) -> set[str]:
    chosen = set()
    for name in found:
        for entry in wanted:
            below = name.split("/")[len(entry.split("/")) :]
            if name.split("/")[: len(entry.split("/"))] == entry.split("/") and len(below) <= depth:
                chosen.add(name)
    return chosen


@settings(max_examples=300, deadline=None)
@given(
    st.sets(NAMES),
    st.lists(NAMES | st.just("/private"), min_size=1, unique=True),
    st.sampled_from([1, INFINITY]),
)
def test_depth(found, wanted, depth):
    chosen = choose(found, wanted, depth)
    assert chosen == sorted(naive(found, wanted, depth))


def test_depth_zero_names_what_is_not_there():
    assert choose({"/private/a"}, ["/private/b", "/private/a"], 0) == ["/private/b", "/private/a"]


async def test_all_that_an_account_may_have(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        deep = "/x" * 29
        for start in range(0, 1000, 100):
            pairs = " ".join(f'/private/{number}{deep} "v{number}"' for number in range(start, start + 100))
            await client.command(f"SETMETADATA INBOX ({pairs})")
        await client.command('SETMETADATA INBOX (/private/more "x")', expect=b"NO [METADATA TOOMANY]")
        await client.command('SETMETADATA "" (/private/more "x")', expect=b"NO [METADATA TOOMANY]")
        (line, _) = await client.command("GETMETADATA (DEPTH infinity) INBOX /private")
        assert line.count(b"/private/") == 1000
        await client.command('SETMETADATA INBOX (/private/0/x NIL /private/1/x "")', expect=b"NO [METADATA TOOMANY]")
        await client.command(f'SETMETADATA INBOX (/private/more "x" /private/0{deep} NIL)')
