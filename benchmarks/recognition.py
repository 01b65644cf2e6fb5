"""How many state dicts `essmc inspect` recognises, how many it claims wrongly, and how long it takes.

Files are those of tests/parity, and models of timm and torchvision that are built without memory.
Run: ``python benchmarks/recognition.py [-n MODELS] [--seed SEED]``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import timm
import torch
import torchvision

from essmc_core.models.recognition import Recognition, look_at
from essmc_core.weights.layouts.layout import Shapes

PARITY = Path(__file__).parents[1] / "tests" / "parity"
GIGABYTE = 1_000_000_000
# Tables that are computed, and second names of tensors, which files may lack.
_SPARE = ("relative_position_index", "._attention_pool_")


def golden() -> Iterator[tuple[str, str, Shapes]]:
    """Yields the networks of tests/parity: name, the backbone's type where it is known, and shapes."""
    for path in sorted(PARITY.rglob("*.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        config = case["cfg"]
        shapes = {
            key: tuple(int(size) for size in text.partition("[")[2].rstrip("]").split(",") if size)
            for key, text in case["state_dict"].items()
        }
        backbone = config.get("backbone", config)
        yield path.stem, backbone.get("type", ""), shapes


def models(count: int, seed: int) -> Iterator[tuple[str, str, Shapes]]:
    """Yields a sample of the models of timm and torchvision."""
    names = [f"timm/{name}" for name in timm.list_models()]
    names += [f"torchvision/{name}" for name in torchvision.models.list_models(module=torchvision.models)]
    for name in random.Random(seed).sample(names, count):
        library, _, bare = name.partition("/")
        make = timm.create_model if library == "timm" else torchvision.models.get_model
        try:
            with torch.device("meta"):
                state = make(bare).state_dict()
        except (RuntimeError, NotImplementedError):
            state = make(bare).state_dict()
        yield name, name, {key: tuple(value.shape) for key, value in state.items()}


def is_claimed(found: Recognition) -> bool:
    """Returns whether a network was named."""
    return bool(found.networks or found.elsewhere)


def measure(title: str, networks: Iterator[tuple[str, str, Shapes]], seed: int) -> None:
    """Prints how many are recognised, of which how many as another type, and how many spoilt ones are claimed."""
    total, unknown, other, wrong, slowest = 0, [], [], [], 0.0
    for name, expected, shapes in networks:
        total += 1
        start = time.perf_counter()
        found = look_at("w.pth", shapes)
        slowest = max(slowest, time.perf_counter() - start)
        types = {one.backbone["type"] for one in found.networks}
        unknown += [] if is_claimed(found) else [name]
        other += [name] if types and expected and expected not in types else []
        wrong += [name] if any(is_claimed(look_at("w.pth", spoilt)) for spoilt in spoil(shapes, seed)) else []
    print(f"{title}: {total - len(unknown)} of {total} recognised, the slowest in {slowest:.2f} s")
    for label, names in (("not recognised", unknown), ("as another type", other), ("claimed though spoilt", wrong)):
        print(f"  {label}: {len(names)} {', '.join(names)}")


def spoil(shapes: Shapes, seed: int) -> Iterator[Shapes]:
    """Yields a state dict without one weight, with another shape of one, with shapes shuffled, and without a half."""
    weights = [key for key, shape in shapes.items() if len(shape) > 1 and not any(part in key for part in _SPARE)]
    chance = random.Random(seed)
    key = chance.choice(weights[: max(1, len(weights) - 4)])
    yield {name: shape for name, shape in shapes.items() if name != key}
    yield {**shapes, key: (*shapes[key][:-1], shapes[key][-1] + 1)}
    shuffled = list(shapes.values())
    chance.shuffle(shuffled)
    yield dict(zip(shapes, shuffled, strict=True))
    yield dict(list(shapes.items())[: len(shapes) // 2])


def inspect_gigabyte() -> None:
    """Prints what ``essmc inspect`` takes for a file of a gigabyte, over the start of Python."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.safetensors"
        header = json.dumps({"weight": {"dtype": "F32", "shape": [GIGABYTE // 4], "data_offsets": [0, GIGABYTE]}})
        with path.open("wb") as stream:
            stream.write(len(header).to_bytes(8, "little") + header.encode())
            stream.truncate(8 + len(header) + GIGABYTE)
        seconds = []
        # As where a package was installed: its modules are compiled already.
        variables = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        variables["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "compiled")
        for words in (("-c", "pass"), ("-m", "essmc_core", "inspect", str(path))):
            runs = []
            for _ in range(6):
                start = time.perf_counter()
                subprocess.run([sys.executable, *words], check=True, capture_output=True, env=variables)
                runs.append(time.perf_counter() - start)
            seconds.append(min(runs))
    print(f"inspect of 1 GB: {seconds[1] - seconds[0]:.2f} s over Python's start")


def main() -> None:
    """Measures all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="models of timm and torchvision")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    inspect_gigabyte()
    measure("tests/parity", golden(), options.seed)
    measure("timm and torchvision", models(options.n, options.seed), options.seed)


if __name__ == "__main__":
    main()
