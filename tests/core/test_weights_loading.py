"""Loading into modules: what is loaded, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from essmc_core.errors import WeightsMismatch
from essmc_core.weights import LoadReport, build_with_weights, load_pretrained, skip_init


class Block(nn.Module):
    def __init__(self, width: int, kernel: tuple[int, ...] = (3, 3)) -> None:
        super().__init__()
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if len(kernel) == 2 else (nn.Conv3d, nn.BatchNorm3d)
        self.conv = conv(width, width, kernel, padding="same", bias=False)  # type: ignore[arg-type]
        self.bn = norm(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bn(self.conv(x)).relu()


class Backbone(nn.Module):
    def __init__(self, depth: int = 2, in_chans: int = 3, kernel: tuple[int, ...] = (3, 3), width: int = 8) -> None:
        super().__init__()
        self.stem = (nn.Conv2d if len(kernel) == 2 else nn.Conv3d)(in_chans, width, kernel, padding="same")  # type: ignore[arg-type]
        self.layers = nn.Sequential(*[Block(width, kernel) for _ in range(depth)])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(self.stem(x)).flatten(2).mean(2)  # type: ignore[no-any-return]


class Classifier(nn.Module):
    def __init__(self, num_classes: int = 5, **backbone: Any) -> None:
        super().__init__()
        self.backbone = Backbone(**backbone)
        self.head = nn.Linear(8, num_classes)
        self.register_buffer("scale", torch.rand(3), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(tmp_path / "cache"))
    torch.manual_seed(0)


def trained(model: nn.Module) -> nn.Module:
    """Gives every tensor, statistics included, values that no initialisation would give."""
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.copy_(torch.rand(tensor.shape) + 1 if tensor.is_floating_point() else tensor + 7)
    return model


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {key: tensor.clone() for key, tensor in module.state_dict().items()}


def assert_same(module: nn.Module, expected: dict[str, Tensor]) -> None:
    torch.testing.assert_close(dict(module.state_dict()), dict(expected), rtol=0, atol=0)


def saved(tmp_path: Path, content: Any, name: str = "w.pth") -> Path:
    torch.save(content, tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("container", ["zip", "legacy", "safetensors"])
def test_the_same_architecture_loads_fully(tmp_path: Path, container: str, assign: bool) -> None:
    origin, model, path = trained(Classifier()), Classifier(), tmp_path / "w"
    if container == "safetensors":
        save_file(origin.state_dict(), path)
    else:
        torch.save(origin.state_dict(), path, _use_new_zipfile_serialization=container == "zip")
    report = load_pretrained(model, path, assign=assign)
    assert_same(model, origin.state_dict())
    assert report.coverage == report.usage == 1 and report.complete and not report.adapted and not report.unexpected
    assert set(report.loaded) == set(model.state_dict())


@pytest.mark.slow
def test_wrapped_weights_and_wrapped_models_meet(tmp_path: Path) -> None:
    origin = trained(Classifier())
    path = saved(
        tmp_path, {"state_dict": {f"_orig_mod.module.{key}": value for key, value in origin.state_dict().items()}}
    )
    for wrap in (lambda m: m, nn.DataParallel, torch.compile):
        model = Classifier()
        load_pretrained(wrap(model), path)  # type: ignore[no-untyped-call]
        assert_same(model, origin.state_dict())


def test_a_mapping_selects_a_level_as_essentialmc2_does(tmp_path: Path) -> None:
    origin, backbone = trained(Classifier()), Backbone()
    path = saved(tmp_path, {"state_dict": origin.state_dict()})
    report = load_pretrained(backbone, {"path": str(path), "sub_level": "backbone", "map_location": "cpu"})
    assert_same(backbone, origin.backbone.state_dict())  # type: ignore[union-attr]
    assert report.coverage == 1
    classifier = Classifier()
    path = saved(tmp_path, origin.backbone.state_dict())  # type: ignore[union-attr]
    load_pretrained(classifier, path, prefix="backbone", min_coverage=0.8)
    assert_same(classifier.backbone, origin.backbone.state_dict())  # type: ignore[union-attr]


def mismatches(tmp_path: Path) -> dict[str, tuple[nn.Module, dict[str, Tensor], dict[str, Any]]]:
    plain = trained(Classifier()).state_dict()
    deep, wide = (
        trained(Classifier(depth=8)).state_dict(),
        trained(Classifier(width=16, num_classes=5, depth=2).backbone),
    )
    return {
        "another architecture": (Classifier(), {f"encoder.{key}": value for key, value in plain.items()}, {}),
        "a level that leaves nothing in common": (Classifier(), plain, {"sub_level": "backbone"}),
        "a deeper module": (Classifier(depth=8), plain, {}),
        "a shallower module": (Classifier(), deep, {}),
        "another width": (Backbone(), wide.state_dict(), {}),
        "no statistics": (Classifier(), {key: value for key, value in plain.items() if ".bn." not in key}, {}),
        "a 2D network in a 3D one": (Classifier(kernel=(3, 3, 3)), plain, {}),
        "other input channels": (Classifier(in_chans=1), plain, {}),
        "only a head": (Classifier(), {key: value for key, value in plain.items() if key.startswith("head")}, {}),
        "whole numbers for floats": (
            Classifier(), {k: v.long() if k.endswith("stem.weight") else v for k, v in plain.items()}, {},
        ),
    }  # fmt: skip


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("case", list(mismatches(Path())))
def test_weights_that_do_not_fit_are_refused_and_change_nothing(tmp_path: Path, case: str, assign: bool) -> None:
    module, weights, options = mismatches(tmp_path)[case]
    before, identities = snapshot(module), [id(parameter) for parameter in module.parameters()]
    with pytest.raises(WeightsMismatch) as caught:
        load_pretrained(module, saved(tmp_path, weights), assign=assign, **options)
    assert_same(module, before)
    assert [id(parameter) for parameter in module.parameters()] == identities
    report = caught.value.report
    assert isinstance(report, LoadReport) and "w.pth" in report.source
    assert isinstance(pickle.loads(pickle.dumps(caught.value)).report, LoadReport)


def test_a_mistyped_level_names_the_levels(tmp_path: Path) -> None:
    path = saved(tmp_path, Classifier().state_dict())
    with pytest.raises(WeightsMismatch, match="backbone, head"):
        load_pretrained(Backbone(), path, sub_level="bakcbone")


def test_thresholds_can_be_lowered_on_purpose(tmp_path: Path) -> None:
    shallow, deep = trained(Classifier(depth=2)), Classifier(depth=8)
    report = load_pretrained(deep, saved(tmp_path, shallow.state_dict()), min_coverage=0.1)
    assert 0.1 < report.coverage < 0.9 and len(report.missing) == 6 * 6
    assert torch.equal(deep.backbone.stem.weight, shallow.backbone.stem.weight)  # type: ignore[union-attr]
    report = load_pretrained(Classifier(), saved(tmp_path, deep.state_dict()), min_usage=0.1)
    assert report.coverage == 1 and 0.1 < report.usage < 0.9


def test_a_head_for_other_classes_is_dropped_whole(tmp_path: Path) -> None:
    origin, model = trained(Classifier(num_classes=400)), Classifier(num_classes=5)
    head = snapshot(model.head)
    report = load_pretrained(model, saved(tmp_path, origin.state_dict()))
    assert_same(model.head, head)
    assert_same(model.backbone, origin.backbone.state_dict())  # type: ignore[union-attr]
    assert (
        set(report.skipped) == {"head.weight", "head.bias"}
        and "400x8 does not fit 5x8" in report.skipped["head.weight"]
    )
    assert report.coverage == 1 and not report.complete
    with pytest.raises(WeightsMismatch, match=r"head\.weight"):
        load_pretrained(model, tmp_path / "w.pth", allow_head_mismatch=False)
    with pytest.raises(WeightsMismatch, match=r"head\.weight"):
        load_pretrained(model, tmp_path / "w.pth", head_prefixes=("fc",))


def test_a_head_of_another_width_is_no_head_for_other_classes(tmp_path: Path) -> None:
    origin, model = trained(Classifier()), Classifier()
    state = origin.state_dict()
    state["head.weight"] = torch.ones(5, 12)
    with pytest.raises(WeightsMismatch, match=r"head\.weight: shape 5x12 does not fit 5x8"):
        load_pretrained(model, saved(tmp_path, state))
    report = load_pretrained(model, saved(tmp_path, state), allow_missing=["head"])
    assert set(report.skipped) == {"head.weight"} and report.random == ("head.weight",)


def test_strict_wants_every_key_used(tmp_path: Path) -> None:
    state = trained(Classifier()).state_dict()
    load_pretrained(Classifier(), saved(tmp_path, state), strict=True)
    with pytest.raises(WeightsMismatch, match="strict"):
        load_pretrained(Classifier(), saved(tmp_path, {**state, "auxiliary.weight": torch.ones(1)}), strict=True)
    with pytest.raises(WeightsMismatch, match="strict"):
        load_pretrained(Classifier(num_classes=6), saved(tmp_path, state), strict=True)


def test_half_precision_weights_load_in_the_module_s_precision(tmp_path: Path) -> None:
    origin, model = trained(Classifier()).half(), Classifier()
    report = load_pretrained(model, saved(tmp_path, origin.state_dict()))
    assert_same(model, origin.float().state_dict())
    assert report.adapted["head.weight"] == "cast from float16 to float32"


def test_a_2d_network_inflates_into_a_3d_one(tmp_path: Path) -> None:
    flat, model = trained(Classifier()).eval(), Classifier(kernel=(1, 3, 3)).eval()
    load_pretrained(model, saved(tmp_path, flat.state_dict()), inflate="average")
    picture = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(
        model(picture[:, :, None].expand(-1, -1, 4, -1, -1)), flat(picture), rtol=1e-4, atol=1e-4
    )


def test_input_channels_adapt_when_asked(tmp_path: Path) -> None:
    origin, model = trained(Classifier()), Classifier(in_chans=1)
    report = load_pretrained(model, saved(tmp_path, origin.state_dict()), in_chans=True)
    assert list(report.adapted) == ["backbone.stem.weight"]


def test_old_weights_without_counters_are_complete(tmp_path: Path) -> None:
    state = {key: value for key, value in trained(Classifier()).state_dict().items() if "num_batches" not in key}
    assert load_pretrained(Classifier(), saved(tmp_path, state)).coverage == 1


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(6, 4), nn.Linear(4, 6, bias=False)
        self.out.weight = self.embed.weight


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("kept", [["embed.weight", "out.weight"], ["out.weight"]])
def test_tied_weights_stay_tied(tmp_path: Path, assign: bool, kept: list[str]) -> None:
    origin, model = trained(Tied()), Tied()
    path = saved(tmp_path, {key: origin.state_dict()[key] for key in kept})
    report = load_pretrained(model, path, assign=assign)
    assert model.embed.weight is model.out.weight and not report.missing
    assert_same(model, origin.state_dict())


def test_assigned_parameters_that_shared_memory_in_the_file_become_independent(tmp_path: Path) -> None:
    model = Tied()
    model.out.weight = nn.Parameter(torch.zeros(6, 4))
    load_pretrained(model, saved(tmp_path, trained(Tied()).state_dict()), assign=True)
    with torch.no_grad():
        model.out.weight.zero_()
    assert model.embed.weight.min() >= 1


@pytest.mark.parametrize("assign", [False, True])
def test_frozen_parameters_stay_frozen(tmp_path: Path, assign: bool) -> None:
    model = Classifier()
    model.backbone.requires_grad_(False)
    load_pretrained(model, saved(tmp_path, trained(Classifier()).state_dict()), assign=assign)
    assert [p.requires_grad for p in model.parameters()] == [
        not n.startswith("backbone") for n, _ in model.named_parameters()
    ]
    assert all(isinstance(parameter, nn.Parameter) for parameter in model.parameters())


def test_a_file_of_one_s_own_may_be_overwritten_after_assignment(tmp_path: Path) -> None:
    model = Classifier()
    path = saved(tmp_path, trained(Classifier()).state_dict())
    load_pretrained(model, path, assign=True)
    expected = snapshot(model)
    path.write_bytes(b"")
    assert_same(model, expected)


def test_a_module_on_the_meta_device_is_loaded_by_assignment_only(tmp_path: Path) -> None:
    origin = trained(Classifier())
    path = saved(tmp_path, origin.state_dict())
    with torch.device("meta"):
        model = Classifier()
    with pytest.raises(WeightsMismatch, match="meta"):
        load_pretrained(model, path)
    load_pretrained(model, path, assign=True)
    assert_same(model, origin.state_dict())


def test_a_report_reads_well_and_goes_through_json(tmp_path: Path) -> None:
    state = {**trained(Classifier(num_classes=7)).state_dict(), "auxiliary.weight": torch.ones(1)}
    report = load_pretrained(Classifier(), saved(tmp_path, state), allow_unused=["auxiliary"])
    assert (
        "\n" not in report.summary() and "100.0% of the module" in report.summary() and "2 skipped" in report.summary()
    )
    assert "head.weight: shape 7x8 does not fit 5x8" in str(report) and "auxiliary.weight" in str(report)
    loaded = json.loads(json.dumps(report.to_dict()))
    assert loaded["unexpected"] == ["auxiliary.weight"] and loaded["coverage"] == 1
    assert loaded["random"] == ["head.weight", "head.bias"] and "random: head (2 tensors)" in report.summary()


# -- building straight from weights ------------------------------------------------------------------------------------


def resnet() -> nn.Module:
    return pytest.importorskip("torchvision").models.resnet18(num_classes=10)  # type: ignore[no-any-return]


def test_a_direct_build_equals_a_normal_one_and_draws_nothing(tmp_path: Path) -> None:
    origin = trained(resnet())
    path = saved(tmp_path, origin.state_dict())
    state = torch.get_rng_state()
    model, report = build_with_weights(resnet, path)
    assert torch.equal(torch.get_rng_state(), state)
    assert report.complete and report.coverage == 1
    assert_same(model, origin.state_dict())
    picture = torch.randn(1, 3, 32, 32)
    assert torch.equal(model.eval()(picture), origin.eval()(picture))
    model.train()(picture.repeat(2, 1, 1, 1)).sum().backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    assert not torch.equal(model.fc.weight, origin.fc.weight)  # type: ignore[union-attr]


def test_a_direct_build_with_a_new_head_initialises_it_as_usual(tmp_path: Path) -> None:
    path = saved(tmp_path, trained(Classifier(num_classes=400)).state_dict())
    torch.manual_seed(3)
    expected = Classifier()
    load_pretrained(expected, path)
    torch.manual_seed(3)
    model, report = build_with_weights(Classifier, path)
    assert_same(model, snapshot(expected))
    assert torch.equal(model.scale, expected.scale) and set(report.skipped) == {"head.weight", "head.bias"}  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_direct_build_without_a_parameter_in_the_file_initialises_it(tmp_path: Path) -> None:
    state = trained(resnet()).state_dict()
    del state["fc.bias"]
    torch.manual_seed(3)
    expected = resnet()
    with pytest.raises(WeightsMismatch, match=r"lack 1 of .*: fc\.bias"):
        build_with_weights(resnet, saved(tmp_path, state))
    torch.manual_seed(3)
    model, report = build_with_weights(resnet, saved(tmp_path, state), allow_missing=["fc.bias"])
    assert report.missing == report.lacking == ("fc.bias",)
    assert torch.equal(model.fc.bias, expected.fc.bias)  # type: ignore[union-attr]


def test_a_direct_build_refuses_as_loading_does(tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch):
        build_with_weights(lambda: Classifier(depth=8), saved(tmp_path, Classifier().state_dict()))


def test_buffers_outside_the_state_dict_are_right_after_a_direct_build(tmp_path: Path) -> None:
    class WithBuffers(Classifier):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("ramp", torch.linspace(0, 1, 5), persistent=False)
            self.register_buffer("noise", torch.empty(4).uniform_(5, 6) * 2, persistent=False)

    model, _ = build_with_weights(WithBuffers, saved(tmp_path, trained(WithBuffers()).state_dict()))
    assert torch.equal(model.ramp, torch.linspace(0, 1, 5))  # type: ignore[arg-type]
    assert (model.noise >= 10).all() and (model.noise <= 12).all()  # type: ignore[operator, union-attr]


def fills(parameter: nn.Parameter) -> None:
    nn.init.trunc_normal_(parameter, std=0.02)
    nn.init.kaiming_normal_(parameter)
    nn.init.xavier_uniform_(parameter)
    with torch.no_grad():
        parameter.normal_().uniform_(3, 4).erfinv_().mul_(2).add_(1).clamp_(3, 4)
        parameter[:1].normal_()


def test_random_fills_of_parameters_are_skipped_and_others_are_not() -> None:
    parameter, state = nn.Parameter(torch.full((4, 4), 0.5)), torch.get_rng_state()
    with skip_init():
        fills(parameter)
        assert torch.equal(parameter, torch.full((4, 4), 0.5))
        assert nn.init.constant_(parameter, 2.0).eq(2).all()
        assert nn.Parameter(torch.ones(2)).mul(3).eq(3).all()
        with torch.no_grad():
            assert nn.Parameter(torch.ones(2)).mul_(3).eq(3).all()
        assert torch.empty(1000).normal_().std() > 0.5
        assert not nn.Linear(3, 3).weight.is_meta
    assert torch.equal(torch.get_rng_state(), state)
    fills(parameter)
    assert not parameter.eq(2).all(), "outside the block everything is as usual"


def test_a_parameter_that_follows_a_freed_one_in_memory_keeps_its_values() -> None:
    with skip_init(), torch.no_grad():
        for _ in range(100):
            nn.Parameter(torch.ones(2)).normal_()  # freed at once, so that the next one may stand at its address
            assert nn.Parameter(torch.ones(2)).mul_(3).eq(3).all()


def test_skipping_is_for_this_thread_only() -> None:
    import threading

    parameter = nn.Parameter(torch.zeros(8))
    with skip_init():
        thread = threading.Thread(target=lambda: nn.init.normal_(parameter))
        thread.start()
        thread.join()
    assert not parameter.eq(0).all()


def test_importing_the_weights_package_does_not_import_torch() -> None:
    import subprocess
    import sys

    code = "import sys, essmc_core.weights as w; w.fetch, w.LoadReport, w.WeightsSource; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_loading_does_not_disturb_copies(tmp_path: Path) -> None:
    model = Classifier()
    twin = copy.deepcopy(model)
    before = snapshot(twin)
    load_pretrained(model, saved(tmp_path, trained(Classifier()).state_dict()), assign=True)
    assert_same(twin, before)
