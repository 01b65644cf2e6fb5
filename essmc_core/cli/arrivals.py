"""How `essmc install` and `essmc uninstall` tell what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from essmc_core.index.schema import PackFacts
from essmc_core.installation.inventory import Changes, InstalledPack

_NAMED = 6


def write_changes(changes: Changes) -> None:
    """Prints packs that arrived, changed or went, and names that are ambiguous now."""
    for pack in changes.arrived:
        _write_pack("installed", pack)
    for before, after in changes.replaced:
        _write_replaced(before, after)
    for pack in changes.gone:
        click.echo(f"uninstalled {pack.facts.distribution} {pack.facts.version}")
    for name, offers in sorted(changes.conflicts.items()):
        kind, _, bare = name.partition("/")
        pin = f'[tool.essmc.pins] {bare} = "{offers[0].partition("/")[0]}"'
        click.echo(f"conflict: {bare} ({kind}) is offered by {' and '.join(offers)}: write one of these, or pin: {pin}")


def changes_as_dict(changes: Changes) -> dict[str, object]:
    """Returns the changes as plain data."""
    return {
        "installed": [_as_dict(pack) for pack in changes.arrived],
        "uninstalled": [_as_dict(pack) for pack in changes.gone],
        "replaced": [{"before": _as_dict(before), "after": _as_dict(after)} for before, after in changes.replaced],
        "conflicts": {name: list(offers) for name, offers in changes.conflicts.items()},
    }


def write_contents(facts: PackFacts) -> None:
    """Prints what a pack brings: names by kind, zoo models, commands, licences of models."""
    for label, names in _names(facts).items():
        click.echo(f"  {label}: {_few(names)}")
    if facts.zoo or facts.zoo_families:
        click.echo(f"  licences of its zoo models: {_licences(facts)}")


def _write_pack(what: str, pack: InstalledPack) -> None:
    facts = pack.facts
    licence = f" ({facts.licence})" if facts.licence else ""
    click.echo(f"{what} {facts.distribution} {facts.version}{licence}")
    if pack.trouble:
        click.echo(f"  it cannot be used: {pack.trouble}; `essmc packs --traceback {facts.name}` shows where")
    write_contents(facts)


def _write_replaced(before: InstalledPack, after: InstalledPack) -> None:
    old, new = before.facts, after.facts
    versions = old.version if old.version == new.version else f"{old.version} → {new.version}"
    click.echo(f"changed {new.distribution} {versions}")
    if after.trouble:
        click.echo(f"  it cannot be used: {after.trouble}; `essmc packs --traceback {new.name}` shows where")
    if old.licence != new.licence:
        click.echo(f"  licence: {old.licence or 'unknown'} → {new.licence or 'unknown'}")
    then, now = _names(old), _names(new)
    for label in dict.fromkeys((*then, *now)):
        for word, names in (
            ("new", sorted(set(now.get(label, ())) - set(then.get(label, ())))),
            ("gone", sorted(set(then.get(label, ())) - set(now.get(label, ())))),
        ):
            if names:
                click.echo(f"  {word} {label}: {_few(names)}")


def _names(facts: PackFacts) -> dict[str, list[str]]:
    """Returns the names by kind, in words."""
    found: dict[str, list[str]] = {}
    for kind in sorted({*facts.components, *facts.families}):
        families = (name for family in facts.families_of(kind) for name in family.full_names)
        found[kind] = [*(component.name for component in facts.components.get(kind, ())), *families]
    entries = [entry.name for entry in facts.zoo]
    entries += [name for family in facts.zoo_families for name in family.full_names]
    commands = [f"essmc {command.name}" for command in facts.commands]
    found |= {label: names for label, names in (("zoo models", entries), ("commands", commands)) if names}
    return found


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _licences(facts: PackFacts) -> str:
    code = Counter(entry.licence.code or "unknown" for entry in facts.zoo)
    weights = Counter(entry.licence.weights or "unknown" for entry in facts.zoo if entry.weights)
    for family in facts.zoo_families:
        weights.update(family.licences)
    return "; ".join(f"{what} {_counted(counts)}" for what, counts in (("code", code), ("weights", weights)) if counts)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))


def _as_dict(pack: InstalledPack) -> dict[str, object]:
    facts = pack.facts
    return {
        "distribution": facts.distribution,
        "version": facts.version,
        "licence": facts.licence,
        "trouble": pack.trouble,
        "brings": _names(facts),
        "licences": {entry.name: entry.licence.model_dump() for entry in facts.zoo},
    }
