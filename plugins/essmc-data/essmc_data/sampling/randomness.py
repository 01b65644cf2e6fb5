"""Randomness of one item: a function of seed, epoch and index alone, whatever worker makes it and when."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(*values: int | NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hashes integers, or arrays of them element by element, to 64 well mixed bits (SplitMix64, Steele et al. 2014).

    Returns:
        An array of the shape that the values broadcast to.
    """
    state = np.zeros((), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for value in values:
            state = _finalise((state ^ np.asarray(value).astype(np.uint64)) + _GOLDEN)
    return state


def _finalise(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))


@contextmanager
def item_randomness(seed: int, epoch: int, index: int) -> Iterator[None]:
    """Seeds the generators of torch (CPU), numpy and Python for one item, and restores them afterwards.

    Any transform, of whatever library, then gives the same item for the same (seed, epoch, index), in any worker and
    in any order; and loading data leaves no trace in the random numbers that the training loop draws.
    """
    drawn = int(mix(seed, epoch, index))
    generator = torch.default_generator
    states = generator.get_state(), random.getstate(), np.random.get_state()
    # torch.manual_seed would seed accelerators too, which a worker process must not touch.
    generator.manual_seed(drawn >> 1)
    random.seed(drawn)
    np.random.seed(drawn & 0xFFFFFFFF)
    try:
        yield
    finally:
        generator.set_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])
