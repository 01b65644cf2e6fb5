"""One epoch of TrainValSolver with all default hooks beside a bare PyTorch loop, and Lightning's and mmengine's.

The same model, data, optimizer and order of work in each; runs are interleaved, medians are shown.
Run: ``python benchmarks/train_loop.py [-n RUNS] [--batches N] [--width W]``. Peers that are not installed are left
out; ``pip install lightning mmengine`` brings them.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from essmc_core import SOLVERS, TrainModule

CLOCK = time.perf_counter
BATCH_SIZE = 16
CLASSES = 10


class Net(TrainModule):
    """A small 2D network, so that the loop around it can be seen."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for low, high in ((3, width), (width, width), (width, 2 * width)):
            layers += [nn.Conv2d(low, high, 3, stride=2, padding=1), nn.BatchNorm2d(high), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, CLASSES))

    def forward_train(self, img: Tensor, gt_label: Tensor) -> dict[str, Any]:
        scores = self.net(img)
        accuracy = (scores.argmax(1) == gt_label).float().mean()
        return {"loss": nn.functional.cross_entropy(scores, gt_label), "batch_size": len(img), "acc@1": accuracy}

    def forward_test(self, img: Tensor) -> Tensor:
        return self.net(img).softmax(1)


def collate(items: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    return {"img": torch.stack([item[0] for item in items]), "gt_label": torch.stack([item[1] for item in items])}


def make_loader(batches: int) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(0)
    size = batches * BATCH_SIZE
    images = torch.randn(size, 3, 64, 64, generator=generator)
    labels = torch.randint(CLASSES, (size,), generator=generator)
    return DataLoader(TensorDataset(images, labels), BATCH_SIZE, shuffle=True, collate_fn=collate)


def make_model(width: int) -> Net:
    torch.manual_seed(0)
    return Net(width)


def bare_loop(loader: DataLoader[Any], width: int) -> float:
    """Returns the seconds of what one would write by hand, running means of loss and accuracy included."""
    model = make_model(width)
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    began = CLOCK()
    loss_sum = accuracy_sum = 0.0
    seen = 0
    for batch in loader:
        outputs = model(**batch)
        optimizer.zero_grad()
        outputs["loss"].backward()
        optimizer.step()
        size = outputs["batch_size"]
        loss_sum += outputs["loss"].item() * size
        accuracy_sum += outputs["acc@1"].item() * size
        seen += size
    return CLOCK() - began


class Clock:
    """A hook that notes when the training pass begins and ends, as the other loops are timed."""

    priority = 1000

    def before_all_iter(self, solver: Any) -> None:
        self.began = CLOCK()

    def after_all_iter(self, solver: Any) -> None:
        self.seconds = CLOCK() - self.began


def our_loop(loader: DataLoader[Any], width: int) -> float:
    """Returns the seconds of the training pass with all default hooks, metrics file included."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        solver = SOLVERS.build(
            {
                "type": "TrainValSolver",
                "model": make_model(width),
                "optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9},
                "work_dir": folder,
                "device": "cpu",
                "hooks": [clock],
                "logger": logging.getLogger("quiet"),
            }
        )
        solver.solve({"train": loader})
    return clock.seconds


def lightning_loop(loader: DataLoader[Any], width: int) -> float:
    """Returns the seconds of Lightning's training epoch, metrics logged per epoch."""
    import lightning

    class Module(lightning.LightningModule):  # type: ignore[misc,name-defined,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.model = make_model(width)

        def training_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
            outputs = self.model(**batch)
            values = {"loss": outputs["loss"], "acc@1": outputs["acc@1"]}
            self.log_dict(values, on_epoch=True, on_step=True, batch_size=outputs["batch_size"])
            loss: Tensor = outputs["loss"]
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)

        def on_train_epoch_start(self) -> None:
            self.began = CLOCK()

        def on_train_epoch_end(self) -> None:
            self.seconds = CLOCK() - self.began

    module = Module()
    with tempfile.TemporaryDirectory() as folder:
        logger = lightning.pytorch.loggers.CSVLogger(folder)
        trainer = lightning.Trainer(
            max_epochs=1, accelerator="cpu", devices=1, logger=logger, log_every_n_steps=10,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
        )  # fmt: skip
        trainer.fit(module, loader)
    return float(module.seconds)


def mmengine_loop(loader: DataLoader[Any], width: int) -> float:
    """Returns the seconds of mmengine's training epoch with its default hooks."""
    from mmengine.hooks import Hook
    from mmengine.model import BaseModel
    from mmengine.runner import Runner

    class Model(BaseModel):  # type: ignore[misc,no-any-unimported,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.model = make_model(width)

        def forward(self, img: Tensor, gt_label: Tensor, mode: str = "loss") -> dict[str, Tensor]:
            outputs = self.model(img, gt_label)
            return {"loss": outputs["loss"], "acc": outputs["acc@1"]}

    class Timer(Hook):  # type: ignore[misc,no-any-unimported,unused-ignore]
        def before_train_epoch(self, runner: Any) -> None:
            self.began = CLOCK()

        def after_train_epoch(self, runner: Any) -> None:
            self.seconds = CLOCK() - self.began

    timer = Timer()
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(
            model=Model(), work_dir=folder, train_dataloader=loader, train_cfg={"by_epoch": True, "max_epochs": 1},
            optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9}}, custom_hooks=[timer],
            log_level="ERROR", experiment_name=f"bench{time.time_ns()}",
        )  # fmt: skip
        runner.train()
    return float(timer.seconds)


def installed_loops() -> dict[str, Callable[[DataLoader[Any], int], float]]:
    loops: dict[str, Callable[[DataLoader[Any], int], float]] = {"bare PyTorch": bare_loop, "TrainValSolver": our_loop}
    for name, package, loop in (("Lightning", "lightning", lightning_loop), ("mmengine", "mmengine", mmengine_loop)):
        if importlib.util.find_spec(package):
            importlib.import_module(package)
            loops[name] = loop
        else:
            print(f"{name} is left out: pip install {package}")
    return loops


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--runs", type=int, default=9, help="epochs of each loop (the median is shown)")
    parser.add_argument("--batches", type=int, default=100, help="iterations of an epoch")
    parser.add_argument("--width", type=int, default=32, help="channels of the network's first layer")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--cpu-time", action="store_true", help="measure CPU time, for a machine that others use too")
    arguments = parser.parse_args()
    if arguments.cpu_time:
        globals()["CLOCK"] = time.process_time
    torch.set_num_threads(arguments.threads)
    warnings.filterwarnings("ignore")
    loader = make_loader(arguments.batches)
    loops = installed_loops()
    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    times: dict[str, list[float]] = {name: [] for name in loops}
    for run in range(arguments.runs + 1):
        for name, loop in loops.items():
            seconds = loop(loader, arguments.width)
            if run:  # the first run warms up
                times[name].append(seconds)
    bare = statistics.median(times["bare PyTorch"])
    print(f"{'loop':<16}{'ms/iteration':>14}{'ratio':>9}{'median of paired ratios':>26}")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        paired = statistics.median(own / base for own, base in zip(seconds, times["bare PyTorch"], strict=True))
        print(f"{name:<16}{median / arguments.batches * 1e3:>14.2f}{median / bare:>9.3f}{paired:>26.3f}")


if __name__ == "__main__":
    main()
