"""What `essmc show NAME --yaml` prints means the same wherever it is saved."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from essmc_core.cli.show import show
from essmc_core.config import load_config
from essmc_core.errors import ConfigFileNotFound
from essmc_core.models.defaults import ZOO
from essmc_core.models.recipes import read_recipe
from essmc_core.zoo.labels import read_labels


@pytest.mark.parametrize(
    "name", ["tf_efficientnet_lite0_in1k", "resnet18_tv_in1k", "resnet18_a1_in1k", "motion_digits", "tada2d_r50_k400"]
)
def test_a_printed_entry_has_its_class_names_elsewhere(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(CliRunner().invoke(show, [name, "--yaml"]).stdout)
    recipe = read_recipe("mine.yaml")
    assert recipe.labels() == ZOO.entry(name).labels()
    entry = ZOO.entry(name).config.to_dict()
    assert {**recipe.config.to_dict(), "labels": None} == {**entry, "labels": None}


def test_labels_of_a_pack_that_are_not_there_are_an_error_with_their_line(tmp_path):
    (tmp_path / "mine.yaml").write_text("model: {type: Classifier}\nlabels: torchvision::labels/absent.txt\n")
    with pytest.raises(ConfigFileNotFound, match=r"mine\.yaml:2.*torchvision.*labels/absent\.txt"):
        read_labels(load_config(tmp_path / "mine.yaml"), ZOO.resolve_pack)
