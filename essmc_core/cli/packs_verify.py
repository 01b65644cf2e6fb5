"""``essmc packs --verify``: installed files compared with RECORD, installer and origin."""

from __future__ import annotations

import shlex

import click

from essmc_core.cli.output import write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.installation.verification import VerifiedPack, verify_packs

_COLUMNS = (
    Column("pack"), Column("version", gives_way=2), Column("files"), Column("origin", prose=True, gives_way=1),
)  # fmt: skip
_MOST_SHOWN = 20


def write_verified(names: frozenset[str], as_json: bool) -> int:
    """Prints what differs in each pack; returns 1 if anything does.

    Args:
        names: short names of packs, all if empty.
        as_json: whether to print JSON.
    """
    verified = list(verify_packs(names))
    if as_json:
        write_json([_as_dict(pack) for pack in verified])
    else:
        write_table(_COLUMNS, [(p.distribution, p.version, _verdict(p), p.origin.text) for p in verified])
        for pack in verified:
            _write_differences(pack)
    return 1 if any(pack.differences for pack in verified) else 0


def _verdict(pack: VerifiedPack) -> str:
    if pack.differences:
        return f"{len(pack.differences)} differ"
    return "as installed" if pack.origin.kind != "editable" else "not copied"


def _write_differences(pack: VerifiedPack) -> None:
    if not pack.differences:
        return
    click.echo(f"\n{pack.distribution} is not as it was installed:")
    for difference in pack.differences[:_MOST_SHOWN]:
        detail = f" ({difference.detail})" if difference.detail else ""
        click.echo(f"  {difference.fault}: {difference.path}{detail}")
    more = len(pack.differences) - _MOST_SHOWN
    if more > 0:
        click.echo(f"  and {more:,} more, which --json lists")
    click.echo(f"  pip install --force-reinstall --no-deps {_again(pack)}")


def _again(pack: VerifiedPack) -> str:
    """Returns what installs the same again."""
    origin = pack.origin
    if origin.kind == "vcs":
        return shlex.quote(f"{pack.distribution} @ {origin.url}@{origin.commit}")
    if origin.kind in ("archive", "folder", "editable") and origin.place:
        return f"{'-e ' if origin.kind == 'editable' else ''}{shlex.quote(origin.place)}"
    return f"{pack.distribution}=={pack.version}"


def _as_dict(pack: VerifiedPack) -> dict[str, object]:
    origin = pack.origin
    return {
        "distribution": pack.distribution,
        "version": pack.version,
        "installer": origin.installer,
        "origin": {
            "kind": origin.kind,
            "url": origin.url,
            "commit": origin.commit,
            "revision": origin.revision,
            "digest": origin.digest,
        },
        "differences": [{"fault": d.fault, "path": d.path, "detail": d.detail} for d in pack.differences],
    }
