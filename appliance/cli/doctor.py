"""Command doctor: is this installation in order, and what to do where it is not."""

import os
from collections.abc import Mapping
from typing import Any

import trio

from appliance.base import log
from appliance.base.clock import SystemClock
from appliance.base.ids import SystemRandom
from appliance.cli import lookup, output, remote
from appliance.cli.main import FAILED, OK, Failed, Invocation
from appliance.cli.quickstart import told
from appliance.config.errors import ConfigErrors
from appliance.config.load import Config, load
from appliance.config.validate_static import RunAs
from appliance.dns.resolver import Resolver
from appliance.net.dial import dial
from appliance.operations import doctor, domaincheck, hostfacts, quickstart
from appliance.operations.domaincheck import Area, Subject
from appliance.operations.stage import Grade, Stage
from appliance.tls import roots


def run(invocation: Invocation) -> int:
    """Examine, tell, exit with 1 when something is wrong (with --strict, also when it is doubtful)."""
    log.configure(invocation.text("loglevel") or "error")
    as_json = invocation.given("json")
    stages: list[Stage] = []

    def tell(stage: Stage) -> None:
        stages.append(stage)
        if not as_json:
            for line in told(stage):
                print(line, flush=True)

    config, faults = _configuration(invocation)
    for stage in faults:
        tell(stage)
    if config is not None:
        trio.run(_examine, invocation, config, tell)
    wrong = [stage for stage in stages if stage.grade is Grade.ERROR]
    doubtful = [stage for stage in stages if stage.grade is Grade.WARNING]
    if as_json:
        checks = [
            {"title": one.title, "grade": one.grade.value, "texts": one.texts, "remedies": one.remedies}
            for one in stages
        ]
        output.print_json({"ok": not wrong, "errors": len(wrong), "warnings": len(doubtful), "checks": checks})
    else:
        print(f"\n{len(wrong)} wrong, {len(doubtful)} doubtful, of {len(stages)} checks")
    return FAILED if wrong or (doubtful and invocation.given("strict")) else OK


def _configuration(invocation: Invocation) -> tuple[Config | None, list[Stage]]:
    """The configuration, as far as there is one; its errors are findings like others."""
    try:
        return load(invocation.config_path), []
    except ConfigErrors as errors:
        stage = Stage("Configuration")
        for problem in errors.problems:
            stage.fail(str(problem), "Mend it, then: moxpy config test")
    try:
        # As much as can be looked at without the files it names, and without the user it names.
        return load(invocation.config_path, check_files=False, find_user=lambda _: RunAs(0, 0)), [stage]
    except ConfigErrors:
        return None, [stage]


async def _examine(invocation: Invocation, config: Config, tell: Any) -> None:
    clock = SystemClock()
    resolver = Resolver(lookup.network(invocation, clock), caller="doctor")
    believed = await trio.to_thread.run_sync(roots.configured, config.static.tls.ca, config.directory)
    with_keys = await trio.to_thread.run_sync(hostfacts.with_keys, config)
    facts = await hostfacts.facts(with_keys, resolver) if not invocation.given("offline") else None
    means_of_checks = hostfacts.means(resolver, believed, clock, SystemRandom())

    async def check_domain(name: str) -> Mapping[str, Area]:
        entry = next(one for one in with_keys.derived.addresses.domains.values() if one.name == name)
        assert facts is not None
        return await domaincheck.check(Subject(config=with_keys, entry=entry, facts=facts, means=means_of_checks))

    means = doctor.Means(
        clock=clock,
        resolver=resolver,
        dialer=dial,
        running=await trio.to_thread.run_sync(_running, invocation),
        check_domain=check_domain,
        dial_domain=invocation.text("dialhost") or quickstart.DIAL_DOMAIN,
        offline=invocation.given("offline"),
    )
    async for stage in doctor.examine(config, means):
        tell(stage)


def _running(invocation: Invocation) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = remote.call(invocation, "status")
    except Failed as failure:
        if "Permission denied" in str(failure) and os.geteuid() != 0:
            raise Failed(f"{failure}\nrun this as root, or as the user of the server") from failure
        return None
    return found
