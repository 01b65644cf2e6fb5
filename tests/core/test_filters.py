"""Filters and look-ups with names that nothing has: each says so, and what was meant."""

from __future__ import annotations

import json

import pytest

import essmc_core
from essmc_core.errors import LookupFailure, UnknownDataset, UnknownPack
from essmc_core.zoo.datasets import is_dataset


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("models", "--pack", "vidio"), "no pack is called 'vidio'; did you mean 'video'?"),
        (("models", "--pack", "nope", "--json"), "no pack is called 'nope'"),
        (("list", "--pack", "essmc-vidio"), "did you mean 'video'?"),
        (("list", "heads", "--pack", "nope"), "installed: classifiers, core, data"),
        (("models", "--dataset", "k4000"), "did you mean 'k400'"),
        (("models", "--dataset", "cifar10"), "ClipShots, EPIC-KITCHENS-100, HMDB51, ImageNet-1k"),
        (("models", "--dataset", "x*"), "no zoo model has results on a data set called 'x*'"),
        (("build", "ResNet3D"), "ResNet3D is a backbone: `essmc show ResNet3D`"),
        (("build", "CrossEntropy"), "CrossEntropy is a loss"),
        (("validate", "VideoClassifier"), "`model: {type: VideoClassifier, …}`"),
        (("build", "r2d3d_18_mosi_hmdb51", "model.head.type=ResNet3D"), "ResNet3D is a backbone"),
        (("build", "r2d3d_18_mosi_hmdb51", "model.backbone={type: tada2d_r50_k400}"), "tada2d_r50_k400 is a zoo model"),
    ],
)
def test_a_name_that_nothing_has_is_refused_with_what_was_meant(python, arguments, told):
    done = python.essmc(*arguments, check=False)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr and not done.stdout


def test_a_pack_that_is_not_installed_comes_with_the_line_that_installs_it(python):
    done = python.essmc("models", "--pack", "video", check=False, ESSMC_BLOCK="video")
    assert done.returncode == 0 and "none of them meets the conditions" in done.stderr
    code = """
        from essmc_core.discovery.named_pack import named_pack
        from essmc_core.errors import UnknownPack
        for name in ("video", "essmc-video", "essmc_Video"):
            try:
                named_pack(name, [])
            except UnknownPack as error:
                print(error.hint)
    """
    assert python.run(code).stdout.split("\n")[:3] == ["pip install essmc-video"] * 3


def test_a_pattern_that_matches_nothing_is_answered_with_the_nearest_word(python):
    for arguments, told in (
        (("models", "efficent"), "'efficientnet'"),
        (("models", "*tadda2d*"), "did you mean 'tada2d'"),
        (("list", "backbones", "convnxt"), "'convnext'"),
        (("models", "tada*", "--max-params", "1M"), "16 zoo models match 'tada*', none of them meets the conditions"),
        (("list", "heads", "Mosi", "--pack", "video"), "1 heads match 'Mosi', none of them of the pack video"),
        (("list", "heads", "--pack", "data"), "the pack data brings no heads"),
    ):
        done = python.essmc(*arguments)
        assert told in done.stderr, arguments
        shown = python.essmc(*arguments, "--json")
        assert json.loads(shown.stdout) == [] and told in shown.stderr


@pytest.mark.parametrize("spelling", ["k400", "K400", "kinetics400", "Kinetics-400", "kinetics_400", "*-400", "k4*"])
def test_a_data_set_is_found_by_all_its_spellings(spelling):
    published = essmc_core.list_models(dataset="Kinetics-400")
    assert len(published) > 30 and "tada2d_r50_k400" in published
    assert essmc_core.list_models(dataset=spelling) == published


def test_short_names_mean_one_data_set():
    assert [name for name in ("ImageNet-1k", "ImageNet-21k") if is_dataset(name, "in1k")] == ["ImageNet-1k"]
    assert [name for name in ("Something-Something V1", "Something-Something V2") if is_dataset(name, "ssv2")] == [
        "Something-Something V2"
    ]
    assert not is_dataset("Kinetics-400", "") and not is_dataset("Kinetics-400", "-")


def test_python_refuses_as_the_command_line_does():
    with pytest.raises(UnknownPack, match="did you mean 'video'"):
        essmc_core.list_models(pack="vidio")
    with pytest.raises(UnknownDataset, match="k4000"):
        essmc_core.list_models(dataset="k4000")
    with pytest.raises(LookupFailure, match="ResNet3D is a backbone"):
        essmc_core.build_model("ResNet3D")
    assert essmc_core.list_models(pack="video") == essmc_core.list_models(pack="essmc-video") != []
    assert essmc_core.list_models(pack="data") == []


def test_kinds_are_counted_for_one_pack(python):
    counts = json.loads(python.essmc("list", "--pack", "classifiers", "--json").stdout)
    assert counts["models"] == 4 and counts["backbones"] == 0
