"""``essmc search TEXT``: packs, components and models, installed or not, with the line that installs them."""

from __future__ import annotations

import sys

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.discovery import Pack
from essmc_core.discovery.compatibility import accepts
from essmc_core.errors import UnknownComponent
from essmc_core.foundation.names import did_you_mean
from essmc_core.foundation.version import __version__
from essmc_core.index.known import KnownPacks, known_packs
from essmc_core.index.schema import PackFacts
from essmc_core.index.search import PACKS, Hit, search, suggestions
from essmc_core.models.defaults import DISCOVERY, REGISTRIES
from essmc_core.registry.component import CORE

_COLUMNS = (
    Column("name"), Column("kind", gives_way=1), Column("installed"), Column("summary", prose=True, gives_way=2),
)  # fmt: skip
_SHOWN = 30


@click.command(
    "search", epilog=examples("essmc search slowfast", "essmc search 'convnext*' --kind zoo", "essmc search drop path")
)
@click.argument("text", nargs=-1, required=True)
@click.option("--kind", help="Only packs, zoo, commands, or a kind of component such as backbones.")
@click.option("--all", "show_all", is_flag=True, help=f"Show everything that was found, not the best {_SHOWN}.")
@json_option
def search_packs(text: tuple[str, ...], kind: str | None, show_all: bool, as_json: bool) -> None:
    """Find packs, components, zoo models and commands that have every word of TEXT, installed or not.

    Looks in what is installed, in the index of essmc-core, and in those that ESSMC_INDEX names. A TEXT with wildcards
    has to match a name.
    """
    known = known_packs(patient=True)
    for remark in known.remarks:
        click.echo(f"Warning: {remark}", err=True)
    packs = _all_packs(known)
    wanted = None if kind is None else _kind(kind, packs)
    words = " ".join(text)
    found = search(words, packs, wanted)
    if not found:
        click.echo(_nothing_found(words, wanted, packs), err=True)
    if as_json:
        write_json([_as_dict(hit) for hit in found])
        return
    shown = found if show_all else found[:_SHOWN]
    write_table(_COLUMNS, [_row(hit) for hit in shown])
    _write_footer(len(found) - len(shown), shown)


def _all_packs(known: KnownPacks) -> list[PackFacts]:
    """Returns the packs of this process as they are, and those that are known besides."""
    from essmc_core.installation.describing import describe_here

    here = describe_here(DISCOVERY)
    there = {facts.distribution for facts in here}
    return [*here, *(facts for facts in known.packs if facts.distribution not in there)]


def _kind(name: str, packs: list[PackFacts]) -> str:
    singular = {registry.singular: registry.kind for registry in REGISTRIES}
    singular |= {"pack": PACKS, "command": "commands", "zoo model": "zoo"}
    kinds = {PACKS, "zoo", "commands", *singular.values(), *(kind for pack in packs for kind in pack.components)}
    asked = name.casefold()
    if asked in kinds:
        return asked
    if asked in singular:
        return singular[asked]
    suggestion = did_you_mean(name, kinds)
    raise UnknownComponent(
        f"no kind is called {name!r}" + (f"; {suggestion}" if suggestion else ""), hint=", ".join(sorted(kinds))
    )


def _pack_here(facts: PackFacts) -> Pack | None:
    if facts.name == CORE:
        return Pack(CORE, facts.distribution, facts.version)
    return DISCOVERY.packs.get(facts.distribution)


def _installed(facts: PackFacts) -> str:
    pack = _pack_here(facts)
    if pack is None:
        install = f"pip install {facts.distribution}"
        return install if _admits_core(facts) else f"{install}  (needs essmc-core{facts.core})"
    return "yes" if pack.status == "ok" else pack.status


def _admits_core(facts: PackFacts) -> bool:
    try:
        return accepts(f"essmc-core{facts.core}", __version__)
    # An index may state anything.
    except ValueError:
        return True


def _row(hit: Hit) -> tuple[str, ...]:
    # Names of a family have no summary of their own.
    summary = hit.summary or hit.pack.summary
    own = f" ({hit.lifecycle})" if hit.lifecycle != hit.pack.lifecycle else ""
    return hit.name, hit.kind, _installed(hit.pack), f"{summary}{own}".strip()


def _nothing_found(text: str, kind: str | None, packs: list[PackFacts]) -> str:
    among = f" among {kind}" if kind is not None else ""
    elsewhere = sorted({hit.kind for hit in search(text, packs)}) if kind is not None else []
    if elsewhere:
        return f"nothing{among} has {text!r}; there is some among {', '.join(elsewhere)}"
    near = suggestions(text, packs)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"nothing{among} has {text!r}{hint}"


def _write_footer(left_out: int, shown: list[Hit]) -> None:
    remarks = [f"{left_out:,} more: --all"] if left_out else []
    if any(_pack_here(hit.pack) is None for hit in shown):
        remarks.append("`essmc install PACK` installs a pack and says what arrived")
    if remarks and (left_out or sys.stderr.isatty()):
        click.echo("; ".join(remarks), err=True)


def _as_dict(hit: Hit) -> dict[str, object]:
    pack = _pack_here(hit.pack)
    return {
        "kind": hit.kind,
        "name": hit.name,
        "pack": hit.pack.distribution,
        "version": pack.version if pack is not None else hit.pack.version,
        "licence": hit.pack.licence,
        "lifecycle": hit.lifecycle,
        "core": hit.pack.core,
        "compatible": _admits_core(hit.pack),
        "summary": hit.summary,
        "installed": pack is not None,
        "status": pack.status if pack is not None else "",
        "install": "" if pack is not None else f"pip install {hit.pack.distribution}",
    }
