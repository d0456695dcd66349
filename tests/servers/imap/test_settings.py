"""What the configuration says of an account counts at once, in open sessions, too."""

from pathlib import Path

from support.imaphouse import DOMAINS, open_house


async def test_disabled_capabilities(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        assert b" METADATA " in (await client.command("CAPABILITY"))[0]
        account = DOMAINS.replace("[accounts.alice]\n", '[accounts.alice]\nimap_capabilities_disabled = ["METADATA"]\n')
        (tmp_path / "domains.toml").write_text(account)
        house.app.config.reload()
        assert b" METADATA " not in (await client.command("CAPABILITY"))[0]
        assert (await client.command("ENABLE METADATA CONDSTORE"))[0] == b"* ENABLED CONDSTORE"
        # What clients use nevertheless works.
        await client.command('SETMETADATA INBOX (/private/comment "x")')
        other = house.connect()
        assert b" METADATA " in await other.line()  # Nobody knows yet whose session it will be.
        assert b" METADATA " not in (await other.command('LOGIN alice@example.org "correct horse"'))[-1]


async def test_quota(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await client.append(b"x" * 1500)
        assert (await client.command('GETQUOTA ""'))[0] == b'* QUOTA "" ()'
        limited = DOMAINS.replace("[accounts.alice]\n", "[accounts.alice]\nquota_message_size = 2049\n")
        (tmp_path / "domains.toml").write_text(limited)
        house.app.config.reload()
        assert (await client.command('GETQUOTA ""'))[0] == b'* QUOTA "" (STORAGE 2 3)'
        await client.command("APPEND INBOX {600}", expect=b"NO [OVERQUOTA]")
        await client.command("SELECT INBOX")
        await client.command("COPY 1 Sent", expect=b"NO [OVERQUOTA]")
        (tmp_path / "domains.toml").write_text(DOMAINS)
        house.app.config.reload()
        await client.command("COPY 1 Sent", expect=b"OK")
