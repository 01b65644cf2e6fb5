"""Which network a file is of: recognised by names and shapes, with lines that load it, and nothing wrongly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

import essmc_core
from essmc_core.cli.inspect import inspect
from essmc_core.errors import ConfigError, WeightsMismatch
from essmc_core.models.recognition import Recognised, recognise_file
from essmc_core.weights import load_pretrained
from essmc_core.weights.layouts.digests import digest, write_table
from essmc_core.weights.layouts.layout import Layout, Shapes
from essmc_core.weights.layouts.recognise import recognise
from essmc_devkit.testing.fixtures import Python

GOLDEN = Path(__file__).parents[1] / "parity"


def shapes_of(state: dict[str, Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def golden(name: str) -> Shapes:
    """Returns the shapes of a network that another project built, as they are written down: ``float32[64,3,7,7]``."""
    (path,) = GOLDEN.rglob(f"{name}.json")
    written = json.loads(path.read_text())["state_dict"]
    return {
        key: tuple(int(size) for size in text.partition("[")[2].rstrip("]").split(",") if size)
        for key, text in written.items()
    }


def types(found: list[Recognised]) -> set[str]:
    return {one.backbone["type"] for one in found}


@pytest.mark.parametrize(
    ("name", "backbone", "project", "entry"),
    [
        ("ptv_c2d_r50", {"type": "C2D", "depth": 50}, "pytorchvideo", "c2d_r50_8x8_k400"),
        ("ptv_i3d_r50", {"type": "I3D", "depth": 50}, "pytorchvideo", "i3d_r50_8x8_k400"),
        ("ptv_slow_r50", {"type": "SlowOnly", "depth": 50}, "pytorchvideo", "slow_r50_4x16_k400"),
        ("ptv_r2plus1d_r50", {"type": "R2Plus1DBottleneck", "depth": 50}, "pytorchvideo", "r2plus1d_r50_16x4_k400"),
        (
            "ptv_slowfast_r50",
            {"type": "SlowFast", "depth": 50, "alpha": 4, "fusion_kernel_size": 7},
            "pytorchvideo",
            "slowfast_r50_8x8_k400",
        ),
        ("ptv_x3d_s", {"type": "X3D", "depth_factor": 2.2}, "pytorchvideo", "x3d_m_k400"),
        ("tv_r3d_18", {"type": "torchvision/r3d_18"}, "torchvision", "r3d_18_tv_k400"),
        ("tv_swin3d_t", {"type": "torchvision/swin3d_t"}, "torchvision", "swin3d_t_tv_k400"),
        ("tv_mvit_v2_s", {"type": "torchvision/mvit_v2_s"}, "torchvision", "mvit_v2_s_tv_k400"),
    ],
)
def test_networks_of_other_projects_are_recognised(
    name: str, backbone: dict[str, Any], project: str, entry: str
) -> None:
    shapes = golden(name)
    (found,) = recognise_file("w.pth", shapes)
    assert (found.backbone, found.project, found.tensors) == (backbone, project, len(shapes))
    assert entry in found.entries
    assert found.classes == (400,)


def test_what_is_essentialmc2s_is_recognised_with_its_classes() -> None:
    (found,) = recognise_file("w.pth", golden("model_tada_r50_hmdb51"))
    assert found.backbone["type"] == "ResNet3D_TAda" and found.classes == (51,)
    assert found.entries[0] == "tada2d_r50_hmdb51" and not found.key_map
    (found,) = recognise_file("w.pth", golden("model_tada_r50_k400"))
    assert "num_classes" not in found.command and found.entries[0].endswith("k400")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model.", "model._orig_mod."])
def test_wrappers_do_not_matter(prefix: str) -> None:
    shapes = {prefix + key: shape for key, shape in golden("ptv_slow_r50").items()}
    (found,) = recognise_file("w.pth", shapes)
    assert found.backbone["type"] == "SlowOnly" and found.tensors == len(shapes)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "vit_b_32", "shufflenet_v2_x0_5"])
def test_models_of_torchvision_are_recognised(name: str) -> None:
    with torch.device("meta"):
        model = torchvision.models.get_model(name, num_classes=7)
    found = recognise_file("w.pth", shapes_of(model.state_dict()))
    assert f"torchvision/{name}" in types(found)
    assert all(one.classes == (7,) for one in found)


@pytest.mark.parametrize("name", ["mobilenetv4_conv_small", "vit_tiny_patch16_224", "convnext_atto", "regnety_002"])
def test_models_of_timm_are_recognised(name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=7)
    found = recognise_file("w.pth", shapes_of(model.state_dict()))
    assert f"timm/{name}" in types(found)
    # Those that share names and shapes with it may be others, and none that does not.
    for other in types(found) - {f"timm/{name}"}:
        with torch.device("meta"):
            library, _, bare = other.partition("/")
            made = timm.create_model(bare, num_classes=7) if library == "timm" else None
        assert made is None or shapes_of(made.state_dict()) == shapes_of(model.state_dict())


def test_a_lost_renamed_or_reshaped_tensor_is_not_recognised() -> None:
    shapes = dict(golden("ptv_slow_r50"))
    key = "blocks.2.res_blocks.1.branch2.conv_b.weight"
    assert recognise_file("w.pth", shapes)
    assert recognise_file("w.pth", {name: shape for name, shape in shapes.items() if name != key}) == []
    assert recognise_file("w.pth", {**shapes, key: (128, 128, 3, 3, 3)}) == []
    assert recognise_file("w.pth", {**shapes, "blocks.9.weight": (1,)}) == []
    assert recognise_file("w.pth", {f"x{name}": shape for name, shape in shapes.items()}) == []


def evaluate(line: str) -> nn.Module:
    model = eval(line, {"essmc_core": essmc_core})
    assert isinstance(model, nn.Module)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("wrapper", ["", "model."])
@pytest.mark.parametrize("name", ["resnet18", "mobilenetv4_conv_small", "test_vit", "r3d_18"])
def test_the_line_of_python_loads_every_tensor(tmp_path: Path, name: str, wrapper: str) -> None:
    torch.manual_seed(0)
    make = torchvision.models.get_model if name in ("resnet18", "r3d_18") else timm.create_model
    theirs = make(name, num_classes=7)
    path = tmp_path / "w.pth"
    torch.save({wrapper + key: value for key, value in theirs.state_dict().items()}, path)
    found = recognise_file(str(path), {wrapper + key: shape for key, shape in shapes_of(theirs.state_dict()).items()})
    library = "torchvision" if make is not timm.create_model else "timm"
    # Networks whose layers without tensors differ, such as resnetblur18, have the same names and shapes.
    same = [one for one in found if one.backbone["type"] == f"{library}/{name}"]
    assert same
    for one in same:
        ours = evaluate(one.python).eval()
        images = torch.randn(1, 3, 8, 64, 64) if name == "r3d_18" else torch.randn(1, 3, *_size(theirs))
        with torch.no_grad():
            torch.testing.assert_close(ours(images), theirs.eval()(images).softmax(1))


def _size(model: nn.Module) -> tuple[int, int]:
    config = getattr(model, "pretrained_cfg", None)
    return config["input_size"][1:] if config else (64, 64)


@pytest.mark.slow
def test_a_recognised_file_is_told_without_torch_and_its_command_works(tmp_path: Path, python: Python) -> None:
    import skimage.data

    photo = Path(skimage.data.__file__).with_name("chelsea.png")
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(num_classes=5).state_dict(), tmp_path / "w.pth")
    done = python.run(f"""
        import sys
        from click.testing import CliRunner
        from essmc_core.cli.inspect import inspect
        result = CliRunner().invoke(inspect, [{str(tmp_path / "w.pth")!r}, "--json"], standalone_mode=False)
        assert not {{"torch", "timm", "torchvision", "numpy"}} & set(sys.modules)
        print(result.output)
    """)
    networks = json.loads(done.stdout)["networks"]
    (one,) = [network for network in networks if network["backbone"]["type"] == "torchvision/resnet18"]
    words = one["command"].replace("FILE", str(photo)).split()
    assert words[0] == "essmc"
    shown = python.essmc(*words[1:], "--topk", "5")
    assert len(shown.stdout.splitlines()) == 6


def test_a_layout_of_a_pack_is_asked_too(tmp_path: Path) -> None:
    shapes = {"fc.weight": (3, 4), "fc.bias": (3,), "stem.weight": (4, 3, 3, 3), "stem.num_batches_tracked": ()}
    write_table(tmp_path / "table.json", [("tiny", "fc", shapes)])
    layout = Layout("theirs", tmp_path / "table.json")
    seven = {**shapes, "fc.weight": (7, 4), "fc.bias": (7,)}
    del seven["stem.num_batches_tracked"]
    (match,) = recognise(seven, [layout])
    assert (match.networks, match.classes, match.tensors) == (("tiny",), (7,), 3)
    assert recognise({**shapes, "fc.weight": (3, 5)}, [layout]) == []
    assert digest(shapes, "fc") == digest(seven, "fc") != digest(seven, "stem")


def test_a_table_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text("[1]")
    for path in (tmp_path / "table.json", tmp_path / "none.json"):
        with pytest.raises(ConfigError, match="table"):
            Layout("theirs", path).read_table()


def test_the_command_says_what_it_recognised(tmp_path: Path) -> None:
    from click.testing import CliRunner

    with torch.device("meta"):
        state = torchvision.models.resnet18().state_dict()
    torch.save({key: torch.zeros(value.shape) for key, value in state.items()}, tmp_path / "resnet18-x.pth")
    torch.save({"other.weight": torch.zeros(3)}, tmp_path / "other.pth")
    shown = [
        CliRunner().invoke(inspect, [str(path)], standalone_mode=False, catch_exceptions=False).output
        for path in (tmp_path / "resnet18-x.pth", tmp_path / "other.pth")
    ]
    assert "torchvision/resnet18: all 122 tensors, by the names of torchvision, 1000 classes" in shown[0]
    assert "essmc predict resnet18_tv_in1k FILE --checkpoint" in shown[0]
    assert "names and shapes are those of 3 networks, and do not tell them apart" in shown[0]
    assert "not recognised" in shown[1]


@pytest.mark.parametrize("wrapper", ["", "model."])
def test_weights_of_a_recognised_layout_load_without_a_key_map_and_say_so(tmp_path: Path, wrapper: str) -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18(num_classes=7)
    torch.save({wrapper + key: value for key, value in theirs.state_dict().items()}, tmp_path / "w.pth")
    model = essmc_core.build_model(
        {
            "type": "Classifier",
            "backbone": {"type": "torchvision/resnet18"},
            "head": {"type": "ClassifierHead", "num_classes": 7},
        }
    )
    report = load_pretrained(model, tmp_path / "w.pth")
    assert report.key_map == "torchvision's names" and report.coverage == 1 and not report.unexpected
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images), theirs.eval()(images).softmax(1))
    # A layer that is lost makes it another file, which no layout explains.
    state = {wrapper + key: value for key, value in theirs.state_dict().items() if key != "layer2.0.conv1.weight"}
    torch.save(state, tmp_path / "lost.pth")
    with pytest.raises(WeightsMismatch):
        load_pretrained(model, tmp_path / "lost.pth")


def test_a_file_without_a_last_layer_is_a_backbones(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model("test_vit", num_classes=0)
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    found = recognise_file(str(tmp_path / "w.pth"), shapes_of(theirs.state_dict()))
    assert types(found) >= {"timm/test_vit"} and found[0].classes == () and not found[0].entries
    report = eval(found[0].python, {"essmc_core": essmc_core})
    assert report.complete and len(report.loaded) == len(theirs.state_dict())
