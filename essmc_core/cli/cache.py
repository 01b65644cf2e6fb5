"""``essmc cache [list|verify|prune]``: what is in the cache folder, whether it is whole, and what may go."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Sequence

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.foundation.byte_counts import in_bytes
from essmc_core.foundation.paths import cache_dir
from essmc_core.foundation.terminal_status import status
from essmc_core.installation.cache_folder.categories import CATEGORIES, LOCKS, PARTIAL, PERMANENT, WEIGHTS
from essmc_core.installation.cache_folder.listing import CachedFile, files_in_cache
from essmc_core.installation.cache_folder.pruning import Pruned, chosen, prune
from essmc_core.installation.cache_folder.verifying import CacheVerdict, verify_files
from essmc_core.models.defaults import ZOO

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Age(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A time such as 30d, 12h or 2w, in seconds."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Returns the seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", str(value).strip().lower())
        if match is None:
            self.fail(f"{value!r} is no age such as 30d, 12h or 2w", param, ctx)
        return float(match[1]) * _SECONDS[match[2]]


@click.group(
    "cache",
    invoke_without_command=True,
    epilog=examples(
        "essmc cache",
        "essmc cache list --json",
        "essmc cache verify",
        "essmc cache prune --older-than 30d --dry-run",
        "essmc cache prune --partial",
    ),
)
@click.pass_context
def cache(ctx: click.Context) -> int:
    """List, verify and prune what is kept in the cache folder (ESSMC_CACHE_DIR); without a command, list it."""
    if ctx.invoked_subcommand is None:
        _write_list(as_json=False)
    return 0


@cache.command("list", epilog=examples("essmc cache list", "essmc cache list --json"))
@json_option
def list_cache(as_json: bool) -> None:
    """List weights, what interrupted downloads left, and how much there is of everything else.

    The age is the time since a file was written.
    """
    _write_list(as_json)


@cache.command("verify", epilog=examples("essmc cache verify", "essmc cache verify --json"))
@json_option
def verify_cache(as_json: bool) -> int:
    """Read weights and indexes anew and compare their SHA-256; the exit status is 1 if one differs."""
    with status("reading the cache") as say:
        verdicts = []
        for verdict in verify_files(files_in_cache()):
            say(f"reading the cache: {verdict.file.path.name}")
            verdicts.append(verdict)
    if as_json:
        write_json([_verdict_as_dict(verdict) for verdict in verdicts])
    else:
        rows = [(_shown(verdict.file), verdict.status, verdict.reason) for verdict in verdicts]
        wrong = sum(verdict.status == "differs" for verdict in verdicts)
        footer = f"{len(rows):,} files read, {wrong:,} differ"
        write_table(("file", "content", Column("", prose=True)), rows, footer=footer)
    return 1 if any(verdict.status == "differs" for verdict in verdicts) else 0


@cache.command(
    "prune",
    epilog=examples(
        "essmc cache prune --partial", "essmc cache prune --older-than 30d", "essmc cache prune --all --dry-run"
    ),
)
@click.option("--older-than", type=Age(), metavar="AGE", help="What was written longer ago, e.g. 30d, 12h, 2w.")
@click.option("--partial", is_flag=True, help="What interrupted downloads left.")
@click.option("--all", "everything", is_flag=True, help="Everything that can be made again.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
def prune_cache(older_than: float | None, partial: bool, everything: bool, dry_run: bool, as_json: bool) -> None:
    """Remove files; --partial and --older-than together remove what both are true of.

    Files that a live process uses stay, and so do files that nothing can make again.
    """
    if everything == (partial or older_than is not None):
        raise click.UsageError("say what to remove: --all, or --partial and --older-than AGE, one or both")
    files = files_in_cache()
    pruned = list(prune(chosen(files, partial=partial, older_than=older_than), dry_run=dry_run))
    if as_json:
        write_json([_pruned_as_dict(each, dry_run) for each in pruned])
    else:
        _write_pruned(pruned, dry_run, others=sum(file.category in PERMANENT for file in files) if everything else 0)


def _write_list(as_json: bool) -> None:
    files = files_in_cache(ZOO.table)
    ZOO.cache.save()
    if as_json:
        totals = {category: _total(inside) for category, inside in _by_category(files).items()}
        write_json({"folder": str(cache_dir()), "categories": totals, "files": [file.as_dict() for file in files]})
        return
    single = [file for file in files if file.category in (WEIGHTS, PARTIAL, LOCKS)]
    if single:
        columns = (
            Column("file"), Column("category", gives_way=2), Column("size", right=True), Column("age", right=True),
            Column("sha256", gives_way=3), Column("models", prose=True, gives_way=1),
        )  # fmt: skip
        write_table(columns, [_file_row(file) for file in single])
        click.echo()
    rows = [
        (category, f"{len(inside):,}", in_bytes(sum(file.size for file in inside)), _age(inside))
        for category, inside in _by_category(files).items()
    ]
    footer = f"{cache_dir()}: {in_bytes(sum(file.size for file in files))} in {len(files):,} files"
    write_table(("category", ">files", ">size", ">oldest"), rows, footer=footer)


def _file_row(file: CachedFile) -> tuple[object, ...]:
    return _shown(file), file.category, in_bytes(file.size), _age([file]), file.sha256[:12], ", ".join(file.entries)


def _shown(file: CachedFile) -> str:
    return file.uri or str(file.path.relative_to(cache_dir()))


def _by_category(files: Sequence[CachedFile]) -> dict[str, list[CachedFile]]:
    found: dict[str, list[CachedFile]] = defaultdict(list)
    for file in files:
        found[file.category].append(file)
    return {category: found[category] for category in CATEGORIES if found[category]}


def _total(files: Sequence[CachedFile]) -> dict[str, object]:
    return {"files": len(files), "size": sum(file.size for file in files)}


def _age(files: Sequence[CachedFile]) -> str:
    seconds = max(0.0, time.time() - min(file.modified for file in files))
    unit = next((unit for unit in ("d", "h", "m") if seconds >= _SECONDS[unit]), "s")
    return f"{seconds // _SECONDS[unit]:.0f} {unit}"


def _verdict_as_dict(verdict: CacheVerdict) -> dict[str, object]:
    known = {"status": verdict.status, "found": verdict.found or None, "reason": verdict.reason}
    return {**verdict.file.as_dict(), **known}


def _pruned_as_dict(pruned: Pruned, dry_run: bool) -> dict[str, object]:
    removed = not pruned.kept_because and not dry_run
    return {**pruned.file.as_dict(), "removed": removed, "kept_because": pruned.kept_because or None}


def _write_pruned(pruned: Sequence[Pruned], dry_run: bool, others: int) -> None:
    gone = [each.file for each in pruned if not each.kept_because]
    for each in pruned:
        if each.kept_because:
            click.echo(f"kept {_shown(each.file)}: {each.kept_because}")
    for file in gone if dry_run else ():
        click.echo(f"would remove {_shown(file)} ({in_bytes(file.size)})")
    verb = "would be removed" if dry_run else "removed"
    click.echo(f"{len(gone):,} files of {in_bytes(sum(file.size for file in gone))} {verb}")
    if others:
        click.echo(f"{others:,} files stay that essmc cannot make again; `essmc cache list --json` names them")
