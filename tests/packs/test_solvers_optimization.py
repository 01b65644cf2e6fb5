"""Optimizers and schedules by name, parameter groups, warm-up and averaged weights."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from essmc_core import HOOKS, LR_SCHEDULERS, OPTIMIZERS
from essmc_core.errors import ConfigError, SchemaError
from essmc_solvers.hooks.base import Hook
from essmc_solvers.optimization import build_optimizers, build_schedulers
from essmc_solvers.parameter_groups import GroupRules
from tests.conftest import Python
from tests.packs.solver_samples import Net, Points, data, loader, solver

ARGUMENTS: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 2}, "MultiStepLR": {"milestones": [1, 3]}, "ExponentialLR": {"gamma": 0.5},
    "CosineAnnealingLR": {"T_max": 4}, "CosineAnnealingWarmRestarts": {"T_0": 2}, "ConstantLR": {}, "LinearLR": {},
    "PolynomialLR": {"total_iters": 4}, "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 100}, "ReduceLROnPlateau": {"patience": 0},
    "SequentialLR": {"schedulers": [{"type": "ConstantLR"}, {"type": "ExponentialLR", "gamma": 0.9}],
                     "milestones": [2]},
    "ChainedScheduler": {"schedulers": [{"type": "ConstantLR"}, {"type": "ExponentialLR", "gamma": 0.9}]},
    "LambdaLR": {"lr_lambda": lambda epoch: 0.5**epoch}, "MultiplicativeLR": {"lr_lambda": lambda epoch: 0.5},
    "timm_cosine": {"t_initial": 4}, "timm_step": {"decay_t": 2}, "timm_multistep": {"decay_t": [1, 3]},
    "timm_tanh": {"t_initial": 4}, "timm_poly": {"t_initial": 4}, "timm_plateau": {"patience_t": 0},
    "timm_wsd": {"t_initial": 4, "decay_t": 2},
}  # fmt: skip


class Rates(Hook):
    """Remembers the rate of each group in each training iteration."""

    def __init__(self) -> None:
        super().__init__(-10)
        self.seen: list[list[float]] = []

    def before_iter(self, solver: Any) -> None:
        if solver.mode == "train":
            groups = (group for optimizer in solver.optimizers.values() for group in optimizer.param_groups)
            self.seen.append([float(group["lr"]) for group in groups])


def rates(epochs: int, batches: int = 1, **arguments: Any) -> list[list[float]]:
    watch = Rates()
    arguments["hooks"] = [watch, *arguments.pop("hooks", [])]
    arguments.setdefault("optimizer", {"type": "SGD", "lr": 0.1})
    solver(max_epochs=epochs, **arguments).solve(loader(Points(8 * batches)))
    return watch.seen


def test_every_name_is_listed_without_importing_torch_or_timm(python: Python) -> None:
    found = python.json(
        "import json, sys\n"
        "from essmc_core import HOOKS, LR_SCHEDULERS, OPTIMIZERS, SOLVERS\n"
        "names = {r.kind: [c.name for c in r.table.records()] for r in (SOLVERS, HOOKS, OPTIMIZERS, LR_SCHEDULERS)}\n"
        "print(json.dumps([names, [m for m in ('torch', 'timm', 'accelerate') if m in sys.modules]]))"
    )
    assert isinstance(found, list)
    names, heavy = found
    assert heavy == []
    own = {name for name in dir(torch.optim) if isinstance(getattr(torch.optim, name), type)}
    assert own - {"Optimizer"} <= set(names["optimizers"])
    schedules = set(torch.optim.lr_scheduler.__all__) - {"LRScheduler"}
    assert schedules <= set(names["lr_schedulers"])
    timm = pytest.importorskip("timm.optim")
    assert {f"timm_{name}" for name in timm.list_optimizers()} <= set(names["optimizers"])


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS.names() if name not in ("SparseAdam",)])
def test_every_optimizer_builds(name: str) -> None:
    matrices = [torch.nn.Parameter(torch.rand(4, 4))]
    model = torch.nn.Module()
    model.register_parameter("matrix", matrices[0])
    try:
        made = build_optimizers(model, {"type": name, "lr": 0.01}, GroupRules())
    except (ImportError, AssertionError) as error:
        # Some of timm's need apex or bitsandbytes.
        pytest.skip(str(error))
    assert made[""].param_groups[0]["params"][0] is matrices[0]


def test_every_schedule_has_arguments_here() -> None:
    assert set(LR_SCHEDULERS.names()) <= set(ARGUMENTS)


@pytest.mark.parametrize("set_by_epoch", [True, False])
@pytest.mark.parametrize("name", list(ARGUMENTS))
def test_every_schedule_runs_and_resumes(name: str, set_by_epoch: bool, tmp_path: Any) -> None:
    schedule = {"type": name, **ARGUMENTS[name]}
    hooks = [{"type": "LrHook", "set_by_epoch": set_by_epoch, "warmup_func": "linear", "warmup_epochs": 2}]
    common: dict[str, Any] = {
        "batches": 2, "lr_scheduler": schedule, "hooks": hooks,
        "optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.9},
    }  # fmt: skip
    whole = rates(4, work_dir=tmp_path, **common)
    assert len(whole) == 8 and all(rate >= 0 for seen in whole for rate in seen)
    resumed = rates(4, resume_from=tmp_path / "epoch-00002.pth", **common)
    assert resumed == whole[4:]


def test_warm_up_reaches_its_target() -> None:
    hook = {"type": "LrHook", "warmup_func": "linear", "warmup_epochs": 4, "warmup_start_lr": 0.01}
    seen = [row[0] for row in rates(6, hooks=[hook])]
    assert seen == pytest.approx([0.01, 0.0325, 0.055, 0.0775, 0.1, 0.1])


def test_the_schedule_does_not_see_the_warm_up() -> None:
    schedule = {"type": "CosineAnnealingLR", "T_max": 6}
    warm = {"type": "LrHook", "warmup_func": "linear", "warmup_epochs": 2, "warmup_start_lr": 0.01}
    assert rates(6, lr_scheduler=schedule, hooks=[warm])[2:] == rates(6, lr_scheduler=schedule)[2:]


def test_groups_keep_their_own_rates_within_epochs() -> None:
    hook = {"type": "LrHook", "set_by_epoch": False, "warmup_func": "linear", "warmup_epochs": 1,
            "warmup_start_lr": 0.01}  # fmt: skip
    groups = [{"match": "backbone.*", "lr_scale": 0.01}]
    seen = rates(3, batches=4, hooks=[hook], param_groups=groups,
                 lr_scheduler={"type": "CosineAnnealingLR", "T_max": 3})  # fmt: skip
    for slow, fast in (sorted(row) for row in seen):
        assert slow == pytest.approx(fast * 0.01)
    fast = [max(row) for row in seen]
    assert fast[0] == pytest.approx(0.01)
    assert fast[3] < fast[4] == max(fast)  # the target is reached, and the cosine falls from there on
    assert all(later < earlier for earlier, later in itertools.pairwise(fast[4:]))


def test_norm_layers_and_named_parameters_decay_as_told() -> None:
    model = Net()
    rules = GroupRules(bn_weight_decay=0.5, no_decay=["*.bias"])
    optimizer = build_optimizers(model, {"type": "SGD", "lr": 0.1, "weight_decay": 0.01}, rules)[""]
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    found = {name: decay[id(parameter)] for name, parameter in model.named_parameters()}
    assert found == {
        "backbone.0.weight": 0.01, "backbone.0.bias": 0.0, "backbone.1.weight": 0.5, "backbone.1.bias": 0.0,
        "head.weight": 0.01, "head.bias": 0.0,
    }  # fmt: skip


def test_several_optimizers_share_a_model() -> None:
    model = Net()
    config = {"backbone": {"type": "SGD", "lr": 0.1}, "*": {"type": "AdamW", "lr": 0.01}}
    made = build_optimizers(model, config, GroupRules())
    assert [type(optimizer).__name__ for optimizer in made.values()] == ["SGD", "AdamW"]
    assert sum(len(group["params"]) for o in made.values() for group in o.param_groups) == 6
    assert list(build_schedulers(made, {"backbone": {"type": "StepLR", "step_size": 1}})) == ["backbone"]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    solver(model, optimizer=config, lr_scheduler={"type": "StepLR", "step_size": 1}).solve(data())
    assert not torch.equal(before["head.weight"], model.head.weight)
    assert not torch.equal(before["backbone.0.weight"], model.backbone[0].weight)


@pytest.mark.parametrize(
    ("optimizer", "arguments", "message"),
    [
        ({"backbone": {"type": "SGD", "lr": 0.1}}, {}, "no optimizer takes the parameter 'head"),
        ({"neck": {"type": "SGD"}, "*": {"type": "SGD"}}, {}, "'neck' has no parameter"),
        ({"type": "SGD", "lr": 0.1}, {"param_groups": [{"match": "bakbone.*", "lr": 1}]}, "'bakbone.*' matches no"),
        ({"type": "SGD"}, {"param_groups": [{"match": "head.*", "lr_scale": 2}]}, "does not give"),
        ({"type": "SGD", "lr": 0.1}, {"lr_scheduler": {"head": {"type": "StepLR"}}}, "names 'head'"),
        ({"type": "SGDD"}, {}, "SGDD"),
    ],
)
def test_optimizers_that_do_not_fit_the_model(optimizer: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, KeyError), match=message):
        solver(optimizer=optimizer, **arguments)


def test_a_misspelt_argument_is_told_before_anything_runs() -> None:
    with pytest.raises(SchemaError, match="momentun"):
        solver(optimizer={"type": "SGD", "lr": 0.1, "momentun": 0.9})


def test_an_optimizer_that_evaluates_the_model_itself() -> None:
    results = solver(
        Net(norm=False, dropout=0.0), optimizer={"type": "LBFGS", "lr": 0.5, "max_iter": 5}, max_epochs=3
    ).solve(data(train=30, batch_size=30))
    assert results["train"]["loss"] < 1.0


def test_evaluation_sees_averaged_weights_and_training_does_not(tmp_path: Any) -> None:
    torch.manual_seed(0)
    model = Net(dropout=0.0)
    hook = HOOKS.build({"type": "EmaHook", "decay": 0.5, "warmup": False})
    expected = {name: p.detach().clone() for name, p in model.named_parameters()}

    class Average(Hook):
        def after_iter(self, solver: Any) -> None:
            if solver.mode == "train":
                for name, p in model.named_parameters():
                    expected[name] = 0.5 * expected[name] + 0.5 * p.detach()
            else:
                assert torch.allclose(model.head.weight, expected["head.weight"], atol=1e-6)

    solver(model, hooks=[hook, Average(60)], work_dir=tmp_path).solve(data())
    saved = torch.load(tmp_path / "epoch-00001.pth", weights_only=True)
    assert torch.equal(saved["state_dict"]["head.weight"], model.head.weight)
    assert torch.allclose(saved["state_dict_ema"]["head.weight"], expected["head.weight"], atol=1e-6)
    assert set(saved["state_dict_ema"]) == set(saved["state_dict"])
