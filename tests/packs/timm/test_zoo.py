"""timm's zoo entries and the uniform interface of its backbones."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from essmc_core import BACKBONES, build_model
from essmc_core.contract.features import BackboneInterface
from essmc_core.errors import ConfigError, InputError
from essmc_core.models.defaults import ZOO
from essmc_core.weights import load_pretrained
from essmc_core.weights.state_dict import map_keys
from essmc_timm.backbone import timm_backbone
from essmc_timm.generate_entries import MODELS, entry_name
from essmc_timm.key_maps import to_timm
from tests.samples.written_entries import written_entries

FAMILIES = ("resnet18", "convnext_atto", "efficientnet_b0", "mobilenetv3_small_050", "densenet121", "ghostnet_050")
TOKENS = ("vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "deit_tiny_distilled_patch16_224", "mixer_s32_224")


def test_entries_are_those_of_the_generator_and_state_timms_records() -> None:
    assert set(written_entries(pack="timm")) == {entry_name(tagged) for tagged in MODELS}
    for tagged in MODELS:
        entry, record = ZOO.entry(f"timm/{entry_name(tagged)}"), timm.get_pretrained_cfg(tagged)
        stated = entry.section("input")
        assert (3, *stated["size"]) == record.input_size
        assert tuple(stated["mean"]) == record.mean and tuple(stated["std"]) == record.std
        assert (stated["crop_pct"], stated["interpolation"]) == (record.crop_pct, record.interpolation)
        assert entry.section("weights")["uri"] == f"hf://timm/{tagged}/model.safetensors"
        assert len(entry.labels()) == record.num_classes


# One of each way in which timm names its last layer, and one whose last layer is a convolution.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("tagged", "shape"),
    [
        ("resnet18.a1_in1k", (1, 3, 64, 64)),
        ("convnext_atto.d2_in1k", (1, 3, 64, 64)),
        ("vit_tiny_patch16_224.augreg_in21k_ft_in1k", (1, 3, 224, 224)),
        ("mobilenetv4_conv_small.e2400_r224_in1k", (1, 3, 64, 64)),
        ("resnetv2_50.a1h_in1k", (1, 3, 64, 64)),
    ],
)
def test_a_timm_file_gives_timms_probabilities(tmp_path: Path, tagged: str, shape: tuple[int, ...]) -> None:
    reference = timm.create_model(tagged.partition(".")[0]).eval()
    path = tmp_path / "model.safetensors"
    save_file(reference.state_dict(), path)
    name = f"timm/{entry_name(tagged)}"
    key_map = [list(pair) for pair in ZOO.entry(name).section("weights")["key_map"]]
    model = build_model(name).eval()
    report = load_pretrained(model, {"uri": str(path), "key_map": key_map})
    assert report.complete and not report.unexpected
    inputs = torch.randn(shape)
    with torch.no_grad():
        torch.testing.assert_close(model(inputs), reference(inputs).softmax(dim=1), rtol=1e-4, atol=1e-6)
    exported = map_keys(model.state_dict(), tuple(to_timm(timm.get_pretrained_cfg(tagged).classifier)))
    assert exported.keys() == reference.state_dict().keys()
    for key, tensor in reference.state_dict().items():
        assert torch.equal(exported[key].reshape(tensor.shape), tensor), key


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAMILIES, *TOKENS])
def test_uniform_interface_tells_the_truth(name: str) -> None:
    backbone: Any = timm_backbone(name).eval()
    assert isinstance(backbone, BackboneInterface)
    inputs = torch.randn(1, 3, 224, 224)
    info = backbone.feature_info
    with torch.no_grad():
        assert backbone(inputs).shape == (1, backbone.num_features)
        maps = backbone.forward_features(inputs, range(len(info)))
        assert torch.equal(backbone.forward_features(inputs), maps[-1])
        assert torch.equal(backbone.forward_features(inputs, [-1, 0])[1], maps[0])
    assert [one.shape[1] for one in maps] == [one.channels for one in info]
    assert [224 // one.reduction for one in info] == [one.shape[2] for one in maps]
    with pytest.raises(IndexError):
        backbone.forward_features(inputs, [len(info)])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_copies_and_pickles_compute_the_same(name: str) -> None:
    backbone = timm_backbone(name).eval()
    inputs = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected = backbone(inputs)
        assert torch.equal(copy.deepcopy(backbone)(inputs), expected)
        restored = pickle.loads(pickle.dumps(backbone))
        assert type(restored) is type(backbone)
        assert torch.equal(restored(inputs), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_backbones_export_with_a_dynamic_batch(name: str) -> None:
    backbone = timm_backbone(name).eval()
    inputs = torch.randn(2, 3, 224, 224)
    program = torch.export.export(backbone, (inputs,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.testing.assert_close(program.module()(inputs[:1]), backbone(inputs[:1]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        (torch.zeros(3, 224, 224), r"\(N, 3, H, W\)"),
        (torch.zeros(1, 4, 224, 224), r"\(N, 3, H, W\)"),
        (torch.zeros(1, 3, 224, 224, dtype=torch.uint8), r"float"),
        (torch.zeros(1, 3, 192, 224), r"img_size"),
    ],
)
def test_inputs_it_cannot_take_are_refused_with_those_it_can(inputs: torch.Tensor, named: str) -> None:
    with pytest.raises(InputError, match=named):
        timm_backbone("vit_tiny_patch16_224")(inputs)


def test_a_family_without_gradient_checkpointing_says_so() -> None:
    with torch.device("meta"):
        backbone: Any = timm_backbone("vgg11")
    with pytest.raises(ConfigError, match="VGG"):
        backbone.set_grad_checkpointing()


@pytest.mark.slow
def test_inception_resnet_v2_is_essentialmc2s_trunk() -> None:
    with torch.device("meta"):
        backbone = BACKBONES.build("InceptionResNetV2")
        assert backbone(torch.zeros(1, 3, 299, 299)).shape == (1, 1536, 8, 8)
    assert {one.eps for one in backbone.modules() if hasattr(one, "eps")} == {1e-3}
