"""`essmc train` and `essmc eval` on a pack with a small model and small data, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from essmc_devkit.testing.fixtures import Python, Site
from essmc_solvers.checkpoint.contents import load

pytestmark = pytest.mark.slow

PARTS = """
import os
import time
import torch
from torch import nn
from essmc_core import TrainModule


class Points:
    classes = ("a", "b", "c")

    def __init__(self, size: int = 48, mode: str = "test", spoilt: bool = False, pause: float = 0.0):
        open("built.txt", "w").close()
        self.size, self.mode, self.spoilt, self.pause, self.epoch = size, mode, spoilt, pause, 0

    def set_epoch(self, epoch):
        self.epoch = epoch if self.mode == "train" else 0

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        time.sleep(float(os.environ.get("POINTS_PAUSE", self.pause)))
        noise = torch.randn(6, generator=torch.Generator().manual_seed(index + 1000 * self.epoch))
        noise = noise * float("nan") if self.spoilt else noise
        return {"img": noise + 2 * (index % 3), "gt_label": torch.tensor(index % 3), "meta": {"index": index}}


class Net(TrainModule):
    def __init__(self, num_classes: int = 3, width: int = 16):
        super().__init__()
        self.num_classes = num_classes
        self.net = nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, num_classes))

    def forward_train(self, img, gt_label=None):
        scores = self.net(img)
        return {"loss": nn.functional.cross_entropy(scores, gt_label), "batch_size": len(img)}

    def forward_test(self, img, gt_label=None):
        found = self.net(img).softmax(1)
        return {"logits": found, "batch_size": len(img), "acc@1": (found.argmax(1) == gt_label).float().mean()}
"""
CONFIG = """
model: {type: Net, width: 12}
data:
  train: {dataset: {type: Points, mode: train}, batch_size: 8, shuffle: true}
  eval: {dataset: {type: Points, size: 30}, batch_size: 8}
solver:
  max_epochs: 3
  device: cpu
  optimizer: {type: AdamW, lr: 0.02}
  hooks: [{type: CheckpointHook, save_best: true}, {type: LogHook, log_interval: 3}]
"""


@pytest.fixture
def config(python: Python, site: Site) -> Path:
    pytest.importorskip("essmc_data.loading")
    components = {"datasets.Points": "essmc_tiny.parts:Points", "models.Net": "essmc_tiny.parts:Net"}
    site.add("essmc-tiny", components=components, files={"parts.py": PARTS})
    path = python.cwd / "tiny.yaml"
    path.write_text(CONFIG)
    return path


def test_train_resume_and_eval(python: Python, config: Path) -> None:
    shown = python.essmc("train", "tiny.yaml", "solver.max_epochs=2").stdout
    folder = python.cwd / "work_dirs" / "tiny"
    assert "epoch 2/2  eval" in shown and "ETA" in shown
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [record["mode"] for record in records if record.get("done")] == ["train", "eval"] * 2
    assert {"loss", "lr", "items_per_s", "data_time", "memory"} <= set(records[0])

    again = python.essmc("train", "tiny.yaml", check=False)
    assert again.returncode == 2 and "holds an earlier run" in again.stderr
    shown = python.essmc("train", "tiny.yaml", "--resume", "auto").stdout
    assert "resumed from" in shown and "epoch 3/3" in shown and "epoch 2/3" not in shown

    found = json.loads(python.essmc("eval", "tiny.yaml", "--checkpoint", str(folder), "--json").stdout)
    best = max(json.loads(line)["acc@1"] for line in (folder / "metrics.jsonl").read_text().splitlines()
               if '"eval"' in line)  # fmt: skip
    assert found["acc@1"] == pytest.approx(best)
    shown = python.essmc("eval", "tiny.yaml", "--checkpoint", str(folder / "epoch-00001.pth")).stdout
    assert "acc@1" in shown


MISTAKES = (
    (["solver.max_epoch=3"], "did you mean 'max_epochs'"),
    (["solver.optimizer.lrr=3"], "lrr"),
    (["model.num_classes=2"], "have 3 classes, the model's head has 2"),
    (["data.train=null"], "has no section data.train"),
    (["data.train.dataset.size=0"], "empty"),
    (["--resume", "nowhere.pth"], "There is no checkpoint nowhere.pth"),
    (["--work-dir", "tiny.yaml/below"], "cannot be written to"),
    # This one trains, so nothing comes after it.
    (["data.train.dataset.spoilt=true"], "The loss is nan at epoch 1, iteration 1"),
)


def test_mistakes_are_told_in_one_message(python: Python, config: Path) -> None:
    commands = [["train", "tiny.yaml", *arguments] for arguments, _ in MISTAKES]
    for done, (arguments, message) in zip(python.essmc_in_turn(*commands), MISTAKES, strict=True):
        assert done.returncode == 2, arguments
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    # As a process of its own.
    done = python.essmc(*commands[0], check=False)
    assert done.returncode == 2 and MISTAKES[0][1] in done.stderr and "Traceback" not in done.stderr


def test_a_model_alone_cannot_be_trained(python: Python, config: Path) -> None:
    config.write_text("type: Net\n")
    done = python.essmc("train", "tiny.yaml", check=False)
    assert done.returncode == 2 and "no data and no solver" in done.stderr


def test_without_the_pack_of_loaders_its_name_is_told(python: Python, config: Path) -> None:
    blocker = "import sys\nsys.modules['essmc_data'] = None\n"
    code = f"{blocker}sys.argv = ['essmc', 'train', 'tiny.yaml']\nfrom essmc_core.cli import main\nmain()"
    done = python.run(code, check=False, ESSMC_BLOCK="essmc-data")
    assert done.returncode == 2 and "pip install essmc-data" in done.stderr


def test_progress_on_a_terminal(python: Python, config: Path) -> None:
    status, text = python.on_terminal("train", "tiny.yaml")
    assert status == 0
    assert "━" in text and "items/s" in text and "epoch 3/3  eval" in text


def test_all_mistakes_are_told_before_anything_is_built(python: Python, config: Path) -> None:
    mistakes = {
        "model.widht=3": "did you mean 'width'", "data.train.dataset.sizes=3": "did you mean 'size'",
        "data.eval.batch_size=many": "expected int", "data.train.dataset.mode=3": "expected str",
        "solver.optimizer.lr=fast": "expected float", "solver.hooks.0.type=CheckpointHok": "CheckpointHook",
        "solver.lr_scheduler={type: StepLR}": "needs the argument 'step_size'",
        "solver.eval_metric_cfg=[{metric: {type: accurcy}, keys: [logits, gt_label]}]": "no metric is called 'accurcy'",
    }  # fmt: skip
    for command in ("validate", "train"):
        done = python.essmc(command, "tiny.yaml", *mistakes, check=False)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert "8 mistakes in the configuration" in done.stderr
        assert [text for text in mistakes if mistakes[text] not in done.stderr] == []
    assert not (python.cwd / "built.txt").exists() and not (python.cwd / "work_dirs").exists()
    python.essmc("train", "tiny.yaml", "solver.max_epochs=1")
    assert (python.cwd / "built.txt").exists() and (python.cwd / "work_dirs").exists()  # what building leaves behind


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (
            "{metrc: {type: accuracy}, keys: [logits]}",
            ["did you mean 'metric'", "eval_metric_cfg: 'metric' is missing"],
        ),
        ("{metric: {type: accuracy, topk: x}, keys: 3}", ["metric.topk: expected int", "keys: expected Sequence"]),
        ("3", ["expected a mapping with metric and keys"]),
    ],
)
def test_metrics_over_all_data_are_checked_too(python: Python, config: Path, value: str, told: list[str]) -> None:
    done = python.essmc("validate", "tiny.yaml", f"solver.eval_metric_cfg={value}", check=False)
    assert done.returncode == 2 and [text for text in told if text not in done.stderr] == []


@pytest.mark.parametrize("value", ["{metric: accuracy, keys: [logits, gt_label]}", "[{metric: accuracy, keys: []}]"])
def test_metrics_over_all_data_are_one_or_several(python: Python, config: Path, value: str) -> None:
    assert "is valid" in python.essmc("validate", "tiny.yaml", f"solver.eval_metric_cfg={value}").stdout


ZOO_ENTRY = """
model: {type: Net, width: 4}
knobs: {num_classes: model.num_classes, width: model.width}
"""
ZOO_FILE = """
zoo: tiny_net
knobs: {width: 8}
data:
  train: {dataset: {type: Points, mode: train}, batch_size: 8}
solver: {max_epochs: 1, device: cpu, optimizer: {type: SGD, lr: 0.1}}
"""
PLUGIN = """
from pathlib import Path
from essmc_core import hookimpl


@hookimpl
def register_components(registries):
    registries.datasets.register("Points", "essmc_tiny.parts:Points")
    registries.models.register("Net", "essmc_tiny.parts:Net")


@hookimpl
def register_zoo(zoo):
    zoo.add_directory(Path(__file__).parent / "zoo")
"""


def test_a_zoo_model_is_trained_with_knobs_of_the_file_and_of_the_user(python: Python, site: Site) -> None:
    site.add("essmc-tiny", PLUGIN, files={"parts.py": PARTS, "zoo/tiny_net.yaml": ZOO_ENTRY})
    (python.cwd / "mine.yaml").write_text(ZOO_FILE)

    def width(*arguments: str) -> int:
        python.essmc("train", "mine.yaml", "--overwrite", *arguments)
        return len(load(python.cwd / "work_dirs/mine/epoch-00001.pth")["state_dict"]["net.0.weight"])

    assert width() == 8
    assert width("width=6") == 6
    assert width("model.width=5") == 5
    found = json.loads(python.essmc("eval", "mine.yaml", "--checkpoint", "work_dirs/mine", "width=5", "--json",
                                    "data.eval={dataset: {type: Points, size: 6}, batch_size: 4}").stdout)  # fmt: skip
    trained = """
    from pathlib import Path
    import torch
    from essmc_solvers.checkpoint.contents import load
    from essmc_tiny.parts import Net, Points
    net = Net(width=5)
    net.load_state_dict(load(Path("work_dirs/mine/epoch-00001.pth"))["state_dict"])
    items = [Points(size=6)[index] for index in range(6)]
    print(sum(float(net.net(item["img"]).argmax() == item["gt_label"]) for item in items) / 6)
    """
    assert found["acc@1"] == pytest.approx(python.json(trained))
    refused = (
        (("widht=6",), "did you mean 'width'"),
        (("num_classes=2",), "have 3 classes, the model's head has 2"),
        (("pretrained=true",), "names no weights"),
        (("--resume", "work_dirs/nowhere"), "There is no checkpoint work_dirs/nowhere"),
        (("--work-dir", "mine.yaml"), "cannot be written to"),
        (("data=null",), "has no section data.train"),
    )
    commands = [["train", "mine.yaml", "--overwrite", *arguments] for arguments, _ in refused]
    for done, (_, message) in zip(python.essmc_in_turn(*commands), refused, strict=True):
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


def test_batch_size_counts_the_items_of_all_processes(python: Python, config: Path) -> None:
    def metrics(name: str, *launcher: str) -> list[dict[str, float]]:
        command = [*launcher, "-m", "essmc_core", "train", "tiny.yaml", "--work-dir", name, "solver.max_epochs=2"]
        python._run([sys.executable, *command], True, {"OMP_NUM_THREADS": "1"})
        lines = (python.cwd / name / "metrics.jsonl").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record.get("done")]

    one = metrics("one")
    two = metrics("two", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert [record["total_iters"] for record in one] == [6, 6, 12, 12]  # 48 items in batches of 8
    for left, right in zip(one, two, strict=True):
        names = {"mode", "epoch", "iter", "total_iters", "loss", "acc@1"} & left.keys()
        assert {name: right[name] for name in names} == pytest.approx({name: left[name] for name in names}, abs=1e-5)


MOSI = """
model:
  type: MoSINet
  backbone: {type: ResNet2Plus1d, depth: 10, num_filters: [4, 4, 8, 8, 8]}
  neck: GlobalAveragePooling
  head: {type: MoSIHead, num_classes: 5}
data:
  train:
    batch_size: 2
    dataset:
      type: VideoFolder
      data_root_dir: videos
      mode: train
      pipeline:
        - {type: LoadVideoFromFile, num_frames: 2, clip_duration: 0.4}
        - {type: MoSIGenerator, crop_size: 16, num_frames: 4, num_speeds: 3, mode: train, standard_size: 32,
           transforms: [VideoToTensor]}
solver:
  type: MoSISolver
  bn_weight_decay: 0.0
  max_epochs: 1
  device: cpu
  optimizer: {type: Adam, lr: 1e-3, weight_decay: 1e-4}
  lr_scheduler: {type: CosineAnnealingLR, T_max: 1, eta_min: 0}
  hooks:
    backward: {type: BackwardHook}
    log: {type: LogHook, log_interval: 10}
    lr: {type: LrHook, set_by_epoch: false, warmup_func: linear, warmup_epochs: 10, warmup_start_lr: 1e-4}
    ckpt: {type: CheckpointHook, interval: 1}
    sampler: {type: DistSamplerHook}
"""


def test_mosi_is_trained_on_videos_of_more_classes_than_it_has_motions(python: Python) -> None:
    from tests.packs.data.test_datasets import write_video

    for number in range(6):
        write_video(python.cwd / "videos" / f"class{number}" / "v.mp4")
    (python.cwd / "mosi.yaml").write_text(MOSI)
    assert "is valid" in python.essmc("validate", "mosi.yaml").stdout
    done = python.essmc("train", "mosi.yaml")
    assert "epoch 1/1  train  loss" in done.stdout and "classes" not in done.stderr
    groups = """
    import json, torch
    from pathlib import Path
    from essmc_solvers.checkpoint.contents import load
    found = load(Path("work_dirs/mosi/epoch-00001.pth"))["optimizer"][""]["param_groups"]
    print(json.dumps(sorted(group["weight_decay"] for group in found)))
    """
    assert json.loads(python.run(groups).stdout) == [0.0, 1e-4]


def start(python: Python, *arguments: str, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    command = [sys.executable, *launcher, "-m", "essmc_core", "train", "tiny.yaml", *arguments]
    return subprocess.Popen(
        command, cwd=python.cwd, env=python.environment(OMP_NUM_THREADS="1", PYTHONUNBUFFERED="1"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"{text!r} was not shown: {process.communicate()[1]}")


SAME = """
import sys, torch
from pathlib import Path
from essmc_solvers.checkpoint.contents import load
left, right = (load(Path("work_dirs", name, "epoch-00003.pth")) for name in sys.argv[1:])
for part in ("state_dict", "epoch_outputs", "total_iters"):
    assert str(left[part]) == str(right[part]), part
assert all(torch.equal(left["state_dict"][key], right["state_dict"][key]) for key in left["state_dict"])
"""


@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        (signal.SIGINT, []),
        (signal.SIGTERM, ["solver.accumulate_steps=4"]),
        (signal.SIGINT, ["data.train.num_workers=1"]),
    ],
)
def test_a_signal_saves_the_run_which_goes_on_with_the_same_bits(
    python: Python, config: Path, number: int, arguments: list[str]
) -> None:
    slow = [*arguments, "data.train.dataset.pause=0.01"]
    process = start(python, *slow, "--work-dir", "work_dirs/stopped")
    wait_for(process, "epoch 2/3  train  3/6")
    if "data.train.num_workers=1" in arguments:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert "Stopping" in errors and "--resume auto" in errors and "Traceback" not in errors
    (saved,) = (python.cwd / "work_dirs" / "stopped").glob("epoch-00001-iter-*.pth")
    assert saved.name in errors and not list(saved.parent.glob(".*"))

    python.essmc("train", "tiny.yaml", *slow, "--work-dir", "work_dirs/stopped", "--resume", "auto", POINTS_PAUSE="0")
    python.essmc("train", "tiny.yaml", *arguments, "--work-dir", "work_dirs/whole")
    python._run([sys.executable, "-c", SAME, "stopped", "whole"], True, {})


def test_a_signal_in_the_evaluation_saves_the_epoch(python: Python, config: Path) -> None:
    rarely = ("solver.hooks.0.interval=3", "solver.hooks.0.save_best=false")
    process = start(python, "data.eval.dataset.pause=0.02", *rarely)
    wait_for(process, "epoch 1/3  train  loss")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143 and "epoch-00001.pth" in errors
    assert (python.cwd / "work_dirs" / "tiny" / "epoch-00001.pth").exists()


def test_a_second_signal_ends_at_once(python: Python, config: Path) -> None:
    process = start(python, "data.train.dataset.pause=1.0", "solver.hooks.1.log_interval=1")
    wait_for(process, "epoch 1/3  train  1/6")
    time.sleep(0.5)  # into the next step
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "Stopping" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not list((python.cwd / "work_dirs" / "tiny").glob("epoch-*"))


def test_two_processes_stop_together(python: Python, config: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    arguments = ("train", "tiny.yaml", "data.train.dataset.pause=0.05")
    process = start(python, *arguments[2:], launcher=launcher)
    wait_for(process, "epoch 1/3  train  3/6")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    (saved,) = (python.cwd / "work_dirs" / "tiny").glob("epoch-*")
    assert saved.name in errors
    command = [sys.executable, *launcher, "-m", "essmc_core", *arguments, "--resume", "auto"]
    assert "resumed from" in python._run(command, True, {"POINTS_PAUSE": "0", "OMP_NUM_THREADS": "1"}).stdout


def test_a_second_run_in_the_same_work_dir_is_refused(python: Python, config: Path) -> None:
    long = ("data.train.dataset.pause=0.2", "solver.max_epochs=50")  # longer than three more starts
    process = start(python, *long)
    wait_for(process, "epoch 1/50  train  3/6")
    for arguments in ([], ["--overwrite"], ["--resume", "auto"]):
        again = python.essmc("train", "tiny.yaml", *arguments, check=False)
        assert again.returncode == 2
        assert f"another run is writing to work_dirs/tiny: process {process.pid}" in again.stderr
    process.kill()
    process.communicate()
    again = python.essmc("train", "tiny.yaml", *long, "--resume", "auto", POINTS_PAUSE="0")
    assert "epoch 50/50" in again.stdout


def test_files_of_a_run_are_as_the_umask_says_and_warnings_are_lines(python: Python, config: Path) -> None:
    shown = python.essmc("train", "tiny.yaml", "model.num_classes=4")
    assert "Warning: the model's head has 4 classes, the train data only 3\n" in shown.stderr
    assert ".py" not in shown.stderr
    folder = python.cwd / "work_dirs" / "tiny"
    (folder / "plain").touch()
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if not path.is_symlink()}
    assert set(modes) >= {"curve.png", "metrics.jsonl", "epoch-00003.pth"} and len(set(modes.values())) == 1


def test_a_damaged_best_names_what_is_intact(python: Python, config: Path) -> None:
    python.essmc("train", "tiny.yaml")
    folder = python.cwd / "work_dirs" / "tiny"
    best = (folder / "best.pth").resolve()
    best.write_bytes(best.read_bytes()[:1000])
    intact = next(name for name in ("epoch-00003.pth", "epoch-00002.pth") if name != best.name)
    done = python.essmc("eval", "tiny.yaml", "--checkpoint", "work_dirs/tiny", check=False)
    assert done.returncode == 2 and f"{intact} is intact" in done.stderr
    (folder / "empty").mkdir()
    done = python.essmc("eval", "tiny.yaml", "--checkpoint", str(folder / "empty"), check=False)
    assert "There is no checkpoint" in done.stderr and "--resume" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["solver.clip_grad_norm=-1"], "clip_grad_norm must be above 0, got -1"),
        (["solver.optimizer={type: Muon, lr: 1e-3}"], "for weights that are matrices"),
        (["solver.on_nan=skip", "solver.optimizer={type: SGD, lr: 1e30}", "data.train.dataset.size=8"],
         "changed nothing"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_told_with_what_to_do(
    python: Python, config: Path, arguments: list[str], message: str
) -> None:
    done = python.essmc("train", "tiny.yaml", *arguments, check=False)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    if "above" in message:
        assert "override 'solver.clip_grad_norm=-1'" in done.stderr
