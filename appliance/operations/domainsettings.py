"""What the operator sets of a domain: edits of its table in `domains.toml`, judged as a whole, active at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

import trio
from msgspec.structs import replace

from appliance.base.log import Log
from appliance.config import edit, generate
from appliance.config.domains import MTASTS, Canonicalization, DomainConfig, ReportAddress, Route, Selector
from appliance.config.generate import NewKey
from appliance.config.source import Config
from appliance.config.values import DomainName, Duration, FilePath, HeaderName, Separator
from appliance.delivery.appliance import Appliance
from appliance.operations import configuring, domains
from appliance.operations.configuring import Exists
from appliance.operations.settings import BadSetting, ChangedMeanwhile

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

log = Log("domains")

_DESCRIPTION_CHARACTERS: Final = 1000
#: RFC 6376 §3.1: labels of a domain name.
_SELECTOR_CHARACTERS: Final = 63


async def _change(app: Appliance, domain: DomainName, how: Callable[[DomainConfig], DomainConfig]) -> Config:
    def edits(document: "TOMLDocument", config: Config) -> None:
        configuring.require_domain(config, domain)
        before = config.domains.domains[domain]
        edit.update_table(document, ("domains", str(domain)), before, how(before))

    return await configuring.change(app, edits)


# All verbs below raise NoSuchDomain, NotValid (something else forbids it), FileRefused.


async def set_description(app: Appliance, domain: DomainName, text: str) -> None:
    """Set the operator's own words about it. Raises BadSetting."""
    text = text.strip()
    if len(text) > _DESCRIPTION_CHARACTERS:
        raise BadSetting(f"a description has at most {_DESCRIPTION_CHARACTERS} characters")
    await _change(app, domain, lambda one: replace(one, description=text))


async def set_client_settings_domain(app: Appliance, domain: DomainName, name: DomainName | None) -> None:
    """Set the host that mail programs are told of; None: the machine's name."""
    await _change(app, domain, lambda one: replace(one, client_settings_domain=name))


async def set_localparts(
    app: Appliance, domain: DomainName, separators: Sequence[Separator], *, case_sensitive: bool
) -> None:
    """Set what begins a part of localparts that is ignored, and whether case matters."""
    await _change(
        app,
        domain,
        lambda one: replace(
            one, localpart_catchall_separators=tuple(separators), localpart_case_sensitive=case_sensitive
        ),
    )


async def set_report_address(
    app: Appliance, domain: DomainName, kind: Literal["dmarc", "tlsrpt"], address: ReportAddress | None
) -> None:
    """Set where reports of others arrive; None: nowhere."""
    await _change(app, domain, lambda one: replace(one, **{kind: address}))


async def set_mtasts(app: Appliance, domain: DomainName, policy: MTASTS | None) -> None:
    """Set the policy that senders fetch; None: there is none."""
    await _change(app, domain, lambda one: replace(one, mtasts=policy))


async def set_routes(app: Appliance, domain: DomainName, routes: Sequence[Route]) -> None:
    """Set which mail from the domain takes which transport."""
    await _change(app, domain, lambda one: replace(one, routes=tuple(routes)))


async def add_key(
    app: Appliance,
    domain: DomainName,
    selector: str,
    algorithm: Literal["rsa", "ed25519"],
    *,
    hash: Literal["sha256", "sha1"] = "sha256",
    canonicalization: Canonicalization,
    seal: bool,
    headers: Sequence[HeaderName],
    expiration: Duration | None,
) -> None:
    """Make a DKIM key. It does not sign yet: its record must be in the DNS first. Raises Exists, KeyNotMade."""
    _selector(selector)
    kind = "ed25519" if algorithm == "ed25519" else "rsa2048"
    file = generate.dkim_key_file(selector, domain, app.clock.now(), kind)
    new = Selector(
        hash=hash,
        canonicalization=canonicalization,
        headers=tuple(headers),
        dont_seal_headers=not seal,
        expiration=expiration,
        private_key_file=FilePath(file),
    )

    def added(one: DomainConfig) -> DomainConfig:
        if selector in one.dkim.selectors:
            raise Exists(f"{domain} has a key {selector} already")
        return replace(one, dkim=replace(one.dkim, selectors={**one.dkim.selectors, selector: new}))

    now = app.config.snapshot()
    configuring.require_domain(now, domain)
    added(now.domains.domains[domain])  # Before a file is made.
    with trio.CancelScope(shield=True):
        made = await trio.to_thread.run_sync(
            domains.make_keys, app.config.snapshot().directory, [NewKey(selector, kind, file)]
        )
        try:
            await _change(app, domain, added)
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            raise
    log.info("DKIM key added", domain=str(domain), selector=selector)


async def remove_key(app: Appliance, domain: DomainName, selector: str) -> None:
    """Remove a DKIM key; it signs no more, and its file moves to `old`. Raises BadSetting."""
    files: list[str] = []

    def removed(one: DomainConfig) -> DomainConfig:
        if selector not in one.dkim.selectors:
            raise BadSetting(f"{domain} has no key {selector}")
        files[:] = [str(one.dkim.selectors[selector].private_key_file)]
        left = {name: key for name, key in one.dkim.selectors.items() if name != selector}
        sign = tuple(name for name in one.dkim.sign if name != selector)
        return replace(one, dkim=replace(one.dkim, selectors=left, sign=sign))

    with trio.CancelScope(shield=True):
        config = await _change(app, domain, removed)
        await trio.to_thread.run_sync(domains.put_away, config, files)
    log.info("DKIM key removed", domain=str(domain), selector=selector)


async def replace_signing(app: Appliance, domain: DomainName, successors: Mapping[str, str]) -> None:
    """Let keys sign in the place of others. Raises BadSetting when there is no such key."""

    def replaced(one: DomainConfig) -> DomainConfig:
        if unknown := [name for name in successors.values() if name not in one.dkim.selectors]:
            raise BadSetting(f"{domain} has no key {unknown[0]}")
        sign = dict.fromkeys(successors.get(name, name) for name in one.dkim.sign)
        return replace(one, dkim=replace(one.dkim, sign=tuple(sign)))

    await _change(app, domain, replaced)
    log.info("DKIM keys replaced", domain=str(domain), selectors=sorted(successors.values()))


async def save_keys(app: Appliance, domain: DomainName, selectors: Mapping[str, Selector], sign: Sequence[str]) -> None:
    """Set how keys sign, and which of them do. The keys themselves stay as they are.

    Raises ChangedMeanwhile, BadSetting.
    """

    def saved(one: DomainConfig) -> DomainConfig:
        if selectors.keys() != one.dkim.selectors.keys():
            raise ChangedMeanwhile(f"the keys of {domain} were changed meanwhile; look at them again")
        for name, new in selectors.items():
            if new.private_key_file != one.dkim.selectors[name].private_key_file:
                raise BadSetting(f"the file of key {name} cannot be changed here")
        if unknown := [name for name in sign if name not in selectors]:
            raise BadSetting(f"{domain} has no key {unknown[0]}")
        return replace(one, dkim=replace(one.dkim, selectors=dict(selectors), sign=tuple(sign)))

    await _change(app, domain, saved)


def _selector(text: str) -> None:
    labels = text.split(".")
    good = all(label and label.strip("-") == label and label.replace("-", "").isalnum() for label in labels)
    if not good or not text.isascii() or text != text.lower() or len(text) > _SELECTOR_CHARACTERS:
        raise BadSetting("a selector is made of letters, digits and hyphens, in lower case")
