"""Commands about configuration files, and how other commands load them."""

from dataclasses import replace
from pathlib import Path

from msgspec import structs

from appliance.cli import output
from appliance.cli.main import FAILED, OK, Failed, Invocation
from appliance.config.errors import ConfigErrors
from appliance.config.load import Config, load
from appliance.config.source import ConfigSource


def load_config(invocation: Invocation, *, check_files: bool = False) -> Config:
    """The configuration, for a command that only needs to know what is in it. All errors at once."""
    try:
        return load(invocation.config_path, check_files=check_files)
    except ConfigErrors as errors:
        raise Failed(f"the configuration has errors\n{errors}") from errors


def load_source(invocation: Invocation, path: Path | None = None, *, hint: str = "") -> ConfigSource:
    """The configuration for a server. All errors at once."""
    path = path or invocation.config_path
    try:
        config = load(path)
        if invocation.given("pedantic"):
            config = replace(config, static=structs.replace(config.static, pedantic=True))
        return ConfigSource(path, config)
    except ConfigErrors as errors:
        more = f"\n{hint}" if hint else ""
        raise Failed(f"the configuration has errors\n{errors}{more}") from errors


def test(invocation: Invocation) -> int:
    """Check both files and those they point to."""
    problems: list[object] = []
    warnings: list[object] = []
    try:
        config = load(invocation.config_path)
        warnings = list(config.warnings)
    except ConfigErrors as errors:
        problems = list(errors.problems)
    lines = [f"warning: {one}" for one in warnings] + [f"error: {one}" for one in problems]
    document = {"ok": not problems, "errors": list(map(str, problems)), "warnings": list(map(str, warnings))}
    output.show(invocation, document, [*lines, *([] if problems else ["config OK"])])
    return FAILED if problems else OK


def describe_static(_: Invocation) -> int:
    """Print the template of moxpy.toml."""
    from appliance.config import describe

    print(describe.describe_static(), end="")
    return OK


def describe_domains(_: Invocation) -> int:
    """Print the template of domains.toml."""
    from appliance.config import describe

    print(describe.describe_domains(), end="")
    return OK


def describe_sendmail(_: Invocation) -> int:
    """Print the template of moxpysubmit.toml."""
    from appliance.config import describe

    print(describe.describe_sendmail(), end="")
    return OK
