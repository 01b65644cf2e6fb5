"""The command line: what it prints for people, for pipes and for machines, and how it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import essmc_core


def test_list_without_kind_counts_every_kind(python):
    counts = json.loads(python.essmc("list", "--json").stdout)
    code = "import essmc_core, json; print(json.dumps({r.kind: len(r) for r in essmc_core.REGISTRIES}))"
    assert counts == python.json(code)
    assert counts["backbones"] > 1300


@pytest.mark.parametrize("kind", ["backbones", "backbone", "BACKBONES"])
def test_list_a_kind_by_any_of_its_names(python, kind):
    shown = python.essmc("list", kind, "ResNet3D*").stdout.splitlines()
    assert shown[0].split() == ["backbone", "pack", "summary"]
    assert [line.split()[0] for line in shown[1:]] == [
        "ResNet3D",
        "ResNet3D_CSN",
        "ResNet3D_IPCSN",
        "ResNet3D_TAda",
    ]
    assert python.essmc("list", "stems", "*").stdout == python.essmc("list", "bricks").stdout


def test_list_as_json_names_pack_and_target(python):
    rows = json.loads(python.essmc("list", "backbones", "timm/resnet18", "--json").stdout)
    assert rows[0]["qualified"] == "timm/resnet18"
    assert rows[0]["pack"] == "timm"
    assert all("/resnet18" in row["qualified"] for row in rows)


def test_list_that_matches_nothing_says_so_and_succeeds(python):
    done = python.essmc("list", "heads", "nothing*")
    assert "no head matches 'nothing*'" in done.stderr
    assert json.loads(python.essmc("list", "heads", "nothing*", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "bakbones"), "no kind of component is called 'bakbones'; did you mean 'backbones'"),
        (
            ("show", "ResNet3D_TAd"),
            "no component and no zoo model is called 'ResNet3D_TAd'; did you mean 'ResNet3D_TAd",
        ),
        (("build", "tada2d_r50_k40"), "no zoo model is called 'tada2d_r50_k40'; did you mean 'tada2d_r50_k400'"),
        (("build", "tada2d_r50_k400", "num_clases=3"), "has no argument 'num_clases'; did you mean 'num_classes'"),
        (("build", "tada2d_r50_k400", "num_classes=x"), "model.head.num_classes: expected int, got 'x' (str)"),
        (("build", "tada2d_r50_k400", "num_classes"), "'num_classes' is not PATH=VALUE"),
        (("build", "tada2d_r50_k400", "model.head.type.x=1"), "model.head.type"),
        (("build", "missing.yaml"), "missing.yaml"),
        (("predict", "tada2d_r50_k400", "clip.mp4"), "names no weights that can be fetched"),
        (("predict", "tf_efficientnet_lite0_in1k", "missing.png"), "missing.png"),
        (("predict", "tf_efficientnet_lite0_in1k", "missing.png", "--topk", "0"), "--topk"),
        (("models", "--max-params", "many"), "'many' is not a number such as 30M or 4.5G"),
        (("demoo",), "no command is called 'demoo'; did you mean 'demo'"),
        (("validate", "tada2d_r50_k400", "model.neck=3"), "expected a neck"),
        (("validate", "motion_digits", "labels=[a, b]"), "there are 2 labels, and the head has 9 classes"),
        (("validate", "motion_digits", "labels=gone.txt"), "the file of labels gone.txt does not exist"),
        (("export", "motion_digits", "num_classes=4"), "head.out.weight: shape 9x24 does not fit 4x24"),
        (("eval", "motion_digits", "num_classes=12"), "head.out.weight: shape 9x24 does not fit 12x24"),
        (("verify", "motion_digitz"), "no zoo model is called 'motion_digitz'; did you mean 'motion_digits'"),
        (("predict", "motion_digits", "a.mp4", "--device", "foo"), "device is 'auto', 'cpu', 'cuda' or 'mps', got"),
        (("predict", "motion_digits", "a.mp4", "--device", "cuda:99"), "device 'cuda:99' is not available"),
    ],
)
def test_a_mistake_is_one_message_and_exit_status_2(python, arguments, message):
    done = python.essmc(*arguments, check=False)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_defect_keeps_its_traceback_and_another_exit_status(site, python):
    plugin = """
    from essmc_core import hookimpl

    @hookimpl
    def register_commands(cli):
        cli.add_lazy("crash", "acme.crash:crash", help="Crash.")
    """
    site.add("acme", plugin, files={"crash.py": "import click\n@click.command()\ndef crash():\n    1 / 0\n"})
    done = python.essmc("crash", check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_an_exception_of_a_constructor_is_told_with_its_place(site, python, tmp_path):
    net = "class Net:\n    def __init__(self, width: int):\n        raise ValueError(f'width {width} is odd')\n"
    site.add("acme", components={"models.Net": "acme.net:Net"}, files={"net.py": net})
    path = tmp_path / "model.yaml"
    path.write_text("model:\n  type: Net\n  width: 3\n")
    done = python.essmc("build", str(path), check=False)
    assert done.returncode == 2
    assert "Error: ValueError: width 3 is odd" in done.stderr
    assert f"while building model: acme/Net at {path}:2:3" in done.stderr


def test_show_a_component_gives_signature_docs_pack_source_and_yaml(python):
    shown = python.essmc("show", "VideoClassifierHead").stdout
    for expected in (
        "essmc-classifiers 0.1.0",
        "heads.py:",
        "VideoClassifierHead(",
        "num_classes: int",
        "dropout_rate: 0.5",
        "type: VideoClassifierHead",
    ):
        assert expected in shown
    facts = json.loads(python.essmc("show", "VideoClassifierHead", "--json").stdout)[0]
    assert {parameter["name"] for parameter in facts["parameters"]} == {"dim", "num_classes", "dropout_rate"}
    assert os.path.isfile(facts["file"])


def test_show_yaml_of_a_zoo_model_builds_the_same_model(python):
    text = python.essmc("show", "r2d3d_18_mosi_hmdb51", "--yaml").stdout
    (python.cwd / "mine.yaml").write_text(text)
    ours = json.loads(python.essmc("build", "mine.yaml", "--json").stdout)
    theirs = json.loads(python.essmc("build", "r2d3d_18_mosi_hmdb51", "--json").stdout)
    assert {**ours, "model": ""} == {**theirs, "model": ""}


def test_show_imports_no_torch(python):
    code = """
    import sys
    from essmc_core.cli.app import cli
    cli.main(["show", "VideoClassifier"], standalone_mode=False)
    cli.main(["show", "tada2d_r50_k400"], standalone_mode=False)
    print("torch" in sys.modules, file=sys.stderr)
    """
    assert python.run(code).stderr == "False\n"


def test_build_says_what_a_model_is_made_of(python):
    facts = json.loads(python.essmc("build", "tada2d_r50_k400", "num_classes=51", "--json").stdout)
    assert facts["params"] == 26_770_371
    assert round(facts["macs"] / 1e9, 2) == 33.02
    assert (facts["input"], facts["output"]) == ([1, 3, 8, 224, 224], {"": [1, 51]})
    assert {part["path"]: (part["component"], part["pack"].split()[0]) for part in facts["parts"]} == {
        "model": ("VideoClassifier", "essmc-classifiers"),
        "model.backbone": ("ResNet3D_TAda", "essmc-video"),
        "model.neck": ("GlobalAveragePooling", "essmc-classifiers"),
        "model.head": ("VideoClassifierHead", "essmc-classifiers"),
    }


def test_models_can_be_chosen_by_size_modality_and_weights(python):
    def names(*arguments: str) -> list[str]:
        return [row["name"] for row in json.loads(python.essmc("models", *arguments, "--json").stdout)]

    assert "tada2d_r50_k400" in names("--modality", "video")
    assert "tada2d_r50_k400" not in names("--modality", "image")
    assert set(names("--max-params", "5M", "--pretrained", "--pack", "essmc-efficientnet-lite")) == {
        "tf_efficientnet_lite0_in1k"
    }
    assert "r2d3d_18_mosi_hmdb51" in names("--max-macs", "10G", "--dataset", "hmdb*")
    assert "tada2d_r50_hmdb51" not in names("--max-macs", "10G")


def test_one_broken_zoo_file_does_not_hide_the_others(site, python):
    plugin = """
    from pathlib import Path
    from essmc_core import hookimpl

    @hookimpl
    def register_zoo(zoo):
        zoo.add_directory(Path(__file__).parent / "zoo")
    """
    good = "summary: fine\nmodel: {type: Classifier}\ninput: {modality: image}\n"
    site.add("acme", plugin, files={"zoo/good.yaml": good, "zoo/bad.yaml": "model: [", "zoo/odd.yaml": "modle: {}"})
    done = python.essmc("models", "--modality", "image", "--pack", "acme")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["model", "good"]
    assert "acme/bad cannot be read:" in done.stderr and "bad.yaml:2:1:" in done.stderr
    assert "a zoo entry has no section 'modle'" in done.stderr and "did you mean 'model'" in done.stderr


def test_a_reader_that_goes_away_is_no_error(python):
    command = f"{sys.executable} -m essmc_core list backbones | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=python.cwd, env=python.environment(), timeout=100
    )
    assert done.returncode == 0
    assert done.stderr == ""


def test_on_a_terminal_tables_are_drawn_and_in_a_pipe_they_are_plain(python):
    assert python.essmc("list").stdout.isascii()
    status, shown = python.on_terminal("list")
    assert status == 0
    assert "─" in shown
    assert "essmc list KIND shows one kind" in shown


def test_missing_pack_is_named_with_the_line_that_installs_it(python):
    for arguments in (("build", "tada2d_r50_k400"), ("validate", "tada2d_r50_k400")):
        done = python.essmc(*arguments, check=False, ESSMC_PACKS="classifiers")
        assert done.returncode == 2
        assert "no backbone is called 'ResNet3D_TAda'" in done.stderr
        assert "essmc-video brings it, and is left out by ESSMC_PACKS or ESSMC_BLOCK" in done.stderr


def test_python_m_and_console_script_are_the_same(python):
    script = os.path.join(os.path.dirname(sys.executable), "essmc")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, env=python.environment(), timeout=60)
    assert done.stdout == python.essmc("--version").stdout == f"essmc, version {essmc_core.__version__}\n"
