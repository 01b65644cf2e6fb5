"""What a training starts from: the weights a file names are loaded or refused, and the log says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import essmc_core
from essmc_core.errors import EssmcError
from essmc_core.models.recipes import check_training, read_training
from essmc_core.registry.reading import read_signature
from essmc_devkit.testing.fixtures import Python, Site
from essmc_solvers.commands.job import read_job
from essmc_solvers.commands.train import _build
from tests.packs.solvers.test_commands import CONFIG, PARTS
from tests.samples.solving import Net, data, solver

MOTION = "pkg://essmc-motion/essmc_motion/motion_digits.safetensors"
SMALL = ("data.train.dataset.clips=16", "data.eval=null", "data.train.batch_size=8", "solver.max_epochs=1",
         "solver.device=cpu")  # fmt: skip


@pytest.fixture
def net(python: Python, site: Site) -> Path:
    """A model's file with data and solver, and `w.pth`, weights of it that are all 0.25."""
    components = {"datasets.Points": "essmc_tiny.parts:Points", "models.Net": "essmc_tiny.parts:Net"}
    site.add("essmc-tiny", components=components, files={"parts.py": PARTS})
    names = {"net.0.weight": (12, 6), "net.0.bias": (12,), "net.2.weight": (3, 12), "net.2.bias": (3,)}
    torch.save({name: torch.full(shape, 0.25) for name, shape in names.items()}, python.cwd / "w.pth")
    path = python.cwd / "tiny.yaml"
    path.write_text(CONFIG.replace("lr: 0.02", "lr: 0.0"))
    return path


def trained(python: Python, name: str = "tiny") -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(python.cwd / "work_dirs" / name / "epoch-00001.pth", weights_only=True)[
        "state_dict"
    ]
    return found


@pytest.mark.parametrize("section", ["weights: w.pth\n", "weights: {uri: w.pth, min_coverage: 1.0}\n"])
def test_weights_of_a_file_are_loaded(python: Python, net: Path, section: str) -> None:
    net.write_text(net.read_text() + section)
    shown = python.essmc("train", "tiny.yaml", "solver.max_epochs=1").stdout
    assert "weights    w.pth (coverage 100.0%)" in shown and "random" not in shown
    assert all(torch.all(value == 0.25) for value in trained(python).values())
    anew = python.essmc("train", "tiny.yaml", "solver.max_epochs=1", "pretrained=false", "--overwrite").stdout
    assert "weights    none: all parameters start from random values (pretrained: true would load w.pth)" in anew
    assert not torch.all(trained(python)["net.0.weight"] == 0.25)
    # A work dir is where a training may start, too.
    net.write_text(net.read_text().replace(section, "weights: work_dirs/tiny\n"))
    shown = python.essmc("train", "tiny.yaml", "solver.max_epochs=1", "--work-dir", "work_dirs/second").stdout
    assert "work_dirs/tiny/best.pth (coverage 100.0%)" in shown
    for name, value in trained(python).items():
        assert torch.equal(value, trained(python, "second")[name])


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("weights: gone.pth", "gone.pth"),
        ("weights: {key_map: []}", "names nothing to load"),
        ("weights: 3", "`weights` is a path"),
        ("pretrained: 3", "`pretrained` is true or false"),
        ("weights: {uri: w.pth}", "fits the module"),
    ],
)
def test_a_file_whose_weights_cannot_be_had_is_refused(tmp_path: Path, section: str, message: str) -> None:
    torch.save({"net": torch.zeros(3)}, tmp_path / "w.pth")
    text = essmc_core.ZOO.entry("motion_digits").file.read_text()
    text = text[: text.index("# Training starts")] + text[text.index("results:") :]
    path = tmp_path / "my.yaml"
    path.write_text(text + section.replace("w.pth", str(tmp_path / "w.pth")) + "\n")
    with pytest.raises(EssmcError, match=message):
        _build(read_job(str(path), SMALL), tmp_path / "run", None)


def test_a_printed_entry_says_what_it_starts_from_and_does(python: Python) -> None:
    """Other classes leave the head random, and the log names it."""
    text = python.essmc("show", "motion_digits", "--yaml").stdout
    assert text.startswith("# `essmc train` starts from random values; pretrained: true starts from the weights below.")
    (python.cwd / "my.yaml").write_text(text)
    fresh = python.essmc("train", "my.yaml", *SMALL).stdout
    assert f"weights    none: all parameters start from random values (pretrained: true would load {MOTION})" in fresh
    (python.cwd / "my.yaml").write_text(
        text.replace("pretrained: false", "").replace("num_classes: 9", "num_classes: 12")
    )
    shown = python.essmc("train", "my.yaml", *SMALL, "labels=null", "--overwrite").stdout
    assert f"weights    {MOTION} (coverage 100.0%)" in shown
    assert "random     head: these start from random values" in shown
    assert "parameters 95,676 of 95,676 train" in shown and "device     cpu, 1 process" in shown
    assert "train data 16 items, 9 classes, batches of 8" in shown
    assert "next: essmc eval work_dirs/my" in shown


def training_of(text: str, folder: Path) -> dict[str, object] | None:
    path = folder / "file.yaml"
    path.write_text(text)
    read = read_training(str(path))
    check_training(read, read_signature)
    return read.weights


def test_which_weights_a_file_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = "zoo: motion_digits\n"
    assert training_of(zoo, tmp_path) is None
    assert training_of(zoo + "pretrained: true\n", tmp_path)["uri"] == MOTION  # type: ignore[index]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.pth").touch()
    assert training_of(zoo + "weights: own.pth\n", tmp_path) == {"uri": "own.pth"}
    assert training_of(zoo + "weights: own.pth\npretrained: false\n", tmp_path) is None
    assert read_training("motion_digits").weights is None
    assert read_training("motion_digits", ["pretrained=true"]).weights["uri"] == MOTION  # type: ignore[index]
    with pytest.raises(EssmcError, match="true or false"):
        read_training("motion_digits", ["pretrained=3"])


def test_a_run_from_python_says_what_was_loaded_into_which_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from essmc_core.weights import load_pretrained

    model = Net()
    torch.save(Net().backbone.state_dict(), tmp_path / "b.pth")
    load_pretrained(model.backbone, tmp_path / "b.pth")
    solver(model).solve(data())
    shown = capsys.readouterr().out
    assert "b.pth (coverage 100.0%, of backbone)" in shown and "random     head: these start" in shown
