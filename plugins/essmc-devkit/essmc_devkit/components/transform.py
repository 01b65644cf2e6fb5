"""Checks of transforms: the same for the same seed, and nothing changed in what they are given."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch

from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.outputs import difference
from essmc_devkit.components.subject import Subject
from essmc_devkit.problem import Problem


class TransformSubject(Subject):
    """A transform.

    Args:
        config: its name, or a mapping with ``type`` and arguments.
        item: returns what it is called with; the usual kinds of item are tried where it is not given.
    """

    def __init__(self, config: str | Mapping[str, Any], item: Callable[[], Any] | None = None) -> None:
        super().__init__("transforms", config)
        self._item = item

    @cached_property
    def item(self) -> Any:
        """What it is called with.

        Raises:
            NotChecked: it takes none of the items that were tried.
        """
        if self._item is not None:
            return self._item()
        failure = ""
        for item in _items():
            try:
                self.apply(self.built, item)
            except Exception as error:
                failure = failure or brief(error, 100)
            else:
                return item
        raise NotChecked(f"no item was found that it takes ({failure}): state `item` in a test class")

    def apply(self, transform: Callable[[Any], Any], item: Any, seed: int = 0) -> Any:
        """Returns what it makes of a copy of an item, under a seed of all random numbers."""
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        return transform(copy.deepcopy(item))

    def usage(self, made: Any) -> Callable[[], object]:
        """Returns its work on an item."""
        item = copy.deepcopy(self.item)
        return lambda: made(item)


@check("transform.seed")
def seeded(subject: TransformSubject) -> Iterator[Problem]:
    """Under the same seed it does the same."""
    item = subject.item
    # What happens now and then may happen twice.
    for seed in range(8):
        first, again = (subject.apply(subject.built, item, seed) for _ in range(2))
        if words := difference(again, first, rtol=0, atol=0):
            yield Problem(f"under the same seed, {words}", "draw from torch's or Python's global random numbers alone")
            return


@check("transform.in-place")
def in_place(subject: TransformSubject) -> Iterator[Problem]:
    """What it is given stays as it was."""
    given = copy.deepcopy(subject.item)
    torch.manual_seed(0)
    subject.built(given)
    if words := difference(given, subject.item, rtol=0, atol=0):
        yield Problem(f"it changes its input: {words}", "return a new item: {**item, key: value}, and copy tensors")


@check("transform.pickle")
def pickled(subject: TransformSubject) -> Iterator[Problem]:
    """A pickled transform does the same, as the workers of a loader need."""
    item = subject.item
    try:
        restored = pickle.loads(pickle.dumps(subject.built))
    except Exception as error:
        yield Problem(f"cannot be pickled: {brief(error)}", "keep no lambdas, open files or local functions in it")
        return
    if words := difference(subject.apply(restored, item), subject.apply(subject.built, item), rtol=0, atol=0):
        yield Problem(f"after pickling, {words}")


ALL = (seeded, in_place, pickled)


def _items() -> Iterator[Any]:
    from PIL import Image

    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 255, (48, 64, 3), dtype=torch.uint8, generator=generator).numpy()
    picture, image = Image.fromarray(pixels), torch.rand(3, 48, 64, generator=generator)
    video = torch.rand(3, 8, 48, 64, generator=generator)
    for key, value in (("img", picture), ("img", image), ("video", video), ("image", picture), ("image", image)):
        yield {key: value, "gt_label": 1, "meta": {}}
    frames = torch.randint(0, 255, (8, 48, 64, 3), dtype=torch.uint8, generator=generator)
    yield {"video": frames, "gt_label": 1, "meta": {}}
    yield from (picture, image, video)
