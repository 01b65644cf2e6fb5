"""``essmc check``: everything that a pack brings, one line for each thing that is wrong."""

from __future__ import annotations

import sys

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_devkit.installation.checks import check_installed


@click.command("check", epilog=examples("essmc check essmc-demo", "essmc check essmc-demo --json"))
@click.argument("pack")
@json_option
def check(pack: str, as_json: bool) -> None:
    """Check an installed pack.

    The exit status is 0 if nothing failed, 1 if a check failed, 2 if the command could not run.
    """
    findings = list(check_installed(pack))
    if as_json:
        write_json([finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            click.echo(
                f"{finding.status:8}{finding.check}  {finding.subject}  {finding.message}  {finding.fix}".rstrip()
            )
    sys.exit(any(finding.status == "failed" for finding in findings))
