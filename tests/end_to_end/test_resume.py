"""A run that is killed again and again ends with the same bits as one that was left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
TIMES = ("items_per_s", "seconds", "iter_time", "data_time", "memory")

DRIVER = """
import json, os, random, signal, sys, time, traceback, warnings
from pathlib import Path
import torch
torch.set_num_threads(1)
from essmc_solvers.hooks.base import Hook
from tests.samples.solving import Net, data, solver


class Spy(Hook):
    '''Remembers which items were seen, and kills the process at a chosen event.'''

    def __init__(self, kill_at=None, priority=350):
        super().__init__(priority)
        self.seen, self.events, self.kill_at = 0, 0, kill_at

    def event(self):
        self.events += 1
        if self.events == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def before_iter(self, solver):
        self.event()
        if solver.mode == "train":
            for meta in solver.batch["meta"]:
                self.seen = (self.seen * 31 + meta["index"]) % 2**61

    def after_iter(self, solver):
        self.event()

    def after_epoch(self, solver):
        self.event()

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]


def run(folder, resume, kill_at, priority, workers):
    torch.manual_seed(0)
    hooks = [
        {"type": "CheckpointHook", "iterations": 2, "keep_last": 3, "save_best": True},
        {"type": "LogHook", "log_interval": 1},
        {"type": "LrHook", "warmup_func": "linear", "warmup_epochs": 2, "set_by_epoch": False},
        {"type": "EmaHook", "decay": 0.9},
        Spy(kill_at, priority),
    ]
    made = solver(Net(), Path(folder), max_epochs=5, hooks=hooks, resume_from=resume, seed=7, clip_grad_norm=1.0,
                  accumulate_steps=2, lr_scheduler={"type": "CosineAnnealingLR", "T_max": 5})
    made.solve(data(num_workers=workers))


def life(folder, kill_at=None, priority=350, delay=None, resume="auto", workers=0):
    '''Runs the job in a child; returns whether it came to its end.'''
    child = os.fork()
    if not child:
        sys.stdout = sys.stderr = open(folder + ".log", "a")
        try:
            run(folder, resume, kill_at, priority, workers)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)
    if delay is not None:
        time.sleep(delay)
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    if os.WEXITSTATUS(status):
        raise SystemExit(open(folder + ".log").read())
    return True


solver(Net())  # imports all that the children need
whole, killed, kills, workers = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
chance = random.Random(int(sys.argv[5]))
began = time.perf_counter()
assert life(whole, workers=workers)
duration = time.perf_counter() - began
done = 0
while done < kills:
    if chance.random() < 0.75:
        # Before and after each of the other hooks.
        ended = life(killed, kill_at=chance.randint(1, 12), priority=chance.choice([-1, 75, 150, 250, 350]),
                     workers=workers)
    else:
        ended = life(killed, delay=chance.uniform(0, duration / 3), workers=workers)
    if ended:
        # The end was reached before the last kill: another run over the same folder.
        for path in Path(killed).iterdir():
            path.unlink()
        continue
    done += 1
assert life(killed, workers=workers)
print(json.dumps({"kills": done}))
"""


def kill_and_resume(folder: Path, kills: int, workers: int, seed: int) -> tuple[Path, Path]:
    whole, killed = folder / "whole", folder / "killed"
    command = [sys.executable, "-c", textwrap.dedent(DRIVER), str(whole), str(killed), str(kills), str(workers)]
    done = subprocess.run(
        [*command, str(seed)], capture_output=True, text=True, cwd=ROOT, timeout=500,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"kills": kills}
    return whole, killed


def metrics(folder: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in record.items() if key not in TIMES} for record in records]


def assert_same(left: Any, right: Any, path: str = "") -> None:
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right), path
    elif isinstance(left, dict):
        assert list(left) == list(right), path
        for key in left:
            if key != "metrics_bytes":  # the file has times in it
                assert_same(left[key], right[key], f"{path}.{key}")
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right), path
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            assert_same(one, other, f"{path}.{index}")
    else:
        assert left == right, path


def assert_same_run(whole: Path, killed: Path) -> None:
    last = "epoch-00005.pth"
    left, right = (torch.load(folder / last, weights_only=True) for folder in (whole, killed))
    assert {"state_dict", "optimizer", "lr_scheduler", "state_dict_ema", "processes", "hooks"} <= set(left)
    assert left["hooks"]["Spy"]["seen"] != 0
    assert_same(left, right)
    assert metrics(whole) == metrics(killed)
    assert (whole / "best.pth").resolve().name == (killed / "best.pth").resolve().name
    assert not list(killed.glob(".*.tmp"))


def test_twenty_kills_change_no_bit(tmp_path: Path) -> None:
    assert_same_run(*kill_and_resume(tmp_path, kills=20, workers=0, seed=1))


def test_kills_with_loading_processes_change_no_bit(tmp_path: Path) -> None:
    assert_same_run(*kill_and_resume(tmp_path, kills=3, workers=1, seed=2))
