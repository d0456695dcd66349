"""After UNAUTHENTICATE a session is as it was when it began (RFC 8437 §3, §4.1), whatever it learns to remember."""

from types import NoneType

from support.imaphouse import PASSWORD, USER, open_house

#: What belongs to the connection: octets on their way, and how far the client is known.
CONNECTION = {"_out_octets", "_waiting", "_unsaid", "user_agent", "_is_first", "_tag", "_name_position"}


def simple(thing: object) -> dict[str, object]:
    kinds = (bool, int, str, bytes, NoneType)
    return {name: one for name, one in vars(thing).items() if isinstance(one, kinds) and name not in CONNECTION}


async def test_nothing_of_the_login_is_left(tmp_path):
    async with open_house(tmp_path) as house:
        client = house.connect()
        await client.line()
        (session,) = house.sessions
        before = simple(session), simple(session.protocol)
        for _ in range(2):
            await client.command('ID ("name" "gateway")')
            await client.command(f'LOGIN {USER} "{PASSWORD}"')
            await client.append(b"Subject: x\r\n\r\ny\r\n")
            await client.command("SELECT INBOX")
            await client.command("ENABLE IMAP4rev2 UTF8=ACCEPT CONDSTORE QRESYNC METADATA UIDONLY")
            await client.command("UID SEARCH RETURN (SAVE) ALL")
            await client.command("NOTIFY SET (SELECTED (MessageNew MessageExpunge))")
            assert (simple(session), simple(session.protocol)) != before
            await client.command("UNAUTHENTICATE")
            assert (simple(session), simple(session.protocol)) == before
            assert session.user_agent == "gateway"
            assert not house.store.feed._listeners
