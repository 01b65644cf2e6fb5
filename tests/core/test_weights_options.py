"""Options of a weights mapping, key maps by name, and the entry's key map for copies of its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import essmc_core
from essmc_core.errors import ConfigError, WeightsMismatch
from essmc_core.weights import WeightsSource, load_pretrained, weights_issues
from essmc_core.weights.state_dict import map_keys
from essmc_video.key_maps import slowfast_x3d

BAD = [
    ("ema", "yes"), ("ema", 1), ("min_coverage", "0.5"), ("min_coverage", float("nan")), ("min_coverage", -0.1),
    ("min_coverage", 1.5), ("min_coverage", True), ("min_usage", float("inf")), ("min_usage", [0.5]), ("sub_level", 5),
    ("prefix", ["backbone"]), ("position_grid", 5), ("position_grid", [1, 2]), ("position_grid", [1, 0, 14]),
    ("position_grid", [1, 2.5, 3]), ("key_map", 5), ("key_map", {"a": "b"}), ("key_map", [["a"]]), ("key_map", ["ab"]),
    ("key_map", [["(", "x"]]), ("key_map", [["a", r"\2"]]), ("key_map", "no_such_map"), ("strict", "no"),
    ("in_chans", 3), ("inflate", "center"), ("positions", "nearest"), ("head_prefixes", 5), ("head_prefixes", [1]),
    ("allow_missing", 7), ("allow_missing", [""]), ("allow_unused", {"a": 1}), ("allow_nonfinite", "true"),
    ("sha256", "xyz"), ("sha256", 5), ("fallback", 3), ("fallback", {"uri": "x"}), ("fallback", {"ema": "yes"}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), BAD)
def test_an_option_out_of_its_range_is_refused_by_every_entrance(key: str, value: Any) -> None:
    section = {"uri": "file.pth", key: value}
    with pytest.raises(ConfigError, match=key):
        WeightsSource.parse(section)
    with pytest.raises(ConfigError, match=key):
        load_pretrained(nn.Linear(1, 1), section)
    (issue,) = weights_issues(section)
    assert issue.key == key and key in issue.message + issue.hint


GOOD = [
    ("ema", False), ("min_coverage", 0), ("min_coverage", 1), ("min_usage", 0.5), ("sub_level", "backbone"),
    ("key_map", []), ("key_map", (("a", "b"),)), ("key_map", "pyslowfast_x3d"), ("key_map", "video/pyslowfast_x3d"),
    ("position_grid", (1, 10, 14)), ("allow_missing", "head"), ("allow_missing", ["head.*"]), ("ema", None),
    ("sha256", "AB" * 32), ("fallback", {"key_map": [["a", "b"]]}), ("map_location", "cpu"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), GOOD)
def test_options_in_their_range_are_taken(key: str, value: Any) -> None:
    WeightsSource.parse({"uri": "file.pth", key: value})
    assert not [issue for issue in weights_issues({"uri": "file.pth", key: value}) if key != "sha256"]


def test_misspelt_keys_are_suggested_and_all_mistakes_are_listed() -> None:
    issues = weights_issues({"min_covrage": 0.5, "sub_level": 5})
    assert [issue.key for issue in issues] == ["uri", "min_covrage", "sub_level"]
    assert "min_coverage" in issues[1].hint
    assert "pyslowfast_x3d" in weights_issues({"uri": "x", "key_map": "slowfast_x3d"})[0].hint


@pytest.mark.parametrize("source", [5, None, ["a.pth"], b"a.pth"])
def test_a_source_that_is_neither_path_nor_mapping_is_refused(source: Any) -> None:
    with pytest.raises(ConfigError, match="not a path, a URI or a mapping with one"):
        WeightsSource.parse(source)


def test_every_weights_section_of_the_zoo_is_right() -> None:
    for entry in essmc_core.ZOO.table:
        section = entry.section("weights")
        assert not section.get("uri") or not weights_issues(section), entry.name


def test_every_registered_key_map_is_one() -> None:
    names = list(essmc_core.REGISTRIES["key_maps"])
    assert "pyslowfast_x3d" in names
    for name in names:
        assert WeightsSource.parse({"uri": "x", "key_map": name}).key_map


# -- which names a file goes by ---------------------------------------------------------------------------------------

HEAD = {"type": "VideoClassifierHead", "num_classes": 4}
BACKBONE = {"type": "ResNetR2D3D", "depth": 10, "num_filters": [8, 8, 8, 8, 8]}
MODEL = {"type": "VideoClassifier", "backbone": BACKBONE, "neck": "GlobalAveragePooling", "head": HEAD}
THEIRS = (("^backbone\\.", "net."), ("^head\\.out\\.", "fc."))
OURS = [["^net\\.", "backbone."], ["^fc\\.", "head.out."]]
ENTRY = {"model": MODEL, "weights": {"uri": "https://example.invalid/w.pth", "key_map": OURS}}


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return dict(essmc_core.build_model(MODEL).state_dict())


@pytest.mark.parametrize("named", ["theirs", "ours", "both"])
def test_a_copy_of_the_entry_s_file_loads_by_path_under_either_names(
    state: dict[str, torch.Tensor], named: str, tmp_path: Path
) -> None:
    theirs = map_keys(state, THEIRS)
    torch.save({"theirs": theirs, "ours": state, "both": {"module." + k: v for k, v in theirs.items()}}[named],
               tmp_path / "w.pth")  # fmt: skip
    model = essmc_core.build_model(ENTRY, weights=tmp_path / "w.pth")
    assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())
    card = model.card["weights"]  # type: ignore[index]
    assert card["coverage"] == 1 and card.get("key_map") == (None if named == "ours" else "the entry's key map")  # type: ignore[attr-defined,index]


def test_a_key_map_that_is_told_is_the_only_one_tried(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(map_keys(state, THEIRS), tmp_path / "w.pth")
    with pytest.raises(WeightsMismatch):
        essmc_core.build_model(ENTRY, weights={"uri": str(tmp_path / "w.pth"), "key_map": "pyslowfast_x3d"})


def test_the_error_is_that_of_the_better_reading(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    theirs = map_keys(state, THEIRS)
    del theirs["net.conv1.a.weight"]
    torch.save(theirs, tmp_path / "w.pth")
    with pytest.raises(WeightsMismatch, match=r"they lack 1 of .*: backbone\.conv1\.a\.weight"):
        essmc_core.build_model(ENTRY, weights=tmp_path / "w.pth")


def test_another_layout_of_x3d_says_so(tmp_path: Path) -> None:
    def x3d(**options: Any) -> nn.Module:
        backbone = {"type": "X3D", "depth_factor": 1.0, **options}
        return essmc_core.build_model(
            {"type": "VideoClassifier", "backbone": backbone, "head": {"type": "X3DHead", "dim": 192, "num_classes": 3}}
        )

    torch.save(map_keys(x3d(shortcut_norm="always").state_dict(), slowfast_x3d.TO_THEIRS), tmp_path / "theirs.pyth")
    source = {"uri": str(tmp_path / "theirs.pyth"), "key_map": "pyslowfast_x3d"}
    assert load_pretrained(x3d(shortcut_norm="always"), source, purpose="use").fits_whole
    for purpose in ("start", "use"):
        with pytest.raises(WeightsMismatch, match=r"no place in it: .*short_cut_bn"):
            load_pretrained(x3d(), source, purpose=purpose)  # type: ignore[arg-type]
    assert load_pretrained(x3d(), source, allow_unused=["*.short_cut_bn"]).coverage == 1


# -- at the command line ----------------------------------------------------------------------------------------------


def test_the_command_line_says_which_names_were_used(
    state: dict[str, torch.Tensor], tmp_path: Path, python: Any
) -> None:
    from essmc_core.config import Config

    torch.save(map_keys(state, THEIRS), tmp_path / "w.pth")
    config, file = str(tmp_path / "model.yaml"), str(tmp_path / "w.pth")
    Path(config).write_text(Config.from_mapping(ENTRY).dump())
    assert "names by the entry's key map" in python.essmc("build", config, "--checkpoint", file).stdout
    done = python.essmc("build", config, "--checkpoint", file, "--key-map", "pyslowfast_x3", check=False)
    assert done.returncode == 2 and "pyslowfast_x3d" in done.stderr
    done = python.essmc("build", config, "--key-map", "pyslowfast_x3d", check=False)
    assert done.returncode == 2 and "--checkpoint" in done.stderr
    partial = {key: value for key, value in state.items() if key != "head.out.bias"}
    torch.save(partial, file)
    done = python.essmc("build", config, "--checkpoint", file, check=False)
    assert done.returncode == 2 and "head.out.bias" in done.stderr
    assert python.essmc("build", config, "--checkpoint", file, "--allow-missing", "head").returncode == 0


def test_every_mistake_of_a_pretrain_mapping_is_told_before_anything_is_built() -> None:
    pretrain = {"uri": "absent.pth", "min_coverage": 2, "subl_evel": "x"}
    with pytest.raises(ConfigError) as caught:
        essmc_core.build_model({**MODEL, "backbone": {**BACKBONE, "pretrain": pretrain}})
    message = str(caught.value)
    assert "2 mistakes" in message and "backbone.pretrain.min_coverage" in message and "sub_level" in message
    with pytest.raises(ConfigError, match="pretrain"):
        essmc_core.build_model({**MODEL, "backbone": {**BACKBONE, "pretrain": 5}})
