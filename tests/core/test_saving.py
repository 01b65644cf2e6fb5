"""`save` writes one file that `load` rebuilds the model from, or says why it cannot; nothing of the file is run."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

import essmc_core
from essmc_core.errors import (
    ConfigError,
    FingerprintMismatch,
    FingerprintUnknown,
    MissingDependency,
    UnknownModel,
    UnsafeWeights,
    WeightsCorrupt,
    WeightsError,
)
from essmc_core.models.description import NotRebuildable
from essmc_core.weights.described_file import NotWritten
from essmc_core.zoo.needed_packs import OlderPack
from tests.samples import owls

CONFIG: dict[str, Any] = {**owls.CONFIG, "knobs": {"num_classes": "model.head.num_classes"}}


@pytest.fixture(scope="module")
def built() -> Any:
    torch.manual_seed(0)
    return essmc_core.build_model(CONFIG).eval()


@pytest.fixture
def model(built: Any) -> Any:
    return copy.deepcopy(built)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "owl.safetensors"


def metadata(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        found: dict[str, Any] = json.loads(file.metadata()["essmc"])
    return found


def rewrite(path: Path, change: Any) -> None:
    """Changes what a file says of its model."""
    said = metadata(path)
    change(said)
    save_file(load_file(path), path, {"format": "pt", "essmc": json.dumps(said)})


def test_a_file_says_what_it_is_and_another_process_rebuilds_it(model: Any, path: Path) -> None:
    inputs = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)
    with torch.no_grad():
        expected = model(inputs)
    assert essmc_core.save(model, path) == path
    said = metadata(path)
    assert said["packs"].keys() == {"essmc-classifiers", "essmc-timm"}
    assert said["packs"].keys() == said["origins"].keys()
    assert said["config"]["labels"] == ["cat", "dog", "owl"] and said["config"]["input"]["size"] == 64
    assert str(Path.home()) not in json.dumps(said) and os.getcwd() not in json.dumps(said)
    code = f"""
import torch, essmc_core
model = essmc_core.load({str(path)!r})
inputs = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)
torch.save(model(inputs).detach(), "out.pt")
print(model.training, *model.card["config"]["labels"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=path.parent, timeout=120)
    assert done.stdout.split() == ["False", "cat", "dog", "owl"], done.stderr
    assert torch.equal(torch.load(path.parent / "out.pt"), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_dtypes_are_those_that_were_saved(model: Any, path: Path, dtype: torch.dtype) -> None:
    model.to(dtype)
    found = essmc_core.load(essmc_core.save(model, path)).state_dict()
    assert {key: value.dtype for key, value in found.items()} == {k: v.dtype for k, v in model.state_dict().items()}
    assert all(torch.equal(found[key], value) for key, value in model.state_dict().items())


def test_tied_and_strided_tensors_are_stored_once_and_tied_again(model: Any, path: Path) -> None:
    convolutions = [one for one in model.modules() if isinstance(one, nn.Conv2d) and one.kernel_size == (3, 3)]
    first = next(one for one in convolutions if one.weight.shape[0] == one.weight.shape[1])
    second = next(one for one in convolutions if one is not first and one.weight.shape == first.weight.shape)
    second.weight = first.weight
    head = model.head.fc.weight
    head.data = torch.randn(head.shape[::-1]).t()
    found = essmc_core.load(essmc_core.save(model, path))
    names = [name for name, one in model.named_modules() if one in (first, second)]
    assert found.get_submodule(names[0]).weight is found.get_submodule(names[1]).weight
    assert torch.equal(found.head.fc.weight, head)
    assert path.stat().st_size < sum(value.numel() * 4 for value in model.state_dict().values()) + 20_000


def test_wrappers_are_left_out(model: Any, path: Path) -> None:
    wrapped = torch.optim.swa_utils.AveragedModel(nn.DataParallel(torch.compile(model)))
    assert essmc_core.load(essmc_core.save(wrapped, path)).state_dict().keys() == model.state_dict().keys()


def changed_module(model: Any) -> None:
    model.head.fc = nn.Sequential(nn.Linear(512, 3))


def changed_argument(model: Any) -> None:
    next(one for one in model.modules() if isinstance(one, nn.BatchNorm2d)).eps = 0.1


def meta_tensors(model: Any) -> None:
    model.to("meta")


def no_card(model: Any) -> None:
    model.card = None


def not_finite(model: Any) -> None:
    model.head.fc.bias.data[0] = float("nan")


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (changed_module, NotRebuildable, "Sequential"),
        (changed_argument, NotRebuildable, "eps=0.1"),
        (meta_tensors, NotRebuildable, "meta device"),
        (no_card, NotRebuildable, "config="),
        (not_finite, WeightsError, "not finite"),
    ],
)
def test_what_a_file_cannot_rebuild_is_refused_and_nothing_is_written(model, path, change, error, said) -> None:
    path.write_bytes(b"what was there")
    change(model)
    with pytest.raises(error, match=said):
        essmc_core.save(model, path)
    assert path.read_bytes() == b"what was there" and list(path.parent.iterdir()) == [path]


def test_a_model_made_by_hand_is_saved_with_its_configuration(model: Any, path: Path) -> None:
    model.card = None
    essmc_core.save(model, path, config=CONFIG["model"], input=CONFIG["input"], labels=["a", "b", "c"])
    assert list(essmc_core.load(path).card["config"]["labels"]) == ["a", "b", "c"]  # type: ignore[index]


def test_parts_and_wrong_places_are_refused(model: Any, tmp_path: Path) -> None:
    with pytest.raises(NotRebuildable, match="no whole model"):
        essmc_core.save(model.backbone, tmp_path / "part.safetensors")
    with pytest.raises(ConfigError, match="safetensors"):
        essmc_core.save(model, tmp_path / "model.pth")
    with pytest.raises(NotWritten, match="no directory"):
        essmc_core.save(model, tmp_path / "absent" / "model.safetensors")


def test_a_missing_pack_gives_the_line_for_pip_and_an_older_one_warns(model: Any, path: Path) -> None:
    essmc_core.save(model, path)
    rewrite(path, lambda said: said["packs"].update({"essmc-absent": "2.1"}))
    with pytest.raises(MissingDependency, match=r"essmc-absent 2\.1") as refused:
        essmc_core.load(path)
    assert "pip install essmc-absent" in str(refused.value)
    rewrite(path, lambda said: said["packs"].pop("essmc-absent") and said["packs"].update({"essmc-timm": "99.0"}))
    with pytest.warns(OlderPack, match=r"essmc-timm>=99\.0"):
        essmc_core.load(path)


def test_a_newer_description_or_a_damaged_one_is_refused(model: Any, path: Path) -> None:
    essmc_core.save(model, path)
    rewrite(path, lambda said: said.update(format=7))
    with pytest.raises(WeightsCorrupt, match="format 7"):
        essmc_core.load(path)
    save_file(load_file(path), path, {"essmc": "{"})
    with pytest.raises(WeightsCorrupt, match="cannot be read"):
        essmc_core.load(path)


@pytest.mark.parametrize("change", [dict.popitem, lambda tensors: tensors.update(more=torch.ones(1))])
def test_every_tensor_is_there_and_none_is_left(model: Any, path: Path, change: Any) -> None:
    essmc_core.save(model, path)
    said, tensors = metadata(path), load_file(path)
    change(tensors)
    save_file(tensors, path, {"essmc": json.dumps(said)})
    with pytest.raises(WeightsError):
        essmc_core.load(path)


def test_weights_alone_and_nothing_at_all_are_named(model: Any, tmp_path: Path) -> None:
    plain = tmp_path / "plain.safetensors"
    save_file({"a": torch.ones(1)}, plain)
    with pytest.raises(UnknownModel, match="does not say which model"):
        essmc_core.load(plain)
    with pytest.raises(WeightsError, match="no file"):
        essmc_core.load(tmp_path / "absent.safetensors")


class Bomb(nn.Module):
    """Leaves a trace where its code is run."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        Path("run.txt").write_text("run")


def test_a_whole_pickled_model_is_refused_with_its_packs_and_not_run(model, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(model, "whole.pth")
    with pytest.raises(UnsafeWeights, match="whole model") as refused:
        essmc_core.load("whole.pth")
    assert "essmc-timm" in str(refused.value) and "essmc_core.save" in str(refused.value)
    torch.save(Bomb(), "bomb.pth", pickle_module=pickle)
    with pytest.raises(WeightsError):
        essmc_core.load("bomb.pth")
    assert not Path("run.txt").exists()


def test_a_kill_while_writing_leaves_the_old_file(model: Any, path: Path) -> None:
    essmc_core.save(model, path)
    before = path.read_bytes()
    code = f"""
import os, signal
import essmc_core
from essmc_core.weights import described_file
real = os.replace
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
essmc_core.save(essmc_core.load({str(path)!r}).float(), {str(path)!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120)
    assert done.returncode == -9
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="access rights are others on Windows")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_access_rights_are_those_of_any_new_file(model: Any, path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        essmc_core.save(model, path)
        assert path.stat().st_mode & 0o777 == mode
        path.chmod(0o600)
        essmc_core.save(model, path)
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_predict_show_and_build_take_the_file(model: Any, path: Path, tmp_path: Path) -> None:
    from PIL import Image

    essmc_core.save(model, path)
    Image.new("RGB", (80, 80), (200, 30, 30)).save(tmp_path / "red.png")
    found = essmc_core.predict(str(path), tmp_path / "red.png")
    assert {ranked.label for ranked in found.predictions} == {"cat", "dog", "owl"}
    assert found.weights == str(path)
    again = essmc_core.build_model(str(path), pretrained=True, num_classes=7)
    assert again.head.fc.out_features == 7
    assert torch.equal(next(again.backbone.parameters()), next(model.backbone.parameters()))


def test_a_file_states_what_its_model_computes_and_load_and_verify_compare(model: Any, path: Path) -> None:
    from click.testing import CliRunner

    from essmc_core.cli.app import cli

    essmc_core.save(model, path)
    check = metadata(path)["config"]["check"]
    assert check["at"] == [3, 64, 64] and len(check["weights"]) == 2
    essmc_core.load(path, check=True)
    verified = CliRunner().invoke(cli, ["verify", str(path), "--json"])
    assert verified.exit_code == 0 and json.loads(verified.stdout)[0]["status"] == "ok"

    rewrite(path, lambda said: said["config"]["input"].update(std=[1.0, 1.0, 1.0]))
    essmc_core.load(path)
    with pytest.raises(FingerprintMismatch, match="computes something else"):
        essmc_core.load(path, check=True)

    essmc_core.save(model, path)
    said, tensors = metadata(path), load_file(path)
    name = next(name for name, tensor in tensors.items() if tensor.ndim == 4)
    tensors[name] = tensors[name].flip(-1)
    save_file(tensors, path, {"essmc": json.dumps(said)})
    essmc_core.load(path)
    with pytest.raises(FingerprintMismatch, match="other weights than the file states"):
        essmc_core.load(path, check=True)
    verified = CliRunner().invoke(cli, ["verify", str(path)], standalone_mode=False)
    assert verified.return_value == 1 and "differs" in verified.stdout


def test_half_precision_has_a_fingerprint_and_what_cannot_be_run_has_none(model: Any, path: Path) -> None:
    essmc_core.save(model.bfloat16(), path)
    essmc_core.load(path, check=True)
    essmc_core.save(model.double(), path)
    with pytest.raises(FingerprintUnknown, match="does not state"):
        essmc_core.load(path, check=True)
    model.float().card["config"].pop("input")
    essmc_core.save(model, path)
    assert "check" not in metadata(path)["config"]


def test_results_are_kept_with_the_weights_they_are_of(tmp_path: Path) -> None:
    path = tmp_path / "digits.safetensors"
    model = essmc_core.build_model("motion_digits", pretrained=True)
    results = essmc_core.ZOO.entry("motion_digits").config["results"]
    essmc_core.save(essmc_core.load(essmc_core.save(model, path)), path)
    said = metadata(path)
    assert said["config"]["results"] == [dict(one) for one in results] and "changed" not in said["weights"]
    with torch.no_grad():
        next(model.parameters()).mul_(1.5)
    essmc_core.save(model, path)
    said = metadata(path)
    assert "results" not in said["config"] and said["weights"]["changed"] is True
    essmc_core.load(path, check=True)
