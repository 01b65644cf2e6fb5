"""Image networks inside modules that lift them to video: their weights are loaded under the image network's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from essmc_core.weights.source import Inflation
from essmc_core.weights.state_dict import strip_key


@dataclass(frozen=True, slots=True)
class ImageNetwork:
    """What a submodule states about the image network inside it, by a method ``image_network()``.

    Attributes:
        name: attribute of the submodule that holds the network.
        inflate: how the submodule inflates 2D kernels; None: it does not.
        new: state-dict keys, relative to the submodule, of layers that image weights do not have.
    """

    name: str
    inflate: Inflation | None = None
    new: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lifted:
    """The image networks inside a module, by the prefix of their state-dict keys (``"backbone."``).

    Attributes:
        networks: prefix of the keys -> what is stated about the network.
        fronts: the same prefix -> that of the submodule around the network, which image weights use.
        new: state-dict keys of the module that image weights do not have.
    """

    networks: Mapping[str, ImageNetwork]
    fronts: Mapping[str, str]
    new: frozenset[str]

    @classmethod
    def of(cls, module: nn.Module) -> Lifted:
        """Collects the image networks that the submodules of a module state."""
        networks: dict[str, ImageNetwork] = {}
        fronts: dict[str, str] = {}
        new: set[str] = set()
        for path, part in module.named_modules():
            stated: Callable[[], ImageNetwork] | None = getattr(part, "image_network", None)
            if not callable(stated):
                continue
            network, front = stated(), f"{path}." if path else ""
            networks[f"{front}{network.name}."] = network
            fronts[f"{front}{network.name}."] = front
            new.update(f"{front}{key}" for key in network.new)
        return cls(networks, fronts, frozenset(new))

    def inflate(self, key: str) -> Inflation | None:
        """Returns how a kernel of the module is inflated by the submodule it is in."""
        front = self._front(key)
        return None if front is None else self.networks[front].inflate

    def fronts_of(self, weights: Iterable[str]) -> dict[str, str]:
        """Returns the networks whose image weights these may be: prefix of the module's keys -> that of the weights'.

        Weights with keys below a network's prefix are those of the whole module.
        """
        names = tuple(weights)
        return {
            front: strip_key(outer)
            for front, outer in self.fronts.items()
            if not any(name.startswith(strip_key(front)) for name in names)
        }

    def image_name(self, key: str, fronts: Mapping[str, str]) -> str | None:
        """Returns the key of a tensor in image weights, given their `fronts_of`; None if it has none."""
        front = self._front(key)
        return None if front is None or front not in fronts else fronts[front] + key.removeprefix(front)

    def _front(self, key: str) -> str | None:
        return next((front for front in self.networks if key.startswith(front)), None)
