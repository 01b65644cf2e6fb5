"""Each check of hooks, optimizers, schedules, engines and frame samplers finds its fault, and no other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Engine
from essmc_devkit.components import engine, hook, optimizer, sampler, schedule

SUBJECTS: dict[str, Any] = {
    "hooks": hook.HookSubject,
    "optimizers": optimizer.OptimizerSubject,
    "lr_schedulers": schedule.ScheduleSubject,
    "engines": engine.EngineSubject,
    "frame_samplers": sampler.SamplerSubject,
}
CHECKS: dict[str, Any] = {
    "hooks": hook.ALL,
    "optimizers": optimizer.ALL,
    "lr_schedulers": schedule.ALL,
    "engines": engine.ALL,
    "frame_samplers": sampler.ALL,
}


class SoundHook:
    priority = 10

    def __init__(self) -> None:
        self.count = 0

    def after_iter(self, run: Any) -> None:
        self.count += 1

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]

    def compared_settings(self) -> dict[str, Any]:
        return {"priority": self.priority}


class MisspeltEvent(SoundHook):
    def after_epocs(self, run: Any) -> None: ...


class EventWithoutARun(SoundHook):
    def before_epoch(self) -> None: ...


class NoEvent:
    def on_epoch_end(self, run: Any) -> None: ...


class PriorityInWords(SoundHook):
    priority = "high"  # type: ignore[assignment]


class StateOfNobody(SoundHook):
    def __init__(self) -> None:
        self.count = torch.initial_seed()

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class StateThatIsCode(SoundHook):
    def state_dict(self) -> dict[str, Any]:
        return {"hook": StateOfNobody}


class SettingsThatAreObjects(SoundHook):
    def compared_settings(self) -> dict[str, Any]:
        return {"itself": self}


class SoundOptimizer(torch.optim.Optimizer):
    """Gradient descent with momentum."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                before = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                self.move(parameter, before.mul_(0.5).add_(parameter.grad), self.rate(group))

    def rate(self, group: dict[str, Any]) -> float:
        return float(group["lr"])

    def move(self, parameter: Tensor, by: Tensor, rate: float) -> None:
        with torch.no_grad():
            parameter.sub_(by, alpha=rate)


class Uphill(SoundOptimizer):
    def rate(self, group: dict[str, Any]) -> float:
        return -float(group["lr"])


class FirstParameterAlone(SoundOptimizer):
    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, lr)
        del self.param_groups[0]["params"][1:]


class OwnRate(SoundOptimizer):
    def rate(self, group: dict[str, Any]) -> float:
        return float(self.defaults["lr"])


class StateOutsideOfState(SoundOptimizer):
    steps = 0

    def rate(self, group: dict[str, Any]) -> float:
        self.steps += 1
        return float(group["lr"]) / self.steps


class SoundSchedule:
    """Divides by the number of the step."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer, self.steps = optimizer, 0
        self.first = [group["lr"] for group in optimizer.param_groups]

    def step(self) -> None:
        self.steps += 1
        for group, rate in zip(self.optimizer.param_groups, self.first, strict=True):
            group["lr"] = self.rate(rate)

    def rate(self, first: float) -> float:
        return first / (1 + self.steps)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "first": self.first}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps, self.first = state["steps"], state["first"]


class BelowZero(SoundSchedule):
    def rate(self, first: float) -> float:
        return first * (1 - 0.2 * self.steps)


class ForgetsItsSteps(SoundSchedule):
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.first = state["first"]


class SoundEngine(Engine):
    precisions = ("fp32", "bf16")

    def prepare(self, model: nn.Module, example: Tensor, precision: Any) -> Any:
        return model


class NoEngine:
    def prepare(self, model: nn.Module, example: Tensor, precision: Any) -> Any:
        return model


class NothingMissing(SoundEngine):
    def missing(self) -> Any:
        return None


class OfTheExample(SoundEngine):
    def prepare(self, model: nn.Module, example: Tensor, precision: Any) -> Any:
        kept = model(example)
        return lambda inputs: kept


class OneBuffer(SoundEngine):
    def prepare(self, model: nn.Module, example: Tensor, precision: Any) -> Any:
        with torch.no_grad():
            buffer = model(example)

        def run(inputs: Tensor) -> Tensor:
            with torch.no_grad():
                found = model(inputs)
                return buffer.copy_(found) if found.shape == buffer.shape else found

        return run


class OneSize(SoundEngine):
    def prepare(self, model: nn.Module, example: Tensor, precision: Any) -> Any:
        def run(inputs: Tensor) -> Tensor:
            assert inputs.shape == example.shape
            found: Tensor = model(inputs)
            return found

        return run


class FoldsInPlace(SoundEngine):
    def prepare(self, model: nn.Module, example: Tensor, precision: Any) -> Any:
        model.requires_grad_(False)
        return model


class ReturnsHalves(SoundEngine):
    def prepare(self, model: nn.Module, example: Tensor, precision: Any) -> Any:
        return model if precision == "fp32" else lambda inputs: model(inputs).bfloat16()


class SoundSampler:
    """Frames at random, in order."""

    def __call__(self, vid_len: int, vid_fps: float, num_frames: int, clip_duration: float) -> Tensor:
        return torch.randint(0, vid_len, (num_frames,)).sort().values


class FromOne(SoundSampler):
    def __call__(self, vid_len: int, vid_fps: float, num_frames: int, clip_duration: float) -> Tensor:
        return super().__call__(vid_len, vid_fps, num_frames, clip_duration) + 1


class Fractions(SoundSampler):
    def __call__(self, vid_len: int, vid_fps: float, num_frames: int, clip_duration: float) -> Tensor:
        return super().__call__(vid_len, vid_fps, num_frames, clip_duration).float()


class OwnDice(SoundSampler):
    def __init__(self) -> None:
        self.dice = torch.Generator()

    def __call__(self, vid_len: int, vid_fps: float, num_frames: int, clip_duration: float) -> Tensor:
        return torch.randint(0, vid_len, (num_frames,), generator=self.dice).sort().values


SOUND = {"hooks": SoundHook, "optimizers": SoundOptimizer, "lr_schedulers": SoundSchedule, "engines": SoundEngine,
         "frame_samplers": SoundSampler}  # fmt: skip
FAULTS: dict[str, dict[Any, str]] = {
    "hooks": {
        MisspeltEvent: "hook.events",
        EventWithoutARun: "hook.events",
        NoEvent: "hook.events",
        PriorityInWords: "hook.priority",
        StateOfNobody: "hook.state",
        StateThatIsCode: "hook.state",
        SettingsThatAreObjects: "hook.settings",
    },
    "optimizers": {
        Uphill: "optimizer.lowers-the-loss",
        FirstParameterAlone: "optimizer.lowers-the-loss",
        OwnRate: "optimizer.rates",
        StateOutsideOfState: "optimizer.state",
    },
    "lr_schedulers": {BelowZero: "schedule.rates", ForgetsItsSteps: "schedule.state"},
    "engines": {
        NoEngine: "engine.base",
        NothingMissing: "engine.base",
        OfTheExample: "engine.outputs",
        OneBuffer: "engine.kept-outputs",
        OneSize: "engine.batches",
        FoldsInPlace: "engine.model",
        ReturnsHalves: "engine.precisions",
    },
    "frame_samplers": {FromOne: "sampler.frames", Fractions: "sampler.frames", OwnDice: "sampler.seed"},
}
CASES = [(kind, cls, name) for kind, faults in FAULTS.items() for cls, name in faults.items()]


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_part_passes_every_check(kind, register):
    subject = SUBJECTS[kind](register(kind, SOUND[kind]))
    assert [one for check in CHECKS[kind] for one in check(subject) if one.status != "ok"] == []


@pytest.mark.parametrize(("kind", "cls", "name"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_a_fault_is_found_by_its_check(kind, cls, name, register):
    subject = SUBJECTS[kind](register(kind, cls))
    check = next(one for one in CHECKS[kind] if one.name == name)
    assert "failed" in [finding.status for finding in check(subject)]


@pytest.mark.parametrize("kind", FAULTS)
def test_each_check_has_a_fault(kind):
    assert {check.name for check in CHECKS[kind]} == set(FAULTS[kind].values())
