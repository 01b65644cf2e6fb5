"""The kinds of component, and the registries of all of them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator

from essmc_core.errors import DuplicateComponent, UnknownComponent
from essmc_core.foundation.names import did_you_mean
from essmc_core.registry.component import RESERVED, Component
from essmc_core.registry.declared import check_kind
from essmc_core.registry.nametable import Pins, no_pins
from essmc_core.registry.registry import Build, Explain, Family, Registry, build_nothing, explain_nothing

BUILT_IN = {
    "models": "model",
    "backbones": "backbone",
    "necks": "neck",
    "heads": "head",
    "bricks": "brick",
    "losses": "loss",
    "metrics": "metric",
    "solvers": "solver",
    "hooks": "hook",
    "optimizers": "optimizer",
    "lr_schedulers": "lr_scheduler",
    "transforms": "transform",
    "frame_samplers": "frame_sampler",
    "datasets": "dataset",
    "key_maps": "key_map",
    "layouts": "layout",
    "engines": "engine",
}
SYNONYMS = {"stems": "bricks"}


class Registries:
    """One registry per kind; ``registries.backbones`` and ``registries["backbones"]`` are the same.

    Args:
        build: builds components of any kind; the default refuses to.
        pins: returns the user's choice among packs that offer the same bare name.
        explain: returns the hint for a failed look-up.
        restore: an importable function that returns these registries' registry of a kind, which pickling them needs.
    """

    def __init__(
        self,
        build: Build = build_nothing,
        pins: Pins = no_pins,
        explain: Explain = explain_nothing,
        restore: Callable[[str], Registry] | None = None,
    ) -> None:
        self.build = build
        self.explain = explain
        self._pins = pins
        self._restore = restore
        self._by_kind: dict[str, Registry] = {}
        for kind, singular in BUILT_IN.items():
            self.add_kind(kind, singular)

    def add_kind(self, kind: str, singular: str) -> Registry:
        """Adds a kind, or returns it when it exists with the same singular.

        Args:
            kind: plural lower-case identifier, e.g. ``detectors``.
            singular: e.g. ``detector``; nested parameters are annotated with its CamelCase form.

        Raises:
            DeclarationError: a name is not a lower-case identifier.
            DuplicateComponent: the kind exists with another singular, or one of the names means something else.
        """
        # An empty registry is falsy, so presence is not tested by truth.
        if self.check_kind(kind, singular):
            return self._by_kind[kind]
        registry = Registry(kind, singular, self, self._pins, lambda kind, name: self.explain(kind, name))
        self._by_kind[kind] = registry
        return registry

    def check_kind(self, kind: str, singular: str) -> bool:
        """Checks the names of a kind and returns whether it exists.

        Raises:
            DeclarationError: a name is not a lower-case identifier.
            DuplicateComponent: the kind exists with another singular, or one of the names means something else.
        """
        check_kind(kind, singular)
        if kind in self._by_kind:
            known = self._by_kind[kind].singular
            if known != singular:
                raise DuplicateComponent(f"the kind {kind!r} exists with singular {known!r}")
            return True
        taken = {*SYNONYMS, *self._by_kind, *(registry.singular for registry in self), *RESERVED, *dir(Registries)}
        for name in (kind, singular):
            if name in taken:
                raise DuplicateComponent(f"a kind cannot be called {name!r}, which means something else already")
        return False

    def __getitem__(self, kind: str) -> Registry:
        folded = kind.casefold().replace("-", "_")
        folded = SYNONYMS.get(folded, folded)
        if folded in self._by_kind:
            return self._by_kind[folded]
        for registry in self._by_kind.values():
            if registry.singular == folded:
                return registry
        suggestion = did_you_mean(folded, self._by_kind)
        raise UnknownComponent(
            f"no kind of component is called {kind!r}" + (f"; {suggestion}" if suggestion else ""),
            hint=f"kinds: {', '.join(self._by_kind)}",
        )

    def __getattr__(self, kind: str) -> Registry:
        if kind.startswith("_"):
            raise AttributeError(kind)
        try:
            return self[kind]
        except UnknownComponent as error:
            raise AttributeError(str(error)) from error

    def __iter__(self) -> Iterator[Registry]:
        return iter(list(self._by_kind.values()))

    def restorer(self) -> Callable[[str], Registry]:
        """Returns the function that returns the registry of a kind in another process.

        Raises:
            PicklingError: these registries are private: another process cannot restore their content.
        """
        if self._restore is None:
            raise pickle.PicklingError(
                "these registries are private to this process: pass names or configurations instead, or use "
                "essmc_core.REGISTRIES, which every process has"
            )
        return self._restore

    # Every process has the default ones; others refuse as their registries do.
    def __reduce__(self) -> tuple[object, ...]:
        return (_family_of_models, (self.restorer(),))

    def by_annotation(self, alias: str) -> Registry | None:
        """Returns the registry whose nested parameters carry this annotation, e.g. ``Backbone``."""
        for registry in self._by_kind.values():
            if annotation_alias(registry.singular) == alias:
                return registry
        return None

    def find_everywhere(self, name: str) -> list[Component]:
        """Returns the component that a name resolves to in each kind that has it."""
        found = (registry.find(name) for registry in self)
        return [record for record in found if record is not None]


def annotation_alias(singular: str) -> str:
    """Returns the annotation of a parameter that takes such a component: ``frame_sampler`` → ``FrameSampler``."""
    return "".join(part.capitalize() for part in singular.split("_"))


def _family_of_models(restore: Callable[[str], Registry]) -> Family:
    return restore("models").family
