"""The pack in the core: every timm model by qualified name, old names with a warning, a missing timm contained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from essmc_core import BACKBONES
from essmc_core.errors import SchemaError, UnknownComponent
from essmc_timm.index import load_index


def run_python(code: str, **environment: str) -> Any:
    """Runs code in a process of its own and returns the JSON it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_every_model_is_a_backbone_and_old_names_are_not_listed() -> None:
    index = load_index()
    assert set(BACKBONES.names("timm/*")) == {"InceptionResNetV2", *(f"timm/{name}" for name in index.names())}


def test_bare_names_are_left_to_other_packs() -> None:
    assert "timm/resnet50" in BACKBONES
    assert "vit_tiny_patch16_224" not in BACKBONES
    with pytest.raises(UnknownComponent, match="timm/vit_tiny_patch16_224"):
        BACKBONES["vit_tiny_patch16_224"]


@pytest.mark.slow
def test_listing_and_describing_import_neither_timm_nor_torch() -> None:
    code = (
        "import json, sys; from essmc_core import BACKBONES\n"
        "BACKBONES.component('timm/resnet50'); stub = BACKBONES.stub('timm/resnet50')\n"
        "print(json.dumps([stub, [m for m in ('timm', 'torch', 'torchvision') if m in sys.modules]]))"
    )
    stub, heavy = run_python(code)
    assert heavy == []
    assert "drop_path_rate" in stub


def test_a_backbone_is_built_by_name_with_its_arguments() -> None:
    backbone = BACKBONES.build({"type": "timm/vit_tiny_patch16_224", "img_size": (32, 32), "model_args": {"depth": 1}})
    assert backbone(torch.zeros(2, 3, 32, 32)).shape == (2, 192)


def test_an_unknown_argument_is_refused_before_anything_is_built() -> None:
    with pytest.raises(SchemaError, match="drop_rate"):
        BACKBONES.build({"type": "timm/resnet18", "drop_rat": 0.1})


def test_a_registered_name_cannot_be_turned_into_another_model() -> None:
    with pytest.raises(SchemaError, match="model_name"):
        BACKBONES.build({"type": "timm/resnet18", "model_name": "resnet50"})


@pytest.mark.slow
def test_an_old_name_warns_once_and_builds_the_model_that_replaced_it() -> None:
    code = (
        "import json, warnings; from essmc_core import BACKBONES\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    records = [BACKBONES.component('timm/tv_resnet34').qualified for _ in range(2)]\n"
        "print(json.dumps([records, [[w.category.__name__, str(w.message)] for w in caught]]))"
    )
    records, ((category, message),) = run_python(code)
    assert records == ["timm/resnet34"] * 2
    assert category == "FutureWarning"
    assert "timm/tv_resnet34" in message
    assert "use 'timm/resnet34' (the old one fixes model_name='resnet34.tv_in1k')" in message


@pytest.mark.filterwarnings("ignore:.*is an old name:FutureWarning")
def test_every_old_name_keeps_the_weights_it_stood_for_and_its_new_name_does_not() -> None:
    for old, current in load_index().deprecated.items():
        record = BACKBONES.component(f"timm/{old}")
        assert record.bound == {"model_name": current}
        assert BACKBONES.component(record.qualified).bound == {"model_name": current.partition(".")[0]}


@pytest.mark.filterwarnings("ignore:.*is an old name:FutureWarning")
def test_an_old_name_without_weights_builds_the_architecture() -> None:
    # timm itself knows no weights by the tag that it gives this old name.
    for name in ("timm/vit_base_patch32_224_sam", "timm/vit_base_patch32_224"):
        with torch.device("meta"):
            assert BACKBONES.build({"type": name, "model_args": {"depth": 1}}).out_channels == 768


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pretrained", "weights"),
    [
        ("tv_resnet34", "True", "resnet34.tv_in1k"),
        ("tv_resnet34", "'gluon_in1k'", "resnet34.gluon_in1k"),
        ("resnet34", "True", "resnet34.a1_in1k"),
    ],
)
def test_pretrained_asks_for_the_weights_that_the_name_stands_for(
    tmp_path: Path, name: str, pretrained: str, weights: str
) -> None:
    code = (
        "import logging, sys; logging.basicConfig(level='INFO'); from essmc_core import BACKBONES\n"
        f"BACKBONES.build({{'type': 'timm/{name}', 'pretrained': {pretrained}}})"
    )
    # Without a network and with an empty cache timm says what it would load, then gives up.
    alone = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=alone, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"timm/{weights})" in done.stderr


def test_a_missing_timm_quarantines_this_pack_alone(tmp_path: Path) -> None:
    (tmp_path / "timm.py").write_text("raise RuntimeError('not the real one')\n")
    code = (
        "import json, essmc_core\n"
        "print(json.dumps({pack.distribution: [pack.status, pack.reason, pack.remedy] for pack in essmc_core.packs()}))"
    )
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    packs = run_python(code, PYTHONPATH=path)
    status, reason, remedy = packs.pop("essmc-timm")
    assert (status, remedy) == ("quarantined", "pip install timm")
    assert "needs timm" in reason
    assert {status for status, *_ in packs.values()} == {"ok"}
