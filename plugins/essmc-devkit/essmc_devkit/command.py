"""``essmc check``: everything that a pack brings, one line for each thing that is wrong, with what to do."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_devkit.checking import check_pack
from essmc_devkit.children.limits import GIB, Limits
from essmc_devkit.finding import Finding
from essmc_devkit.installation.finding_packs import (
    NoSuchPack,
    NotInstallable,
    build_wheel,
    installed_pack,
    unpack_wheel,
)
from essmc_devkit.options import Options
from essmc_devkit.report import lines, summary


@click.command(
    "check",
    epilog=examples(
        "essmc check", "essmc check essmc-demo --fast", "essmc check dist/essmc_demo-0.1.0-py3-none-any.whl"
    ),
)
@click.argument("pack", required=False)
@click.option("--only", multiple=True, metavar="PATTERN", help="Only checks of these names, e.g. 'installation.*'.")
@click.option("--leave-out", multiple=True, metavar="PATTERN", help="Not the checks of these names.")
@click.option("--components", multiple=True, metavar="PATTERN", help="Only these components, entries and commands.")
@click.option("--fast", is_flag=True, help="Leave out components and entries: the installation alone.")
@click.option("--whole", is_flag=True, help="Check every member of large families, not three of each.")
@click.option("--strict", is_flag=True, help="Warnings count as failures.")
@click.option("--all", "everything", is_flag=True, help="A line for each subject of checks that are in order.")
@click.option("--limit-time", default=120.0, show_default=True, metavar="SECONDS", type=click.FloatRange(1))
@click.option("--limit-memory", default=8.0, show_default=True, metavar="GIB", type=click.FloatRange(0.25))
@json_option
def check(
    pack: str | None,
    only: tuple[str, ...],
    leave_out: tuple[str, ...],
    components: tuple[str, ...],
    fast: bool,
    whole: bool,
    strict: bool,
    everything: bool,
    limit_time: float,
    limit_memory: float,
    as_json: bool,
) -> None:
    """Check a pack: its installation, and each component, zoo entry and command.

    PACK is an installed distribution, a wheel, or a folder with a pyproject.toml, by default the current one. A folder
    is built into a wheel, with the build tools of this environment and without network, and wheels are unpacked into a
    folder of their own; nothing is installed. What the pack brings runs in child processes that may take so much time
    and memory for each subject.

    The exit status is 0 if nothing failed, 1 if a check failed, 2 if the command was misused.
    """
    limits = Limits(limit_time, int(limit_memory * GIB))
    options = Options(limits, only, leave_out, components, fast, whole)
    findings = list(_check(pack, options, _progress()))
    failed = {"failed", "warning"} if strict else {"failed"}
    if as_json:
        write_json([finding.as_dict() for finding in findings])
    else:
        for line in lines(findings, everything):
            click.echo(line)
        click.echo(summary(findings))
    sys.exit(any(finding.status in failed for finding in findings))


def _check(pack: str | None, options: Options, tell: Callable[[str], None]) -> Iterator[Finding]:
    named = Path(pack or ".")
    if pack is not None and not named.exists():
        yield from check_pack(installed_pack(pack), options, tell)
        return
    with tempfile.TemporaryDirectory(prefix="essmc-check-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            if named.is_dir():
                if not (named / "pyproject.toml").is_file() and not (named / "setup.py").is_file():
                    raise NoSuchPack(
                        f"{named.resolve()} holds no pyproject.toml", hint="name a pack: its folder, a wheel"
                    )
                tell(f"building {named.resolve().name}")
                (folder / "dist").mkdir()
                wheel, source = build_wheel(named, folder / "dist"), named
            elif named.suffix == ".whl":
                wheel, source = named, None
            else:
                raise NoSuchPack(f"{named} is neither a folder nor a wheel", hint="name a pack: its folder, a wheel")
            tell(f"unpacking {wheel.name}")
            unpacked = unpack_wheel(wheel, folder / "site", source)
        except NotInstallable as error:
            yield Finding(error.check, named.resolve().name, "failed", error.message, error.hint)
            return
        yield from check_pack(unpacked, options, tell)


def _progress() -> Callable[[str], None]:
    """Returns what shows the subject under way on a terminal's standard error, in one line that is overwritten."""
    if not sys.stderr.isatty():
        return lambda text: None
    # Erasing the line first, and going back to its beginning, keeps it out of the report.
    return lambda text: click.echo(f"\r\033[K{text}\r", nl=False, err=True)
