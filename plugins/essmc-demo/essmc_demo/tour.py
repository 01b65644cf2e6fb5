"""The steps of the demo, as plain data: what is installed, what it says of photos and motions, how it takes a clip."""

from __future__ import annotations

import time
from typing import Any

import essmc_core
from essmc_core.errors import MissingDependency
from essmc_demo import samples

IMAGE_MODEL = "tf_efficientnet_lite0_in1k"
MOTION_MODEL = "motion_digits"
MOTION_CLIP = "pkg://essmc-motion/essmc_motion/moving_digits.mp4"
VIDEO_MODEL = "tada2d_r50_k400"
NEEDED_PACKS = ("essmc-classifiers", "essmc-timm", "essmc-efficientnet-lite", "essmc-video", "essmc-motion")

Facts = dict[str, Any]


def require_packs() -> None:
    """Makes sure that the packs of the demo's models are in use.

    Raises:
        MissingDependency: some are not installed, blocked or quarantined; says what mends it.
    """
    found = {pack.distribution: pack for pack in essmc_core.packs()}
    if missing := [name for name in NEEDED_PACKS if name not in found]:
        raise MissingDependency(
            f"the demo needs packs that are not installed: {', '.join(missing)}",
            hint=f"pip install {' '.join(missing)}",
        )
    for name in NEEDED_PACKS:
        pack = found[name]
        if pack.status != "ok":
            raise MissingDependency(
                f"the demo needs {name}, which is {pack.status}: {pack.reason}", hint=pack.remedy
            ) from pack.error


def installed() -> Facts:
    """Returns packs, components by kind and zoo models, without importing torch."""
    return {
        "packs": [
            {
                "distribution": pack.distribution,
                "version": pack.version,
                "status": pack.status,
                "components": sum(pack.components.values()),
                "models": pack.zoo,
            }
            for pack in essmc_core.packs()
        ],
        "components": {registry.kind: len(registry) for registry in essmc_core.REGISTRIES if len(registry)},
        "models": essmc_core.list_models(),
        "pretrained": essmc_core.list_models(pretrained=True),
    }


def name_photos(topk: int = 3) -> Facts:
    """Returns the classes that a pretrained model gives real photos."""
    predict, photos = essmc_core.predict, []
    for path in samples.photos():
        start = time.perf_counter()
        found = predict(IMAGE_MODEL, path, topk=topk)
        photos.append(
            {
                "file": path.name,
                "seconds": time.perf_counter() - start,
                "predictions": [
                    {"label": ranked.label, "probability": ranked.probability} for ranked in found.predictions
                ],
            }
        )
    return {"model": IMAGE_MODEL, "photos": photos}


def name_motions() -> Facts:
    """Returns which way a small video model says a digit moves, second by second of a real file."""
    found = essmc_core.predict(MOTION_MODEL, MOTION_CLIP, topk=1, segments=1.0)
    return {
        "model": MOTION_MODEL,
        "file": MOTION_CLIP.rpartition("/")[2],
        "segments": [
            {
                "start": part.start,
                "end": part.end,
                "label": part.predictions[0].label,
                "probability": part.predictions[0].probability,
            }
            for part in found.segments
        ],
    }


def run_clip() -> Facts:
    """Builds a video model by name and runs a real clip through it; returns shapes and times.

    Its weights are random, since the zoo names none that can be fetched; classes would mean nothing and are left out.
    """
    import torch

    from essmc_core.inputs import InputSpec, load_clip

    entry, path = essmc_core.ZOO.entry(VIDEO_MODEL), samples.clip()
    start = time.perf_counter()
    model = essmc_core.build_model(VIDEO_MODEL).eval()
    built = time.perf_counter()
    clip = load_clip(path, InputSpec.from_mapping(entry.section("input")))
    decoded = time.perf_counter()
    with torch.inference_mode():
        output = model(clip)
    done = time.perf_counter()
    return {
        "model": VIDEO_MODEL,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "weights": "random",
        "weights_note": str(entry.config.get("weights_note") or "").strip(),
        "file": path.name,
        "input_shape": list(clip.shape),
        "output_shape": list(output.shape),
        "seconds": {"build": built - start, "decode": decoded - built, "forward": done - decoded},
    }
