"""The pack essmc-motion: its weights, its results and its clip belong together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import essmc_core
from essmc_core.models.defaults import ZOO
from essmc_data.datasets.moving_images import MovingImages
from essmc_motion.example import CLIP, MOTIONS, write_clip

ENTRY = ZOO.entry("motion_digits")


def _best(path: Path | str, **how: object) -> list[str]:
    found = essmc_core.predict("motion_digits", path, topk=1, **how)
    return [part.predictions[0].label for part in found.segments] or [found.predictions[0].label]


def test_the_shipped_weights_fit_exactly_and_are_small():
    model = essmc_core.build_model("motion_digits", pretrained=True)
    assert 70_000 < sum(parameter.numel() for parameter in model.parameters()) < 100_000
    assert model.card is not None and model.card["weights"]["coverage"] == 1.0
    assert CLIP.with_name("motion_digits.safetensors").stat().st_size < 500_000


def test_labels_are_those_of_the_data():
    assert ENTRY.labels() == list(MovingImages(mode="test").classes)


def test_the_shipped_clip_shows_what_its_script_says():
    assert _best(CLIP, segments=1) == list(MOTIONS)
    assert _best(CLIP) == ["up 1"]


@pytest.mark.parametrize("digit", [1, 2, 3])
def test_clips_of_other_held_out_digits_are_recognised(tmp_path, digit):
    order = ["left 1", "down 2", "static", "up 2", "right 1"]
    motions = {
        "left 1": (0, -1), "down 2": (2, 0), "static": (0, 0), "up 2": (-2, 0), "right 1": (0, 1),
    }  # fmt: skip
    write_clip(tmp_path / "clip.mp4", [motions[name] for name in order], digit)
    assert _best(tmp_path / "clip.mp4", segments=1) == order


def test_accuracy_on_held_out_digits_is_what_the_entry_says():
    ours, per_frame = (result["value"] for result in ENTRY.results)
    assert ours >= 97 and per_frame < 25
    model = essmc_core.build_model("motion_digits", pretrained=True).eval()
    data = MovingImages(mode="test", clips=180)
    items = data.__getitems__(list(range(len(data))))
    with torch.inference_mode():
        guessed = model(torch.stack([item["video"] for item in items])).argmax(1)
    right = (guessed == torch.stack([item["gt_label"] for item in items])).float().mean().item()
    assert right == pytest.approx(ours / 100, abs=0.03)


def test_frames_in_another_order_hide_the_motion():
    """What the network sees is the order of the frames, not the frames."""
    model = essmc_core.build_model("motion_digits", pretrained=True).eval()
    data = MovingImages(mode="test", clips=90)
    items = data.__getitems__(list(range(len(data))))
    clips, labels = torch.stack([item["video"] for item in items]), torch.stack([item["gt_label"] for item in items])
    with torch.inference_mode():
        backwards = model(clips.flip(2)).argmax(1)
    opposite = [ENTRY.labels().index(name) for name in _reversed(ENTRY.labels())]
    assert (backwards == torch.tensor(opposite)[labels]).float().mean() > 0.95


def _reversed(labels: list[str]) -> list[str]:
    opposites = {"right": "left", "left": "right", "up": "down", "down": "up", "static": "static"}
    return [" ".join([opposites[label.split()[0]], *label.split()[1:]]) for label in labels]


def test_with_temporal_kernels_of_1_the_order_of_the_frames_does_not_matter():
    torch.manual_seed(0)
    model = essmc_core.build_model("motion_digits", temporal_kernel=1).eval()
    clips = torch.randn(2, 3, 8, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(model(clips.flip(2)), model(clips))
