"""The zoo's own entries, read statically: sections, inputs, knobs and results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from essmc_core.config import Config, load_config
from essmc_core.inputs.spec import InputSpec
from essmc_core.zoo.facts import SECTIONS

FOLDER = Path(__file__).parents[2] / "zoo_configs"
ENTRIES = sorted(path for path in FOLDER.glob("*.yaml"))

# Frames, stride and classes as EssentialMC2's model zoo lists them.
LISTED: dict[str, tuple[int, int | None, int | tuple[int, int]]] = {
    "ircsn_152_ek100": (32, 2, (97, 300)),
    "r2d3d_18_mosi_hmdb51": (16, 4, 51),
    "r2d3d_18_mosi_ucf101": (16, 4, 101),
    "r2plus1d_10_mosi_hmdb51": (16, 4, 51),
    "r2plus1d_10_mosi_ucf101": (16, 4, 101),
    "tada2d_r50_16f_ssv2": (16, None, 174),
    "tada2d_r50_16x5_k400": (16, 5, 400),
    "tada2d_r50_hmdb51": (8, 8, 51),
    "tada2d_r50_k400": (8, 8, 400),
    "tada2d_r50_ssv2": (8, None, 174),
}


@pytest.fixture(params=ENTRIES, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    found = request.param
    assert isinstance(found, Path)
    return found


@pytest.fixture
def entry(path: Path) -> Config:
    return load_config(path)


def value_at(config: Config, dotted: str) -> Any:
    value: Any = config
    for part in dotted.split("."):
        value = value[int(part)] if isinstance(value, tuple) else value[part]
    return value


def test_the_zoo_holds_every_model_of_essentialmc2_s_list() -> None:
    assert set(LISTED) <= {path.stem for path in ENTRIES}


def test_an_entry_has_its_sections_and_no_others(entry: Config) -> None:
    assert set(entry) <= set(SECTIONS)
    assert {"summary", "model", "input", "knobs", "weights", "results", "paper"} <= set(entry)
    assert 0 < len(entry["summary"]) <= 80
    assert entry["model"]["type"]
    assert set(entry["paper"]) == {"title", "venue", "url"}


def test_the_input_can_be_read(entry: Config) -> None:
    spec = InputSpec.from_mapping(entry["input"])
    assert spec.modality == "video"
    assert spec.shape == (3, spec.frames, *spec.size)
    assert (spec.stride is None) == (spec.sampling == "segment")


def test_every_part_of_the_model_names_its_type(entry: Config) -> None:
    for part in ("backbone", "neck", "head"):
        assert isinstance(entry["model"][part]["type"], str)


def test_every_knob_sets_a_value_of_the_model(entry: Config) -> None:
    assert {"num_classes", "dropout"} <= set(entry["knobs"])
    for knob, dotted in entry["knobs"].items():
        assert dotted.startswith("model.")
        value_at(entry, dotted)
        changed = entry.with_overrides({dotted: "set"})
        assert value_at(changed, dotted) == "set", knob
        assert list(changed["model"]) == list(entry["model"])


@pytest.mark.slow
def test_results_say_where_they_come_from(entry: Config) -> None:
    for result in entry["results"]:
        assert set(result) == {"dataset", "metric", "value", "protocol", "source"}
        assert re.match(r"https://\S+$", result["source"])
        assert isinstance(result["value"], float)
        assert 0 < result["value"] < 100
    assert entry["results"] or "without results" in entry["notes"]
    assert len({(result["dataset"], result["metric"]) for result in entry["results"]}) == len(entry["results"])


def test_missing_weights_are_explained(entry: Config) -> None:
    if entry["weights"] is None:
        assert len(entry["weights_note"]) > 40
    else:
        assert {"uri", "sha256"} <= set(entry["weights"])


def test_names_and_aliases_are_unique() -> None:
    names = [path.stem for path in ENTRIES]
    names += [alias for path in ENTRIES for alias in load_config(path).get("aliases", ())]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", name) for name in names)


@pytest.mark.parametrize("name", sorted(LISTED))
def test_frames_stride_and_classes_are_those_of_the_list(name: str) -> None:
    entry = load_config(FOLDER / f"{name}.yaml")
    found = (entry["input"]["frames"], entry["input"].get("stride"), entry["model"]["head"]["num_classes"])
    assert found == LISTED[name]


def test_every_shared_file_is_used() -> None:
    texts = [path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.yaml")]
    named = {name.strip().rsplit("/", 1)[-1] for text in texts for name in re.findall(r"^_base_: (.+)$", text, re.M)}
    assert named == {path.name for path in (FOLDER / "_base_").glob("*.yaml")}
