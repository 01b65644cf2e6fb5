"""Trains the shipped weights and writes them and the zoo entry's results: ``python -m essmc_motion.train_weights``."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors.torch import save

from essmc_core.foundation.atomic import write_text

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "motion_digits.safetensors"
ENTRY = FOLDER / "zoo" / "motion_digits.yaml"
PER_FRAME = "temporal_kernel=1"


def main() -> None:
    """Trains the model and the same one with temporal kernels of 1, and evaluates both on held-out digits."""
    with tempfile.TemporaryDirectory() as folder:
        ours, per_frame = Path(folder, "ours"), Path(folder, "per_frame")
        _essmc("train", "motion_digits", "--work-dir", str(ours))
        _essmc("train", "motion_digits", PER_FRAME, "--work-dir", str(per_frame))
        values = [_accuracy(ours), _accuracy(per_frame, PER_FRAME)]
        _write_weights(ours)
    _write_entry(values)
    print(f"held-out acc@1: {values[0]:.2f}, with temporal kernels of 1: {values[1]:.2f}")


def _essmc(*arguments: str, capture: bool = False) -> str:
    command = [sys.executable, "-m", "essmc_core", *arguments]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE if capture else None)
    return done.stdout or ""


def _accuracy(work_dir: Path, *overrides: str) -> float:
    """Returns the accuracy of a run's last checkpoint, in percent as everywhere in the zoo."""
    printed = _essmc("eval", "motion_digits", *overrides, "--checkpoint", str(_last(work_dir)), "--json", capture=True)
    return 100 * float(json.loads(printed)["acc@1"])


def _last(work_dir: Path) -> Path:
    return max(work_dir.glob("epoch-*.pth"))


def _write_weights(work_dir: Path) -> None:
    from essmc_core import build_model

    # Loading the checkpoint by the core proves that its keys fit, and keeps optimizer states out of the file.
    model = build_model("motion_digits", weights=_last(work_dir))
    WEIGHTS.write_bytes(save({key: value.contiguous() for key, value in model.state_dict().items()}))


def _write_entry(values: list[float]) -> None:
    """Puts hash and results in their places; everything else of the file stays."""
    text = ENTRY.read_text(encoding="utf-8")
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    # Quoted, since a digest of digits and one e is a number in YAML.
    text = re.sub(r'(?<=sha256: ")\w+', digest, text)
    numbers = iter(values)
    text = re.sub(r"(?<=value: )[\d.]+", lambda _: f"{next(numbers):.2f}", text)
    write_text(ENTRY, text)


if __name__ == "__main__":
    main()
