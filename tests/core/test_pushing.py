"""`push` uploads a model that `load` rebuilds from the Hub; refusals of the Hub are one message each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner
from PIL import Image

import essmc_core
from essmc_core.cli.app import cli
from essmc_core.errors import ConfigError, UnknownModel
from essmc_core.models.model_card import make_model_card
from tests.samples import owls
from tests.samples.hub import OWNER, READER, Hub, Repository, serving

CONFIG: dict[str, Any] = {**owls.CONFIG, "summary": "tells owls from cats", "labels": ["cat", "<b>dog</b>", "owl"]}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("saved") / "owls.safetensors"
    return essmc_core.save(essmc_core.build_model(CONFIG), path, check=False)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


def at_the_hub(hub: Hub, folder: Path, code: str, token: str = OWNER) -> Any:
    """Runs code that prints JSON in a process of its own, since huggingface_hub reads the hub's address once."""
    variables = {
        "HF_ENDPOINT": hub.address, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": token,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    kept = {key: value for key, value in os.environ.items() if key not in ("HF_HUB_OFFLINE", "ESSMC_OFFLINE")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**kept, **variables}, cwd=folder, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_what_is_pushed_is_loaded_from_the_hub(hub: Hub, saved: Path, tmp_path: Path) -> None:
    Image.new("RGB", (80, 80), (200, 30, 30)).save(tmp_path / "red.png")
    code = f"""
import json, essmc_core, torch
first = essmc_core.push({str(saved)!r}, "zoo/owls", private=True, sample="red.png")
model = essmc_core.load(first)
with torch.no_grad():
    model.head.fc.bias += 1
second = essmc_core.push(model, "zoo/owls")
biases = [essmc_core.load(one).head.fc.bias.tolist() for one in (first, second, "hf://zoo/owls")]
print(json.dumps([first, second, biases]))
"""
    first, second, biases = at_the_hub(hub, tmp_path, code)
    repository = hub.repositories["zoo/owls"]
    assert [f"hf://zoo/owls@{oid}" for oid in repository.commits] == [first, second]
    assert repository.private
    expected = essmc_core.load(saved).head.fc.bias.detach()
    assert biases[0] == expected.tolist() and biases[1] == biases[2] == (expected + 1).tolist()
    files = repository.commits[first.rpartition("@")[2]]
    assert sorted(files) == ["README.md", "model.safetensors", "sample.png"]
    assert files["model.safetensors"] == saved.read_bytes()
    front = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert front["library_name"] == "essmc" and front["pipeline_tag"] == "image-classification"
    assert front["widget"][0]["src"].endswith("zoo/owls/resolve/main/sample.png")


@pytest.mark.slow
def test_refusals_are_one_message_each(hub: Hub, saved: Path, tmp_path: Path) -> None:
    for name, repository in {"gated": Repository(gated=True), "private": Repository(private=True),
                             "open": Repository()}.items():  # fmt: skip
        hub.repositories[f"zoo/{name}"] = repository
        hub.commit(f"zoo/{name}", {"README.md": b"nothing"})
    code = f"""
import json, essmc_core
from huggingface_hub import constants
from essmc_core.errors import EssmcError
def said(call, *arguments):
    try:
        return call(*arguments) and "done"
    except EssmcError as error:
        return str(error)
names = ("gated", "private", "absent", "open", "open@v9")
found = {{name: said(essmc_core.load, f"hf://zoo/{{name}}") for name in names}}
found["push"] = said(essmc_core.push, {str(saved)!r}, "other/owls")
print(json.dumps(found))
"""
    found = at_the_hub(hub, tmp_path, code, token=READER)
    assert "zoo/gated is gated" in found["gated"]
    assert "no repository zoo/private" in found["private"] and "hf auth login" in found["private"]
    assert "no repository zoo/absent" in found["absent"]
    assert "has no such file" in found["open"]
    assert "no revision v9" in found["open@v9"]
    assert "may not do that with other/owls" in found["push"]
    assert all(len(message.splitlines()) <= 2 for message in found.values()), found

    code = code.replace("found = {", "found = {} and {")
    hub.address = "http://127.0.0.1:9"
    found = at_the_hub(hub, tmp_path, code)
    assert "cannot be reached" in found["push"] and "HF_ENDPOINT" in found["push"]


def test_without_a_network_the_folder_is_written_and_is_a_model(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    done = CliRunner().invoke(cli, ["push", str(saved), "zoo/owls", "--dry-run", str(folder), "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout) == {"folder": str(folder)}
    text = (folder / "README.md").read_text()
    assert 'essmc_core.load("hf://zoo/owls")' in text and "pip install essmc-core essmc-classifiers essmc-timm" in text
    assert "&lt;b>dog" in text and "<b>" not in text
    assert str(tmp_path.parent) not in text
    assert torch.equal(essmc_core.load(folder).head.fc.weight, essmc_core.load(saved).head.fc.weight)
    again = CliRunner().invoke(cli, ["push", str(saved), "zoo/owls", "--dry-run", str(folder)])
    assert isinstance(again.exception, ConfigError) and "not empty" in str(again.exception)


def test_what_is_no_model_or_no_repository_is_refused(saved: Path, tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1)}, tmp_path / "plain.pth")
    with pytest.raises(ConfigError, match="of which model"):
        essmc_core.push(tmp_path / "plain.pth", "zoo/owls")
    with pytest.raises(ConfigError, match="owner/name"):
        essmc_core.push(saved, "owls")
    with pytest.raises((ConfigError, UnknownModel)):
        essmc_core.push(tmp_path, "zoo/owls")


def test_the_card_states_results_licences_and_where_the_weights_came_from() -> None:
    said = {
        "model": "digits", "config": {**CONFIG, "check": {}, "results": [
            {"dataset": "moving digits", "metric": "acc@1", "value": 99.5, "protocol": "one | view"},
            {"dataset": "moving digits", "metric": "mAP", "value": "unknown"}]},
        "licence": {"code": "Apache-2.0", "weights": "CC-BY-NC-4.0"}, "packs": {"essmc-timm": "0.1.0"},
        "origins": {"essmc-timm": "wheel"},
        "weights": {"trained": {"epochs": 7}, "start": {"uri": "a.pth", "licence": {"weights": "MIT"}}},
    }  # fmt: skip
    card = make_model_card(said, "zoo/digits")
    front = card.data.to_dict()
    assert front["license"] == "cc-by-nc-4.0" and "widget" not in front
    measured = front["model-index"][0]["results"]
    assert len(measured) == 1 and measured[0]["metrics"][0]["value"] == 99.5
    assert r"| moving digits | acc@1 | 99.5 | one \| view |" in card.text
    assert "| essmc-timm | 0.1.0 | wheel |" in card.text and "7 epochs" in card.text and "a.pth" in card.text
    assert "essmc verify hf://zoo/digits" in card.text
    said["licence"]["weights"] = "unknown"  # type: ignore[index]
    assert "license" not in make_model_card(said, "zoo/digits").data.to_dict()
