"""Finds packs, components, zoo models and commands by words, the best first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from essmc_core.foundation.names import matches, natural_key, nearest
from essmc_core.index.schema import PackFacts

PACKS = "packs"
_WORDS = re.compile(r"[^\W_]+")
_LEAST_SUGGESTED = 3


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found.

    Attributes:
        kind: plural name of the registry, ``packs``, ``zoo`` or ``commands``.
        name: as users write it.
        pack: who brings it.
        summary: one line.
        lifecycle: its own, or that of its pack.
        score: how well it fits; higher is better.
    """

    kind: str
    name: str
    pack: PackFacts
    summary: str
    lifecycle: str = ""
    score: int = 0


def search(text: str, packs: Iterable[PackFacts], kind: str | None = None) -> list[Hit]:
    """Returns what fits every word of a text, by how well it fits, then in natural order.

    An exact name comes first, then names that begin with the word or have it as a part, then packs and summaries.

    Args:
        text: words, or a pattern with ``*`` and ``?`` that names have to match.
        packs: where to look.
        kind: ``packs``, ``zoo``, ``commands`` or a kind of component; all by default.
    """
    words = text.casefold().split()
    found = []
    for hit, others in _everything(packs):
        if kind is not None and hit.kind != kind:
            continue
        score = _score(words, hit, others)
        if score:
            found.append(replace(hit, lifecycle=hit.lifecycle or hit.pack.lifecycle, score=score))
    return sorted(found, key=lambda hit: (-hit.score, natural_key(hit.name), hit.kind, hit.pack.distribution))


def suggestions(text: str, packs: Iterable[PackFacts]) -> list[str]:
    """Returns names, or words of names, that are spelled like a text for which nothing was found."""
    names: dict[str, None] = {}
    for hit, others in _everything(packs):
        for name in (hit.name, *others):
            names[name.rpartition("/")[2]] = None
            names |= dict.fromkeys(word for word in _WORDS.findall(name) if len(word) >= _LEAST_SUGGESTED)
    return nearest(text.strip("*?"), sorted(names, key=natural_key))


def _everything(packs: Iterable[PackFacts]) -> Iterator[tuple[Hit, Sequence[str]]]:
    """Yields everything, each with its other names."""
    for pack in packs:
        yield Hit(PACKS, pack.distribution, pack, pack.summary), (pack.name,)
        for kind, components in pack.components.items():
            for component in components:
                yield Hit(kind, component.name, pack, component.summary, component.lifecycle), component.aliases
        for kind, families in (*pack.families.items(), ("zoo", pack.zoo_families)):
            for family in families:
                for name in family.full_names if family.names else (family.pattern,):
                    yield Hit(kind, name, pack, family.summary), ()
        for entry in pack.zoo:
            yield Hit("zoo", entry.name, pack, entry.summary), entry.aliases
        for command in pack.commands:
            yield Hit("commands", command.name, pack, command.help), ()


def _score(words: Sequence[str], hit: Hit, others: Sequence[str]) -> int:
    """Returns how well something fits; 0 if one of the words is not in it."""
    scores = [_score_of_word(word, hit, others) for word in words]
    if not scores or not all(scores):
        return 0
    return sum(scores) // len(scores) + (1 if hit.kind == PACKS else 0)


def _score_of_word(word: str, hit: Hit, others: Sequence[str]) -> int:
    if any(mark in word for mark in "*?["):
        return 100 if any(matches(name, word) for name in (hit.name, *others)) else 0
    names = [hit.name.casefold(), hit.name.casefold().rpartition("/")[2]]
    best = max(_score_of_name(word, name) for name in names)
    best = max([best, *(_score_of_name(word, other.casefold()) - 5 for other in others)])
    if best > 0:
        return best
    summary = hit.summary.casefold()
    if re.search(rf"(?<![^\W_]){re.escape(word)}", summary):
        return 40
    if word in summary:
        return 30
    # Last, everything that a pack of this name brings.
    return 10 if word in hit.pack.distribution or word == hit.kind else 0


def _score_of_name(word: str, name: str) -> int:
    if name == word:
        return 100
    if name.startswith(word):
        return 80
    if re.search(rf"(?<![^\W_]){re.escape(word)}", name):
        return 70
    return 60 if word in name else 0
