"""Zoo models by name: building, arguments, cards, labels, and what happens to names that two packs offer."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

import essmc_core
from essmc_core.config import Config
from essmc_core.errors import ConfigError, OverrideError, SchemaError, UnknownModel, WeightsNotFound
from essmc_core.models.verification import verify_entry, write_cost

SMALL = {
    "model": {
        "type": "VideoClassifier",
        "backbone": {"type": "ResNetR2D3D", "depth": 10},
        "neck": {"type": "GlobalAveragePooling", "dim": 3},
        "head": {"type": "VideoClassifierHead", "dim": 256, "num_classes": 4},
    },
    "input": {"modality": "video", "size": [32, 32], "frames": 4, "stride": 1, "mean": [0.5] * 3, "std": [0.5] * 3},
    "knobs": {"num_classes": "model.head.num_classes"},
}


def test_a_model_is_built_from_a_mapping_a_file_and_a_zoo_name(tmp_path):
    before = copy.deepcopy(SMALL)
    (tmp_path / "small.yaml").write_text(Config.from_mapping(SMALL).dump())
    for source in (SMALL, SMALL["model"], tmp_path / "small.yaml", str(tmp_path / "small.yaml")):
        model = essmc_core.build_model(source)
        assert model.eval()(torch.zeros(1, 3, 4, 32, 32)).shape == (1, 4)
    assert before == SMALL


def test_knobs_and_paths_change_the_model():
    assert essmc_core.build_model(SMALL, num_classes=7).head.out.out_features == 7
    assert essmc_core.build_model(SMALL, overrides=["num_classes=8"]).head.out.out_features == 8
    assert essmc_core.build_model(SMALL, overrides={"model.head.num_classes": 9}).head.out.out_features == 9


def test_an_argument_that_the_model_does_not_have_is_an_error():
    with pytest.raises(OverrideError, match="has no argument 'num_clases'; did you mean 'num_classes'"):
        essmc_core.build_model(SMALL, num_clases=7)
    with pytest.raises(SchemaError, match="ResNetR2D3D has no argument 'dept'"):
        essmc_core.build_model(SMALL, overrides=["model.backbone.dept=18"])


def test_an_unknown_name_suggests_and_a_file_that_is_missing_is_named():
    with pytest.raises(UnknownModel, match="did you mean 'tada2d_r50_k400'"):
        essmc_core.build_model("tada2d_r50_k4000")
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        essmc_core.build_model("nowhere.yaml")


def test_alias_of_an_entry_builds_the_entry():
    assert essmc_core.ZOO.entry("tada2d_r50_8x8_k400") is essmc_core.ZOO.entry("tada2d_r50_k400")
    assert "tada2d_r50_8x8_k400" not in essmc_core.list_models()


def test_the_card_says_what_built_the_model_and_travels_with_it():
    model = essmc_core.build_model(SMALL, num_classes=3)
    again = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    for card in (model.card, again.card):
        assert card["config"]["model"]["head"]["num_classes"] == 3
        assert set(card["packs"]) == {"essmc-classifiers", "essmc-video"}
        assert card["essmc-core"] == essmc_core.__version__
        assert card["weights"] is None
    assert "card" not in model.state_dict()


def test_weights_that_the_entry_does_not_name_are_an_error_that_says_why():
    with pytest.raises(WeightsNotFound, match="names no weights that can be fetched") as caught:
        essmc_core.build_model("tada2d_r50_k400", pretrained=True)
    assert "weights=PATH" in str(caught.value)


def test_weights_of_the_users_own_are_loaded_by_path(tmp_path):
    first = essmc_core.build_model(SMALL)
    torch.save({"state_dict": {f"module.{k}": v for k, v in first.state_dict().items()}}, tmp_path / "w.pth")
    second = essmc_core.build_model(SMALL, weights=tmp_path / "w.pth")
    assert all(torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items())
    assert second.card["weights"]["coverage"] == 1.0


def test_pretrain_works_at_every_level_of_a_configuration(tmp_path):
    donor = essmc_core.build_model(SMALL)
    torch.save(donor.state_dict(), tmp_path / "whole.pth")
    torch.save(donor.head.state_dict(), tmp_path / "head.pth")
    changes = {
        "model.backbone.pretrain": {"path": str(tmp_path / "whole.pth"), "sub_level": "backbone"},
        "model.head.pretrain": str(tmp_path / "head.pth"),
    }
    built = essmc_core.build_model(SMALL, overrides=changes)
    assert all(torch.equal(value, built.state_dict()[key]) for key, value in donor.state_dict().items())
    changes["model.backbone.pretrain"]["sub_level"] = "backbon"
    with pytest.raises(essmc_core.EssmcError, match="backbon") as caught:
        essmc_core.build_model(SMALL, overrides=changes)
    assert "while building model.backbone: video/ResNetR2D3D" in caught.value.__notes__[0]


def test_the_same_entry_from_two_packs_is_ambiguous_and_reachable(site, python):
    plugin = """
    from pathlib import Path
    from essmc_core import hookimpl

    @hookimpl
    def register_zoo(zoo):
        zoo.add_directory(Path(__file__).parent / "zoo")
    """
    for name, number in (("alpha", 1), ("beta", 2)):
        entry = f"_base_: 'alpha::_shared.yaml'\nmodel: {{n: {number}}}\n"
        site.add(name, plugin, files={"zoo/net.yaml": entry, "zoo/_shared.yaml": "model: {type: Classifier}\n"})
    code = """
    import essmc_core
    print(essmc_core.list_models("*net", pack="alpha") + essmc_core.list_models("*net", pack="beta"))
    print(essmc_core.ZOO.entry("beta/net").config["model"].to_dict())
    try: essmc_core.ZOO.entry("net")
    except essmc_core.EssmcError as error: print(type(error).__name__)
    """
    assert python.run(code).stdout.splitlines() == [
        "['alpha/net', 'beta/net']",
        "{'type': 'Classifier', 'n': 2}",
        "AmbiguousComponent",
    ]


def test_writing_a_cost_keeps_every_other_line(tmp_path):
    from essmc_core.zoo.sources import EntryFile
    from essmc_core.zoo.zoo import ZooEntry

    path = tmp_path / "small.yaml"
    text = "# a comment\n" + Config.from_mapping(SMALL).dump() + "# the end\n"
    path.write_text(text)

    def entry():
        made = ZooEntry("small", "local", EntryFile(path))
        essmc_core.ZOO.table.remove_where(lambda record: record.pack == "local")
        essmc_core.ZOO.add(made)
        return made

    try:
        verdict = verify_entry(entry())
        assert verdict.problems == ["states no cost"]
        write_cost(entry(), verdict.measured)
        written = path.read_text()
        assert [line for line in written.splitlines() if not line.startswith("cost:")] == text.splitlines()
        assert verify_entry(entry()).problems == []
        path.write_text(written.replace("params: ", "params: 1"))
        assert "states 1" in verify_entry(entry()).problems[0]
    finally:
        essmc_core.ZOO.table.remove_where(lambda record: record.pack == "local")


def test_list_models_conditions():
    everything = essmc_core.list_models()
    assert everything == essmc_core.list_models("*") and len(everything) == len(set(everything))
    small = essmc_core.list_models(max_params=10e6)
    assert small and all(essmc_core.ZOO.entry(name).params <= 10e6 for name in small)
    assert set(essmc_core.list_models(modality="video")).isdisjoint(essmc_core.list_models(modality="image"))
    assert essmc_core.list_models("tada2d*", exclude="*ssv2*", dataset="Kinetics*") == [
        "tada2d_r50_16x5_k400",
        "tada2d_r50_k400",
    ]
