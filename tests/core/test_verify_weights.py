"""`essmc verify --weights` at the command line, and `essmc predict`, which compares what it uses for the first time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

PLUGIN = """
from pathlib import Path
from essmc_core import hookimpl

@hookimpl
def register_zoo(zoo):
    zoo.add_directory(Path(__file__).parent / "zoo")
"""
NET = """summary: a small network
model:
  type: Classifier
  backbone: {type: timm/resnet10t}
  head: {type: ClassifierHead, num_classes: 3}
input: {modality: image, size: 32, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}
labels: [a, b, c]
# Of the file below.
licence: {code: MIT, weights: MIT}
"""


@pytest.fixture
def folder(site: Any, python: Any, tmp_path: Path) -> Path:
    """The zoo folder of a pack with an entry that has weights, one whose weights are nowhere, and one without."""
    weights = tmp_path / "net.pth"
    python.run(
        "import essmc_core, torch; torch.manual_seed(0);"
        f"torch.save(essmc_core.build_model({yaml.safe_load(NET)['model']!r}).state_dict(), {str(weights)!r})"
    )
    site.add(
        "acme",
        PLUGIN,
        files={
            "zoo/net.yaml": f"{NET}weights: {{uri: '{weights}'}}\n",
            "zoo/lost.yaml": f"{NET}weights: {{uri: '{tmp_path}/lost.pth'}}\n"
            "check: {input: waves, at: [3, 32, 32], weights: [1.0], outputs: [1.0]}\n",
            "zoo/bare.yaml": NET,
        },
    )
    (found,) = site.folder.rglob("zoo/net.yaml")
    return found.parent


def test_a_fingerprint_is_written_compared_and_missed(folder: Path, python: Any, tmp_path: Path) -> None:
    def verdicts(*arguments: str, status: int = 0) -> dict[str, Any]:
        done = python.essmc("verify", "--weights", *arguments, "--json", check=False)
        assert done.returncode == status, done.stderr
        return {verdict["model"]: verdict for verdict in json.loads(done.stdout)}

    before = (folder / "net.yaml").read_text()
    assert {name: one["status"] for name, one in verdicts("acme/*").items()} == {
        "bare": "unknown", "lost": "not checked", "net": "unknown",
    }  # fmt: skip
    assert verdicts("acme/net", "--write")["net"]["status"] == "written"
    after = (folder / "net.yaml").read_text()
    assert after.startswith(before)
    assert after[len(before) :].startswith("check:\n  input: waves\n")
    assert verdicts("acme/net")["net"]["status"] == "ok"
    shown = python.essmc("show", "acme/net").stdout
    assert "check    essmc verify --weights" in shown

    # The same tensors, two of them in each other's place.
    path = tmp_path / "net.pth"
    state = torch.load(path, weights_only=True)
    one, other = "backbone.layer1.0.bn1.weight", "backbone.layer1.0.bn1.bias"
    one, other = next(
        (a, b) for a in state for b in state
        if a < b and state[a].ndim == 4 and state[a].shape == state[b].shape and not torch.equal(state[a], state[b])
    )  # fmt: skip
    state[one], state[other] = state[other], state[one]
    torch.save(state, path)
    found = verdicts("acme/net", "acme/bare", status=1)
    assert found["net"]["status"] == "differs" and "other weights" in found["net"]["reason"]
    assert found["bare"]["status"] == "unknown"

    photo = tmp_path / "photo.png"
    Image.new("RGB", (40, 40), (90, 30, 200)).save(photo)
    refused = python.essmc("predict", "acme/net", str(photo), check=False)
    assert refused.returncode == 2 and "other weights than its entry states" in refused.stderr
    assert python.essmc("predict", "acme/net", str(photo), "--no-check").returncode == 0
    assert python.essmc("predict", "acme/net", str(photo), "--checkpoint", str(path)).returncode == 0
    assert verdicts("acme/net", "--write")["net"]["status"] == "written"
    assert python.essmc("predict", "acme/net", str(photo)).returncode == 0
    assert (folder / "net.yaml").read_text().startswith(before)
    assert (folder / "net.yaml").read_text().count("check:") == 1


def test_writing_needs_names(python: Any, site: Any) -> None:
    done = python.essmc("verify", "--weights", "--write", check=False)
    assert done.returncode == 2
    assert "name the models to write" in done.stderr
