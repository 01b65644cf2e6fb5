"""Optimizers and schedules by name, parameter groups, warm-up and averaged weights."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core import HOOKS, LR_SCHEDULERS, MODELS, OPTIMIZERS, SOLVERS
from essmc_core.errors import ConfigError, SchemaError
from essmc_core.models.defaults import REGISTRIES
from essmc_devkit.testing.fixtures import Python
from essmc_solvers.hooks.base import Hook
from essmc_solvers.optimizers.building import build_optimizers, build_schedulers
from essmc_solvers.optimizers.parameter_groups import GroupRules
from tests.samples.solving import Net, Points, data, loader, solver

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
    except (ImportError, ConfigError) as error:
        # Some of timm's need apex or bitsandbytes.
        if not any(word in name for word in ("bnb", "fused")):
            raise
        pytest.skip(str(error))
    assert made[""].param_groups[0]["params"][0] is matrices[0]


def test_every_schedule_has_arguments_here() -> None:
    assert set(LR_SCHEDULERS.names()) <= set(ARGUMENTS)


@pytest.mark.slow
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
        ({"type": "SGD", "lr": 0.1}, {"lr_scheduler": {"head": {"type": "StepLR", "step_size": 1}}}, "names 'head'"),
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


SHARED = {"optimizer", "lr_scheduler", "resume_from", "work_dir", "logger", "envs", "max_epochs", "num_folds", "hooks"}
CATALOGUE: dict[str, dict[str, set[str]]] = {
    "solvers": {
        "TrainValSolver": SHARED | {"model"},
        "EvaluationSolver": SHARED
        | {"model", "eval_interval", "do_final_eval", "save_eval_data", "eval_metric_cfg", "extra_keys"},
        "MoSISolver": SHARED | {"model", "bn_weight_decay"},
    },
    "hooks": {
        "BackwardHook": set(),
        "LogHook": {"log_interval"},
        "TensorboardLogHook": {"log_dir"},
        "LrHook": {"set_by_epoch", "warmup_func", "warmup_epochs", "warmup_start_lr"},
        "CheckpointHook": {"interval", "save_best", "save_best_by"},
        "DistSamplerHook": set(),
    },
    "optimizers": {
        name: {"lr"}
        for name in ("Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "ASGD", "RMSprop", "Rprop", "SGD", "SparseAdam")
    }
    | {"LBFGS": {"lr", "max_iter"}},
    "lr_schedulers": {
        "StepLR": {"step_size", "gamma"},
        "CyclicLR": {"base_lr", "max_lr"},
        "LambdaLR": {"lr_lambda"},
        "MultiStepLR": {"milestones", "gamma"},
        "ExponentialLR": {"gamma"},
        "CosineAnnealingLR": {"T_max", "eta_min"},
        "CosineAnnealingWarmRestarts": {"T_0", "T_mult", "eta_min"},
        "ReduceLROnPlateau": {"mode", "factor", "patience"},
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in CATALOGUE.items() for name in names])
def test_every_name_of_essentialmc2_takes_its_arguments(kind: str, name: str) -> None:
    registry = REGISTRIES[kind]
    retired = registry.component(name).retired
    taken = {parameter.name for parameter in registry.describe(name).parameters} | set(retired)
    assert CATALOGUE[kind][name] <= taken


def decays(model: torch.nn.Module, **arguments: Any) -> dict[str, float]:
    made = SOLVERS.build({"type": "MoSISolver", "model": model, "device": "cpu",
                          "optimizer": {"type": "Adam", "lr": 0.1, "weight_decay": 0.01}, **arguments})  # fmt: skip
    found = {id(p): group["weight_decay"] for group in made.optimizers[""].param_groups for p in group["params"]}
    return {name: found[id(parameter)] for name, parameter in model.named_parameters()}


VIT = {"image_size": 32, "num_frames": 4, "depth": 1, "num_features": 24, "branch_cfg": {"num_heads": 2}}


@pytest.mark.parametrize(
    ("backbone", "dim"),
    [
        ({"type": "ResNet2Plus1d", "depth": 10, "num_filters": [4, 4, 8, 8, 8]}, 8),
        ({"type": "FactorizedTransformer", "depth_temp": 1, **VIT}, 24),
        ({"type": "Transformer", **VIT}, 24),
    ],
)
def test_mosi_decays_neither_norms_nor_embeddings(backbone: dict[str, Any], dim: int) -> None:
    def model() -> torch.nn.Module:
        head = {"type": "MoSIHead", "dim": dim, "num_classes": 5}
        built: torch.nn.Module = MODELS.build(
            {"type": "MoSINet", "backbone": backbone, "neck": "GlobalAveragePooling", "head": head}
        )
        return built

    # By EssentialMC2's rule, which goes by names: the modules of these networks are named for it.
    for arguments, norms in (({}, 0.0), ({"bn_weight_decay": 0.5}, 0.5)):
        found = decays(model(), **arguments)
        assert 0.01 in found.values() and norms in found.values()
        for name, decay in found.items():
            if "bn" in name or "norm" in name:
                assert decay == norms, name
            elif "embd" in name or "cls_token" in name:
                assert decay == 0.0, name
            else:
                assert decay == 0.01, name


def test_mosi_takes_further_patterns_and_trains() -> None:
    found = decays(Net(), no_decay=["*.bias"])
    assert found == {"backbone.0.weight": 0.01, "backbone.0.bias": 0.0, "backbone.1.weight": 0.0,
                     "backbone.1.bias": 0.0, "head.weight": 0.01, "head.bias": 0.0}  # fmt: skip
    results = SOLVERS.build(
        {"type": "MoSISolver", "model": Net(), "optimizer": {"type": "AdamW", "lr": 0.05}, "device": "cpu"},
        max_epochs=3, envs={"seed": 1},
    ).solve(data())  # fmt: skip
    assert results["eval"]["acc@1"] > 0.5


@pytest.mark.parametrize(
    ("name", "cause", "advice"),
    [
        ("timm_sgdp", "lr", "Give it a learning rate"),
        ("timm_csgdp", "lr", "Give it a learning rate"),
        ("Muon", "2D", "for weights that are matrices"),
        ("SparseAdam", "'backbone.0.weight' is dense", "Embedding"),
        ("timm_bnbadam", "", "what this machine does not have"),
        ("timm_fusedlamb", "", "what this machine does not have"),
    ],
)
def test_an_optimizer_that_cannot_be_built_says_why(name: str, cause: str, advice: str) -> None:
    if name not in OPTIMIZERS.names():
        pytest.skip("not in the installed libraries")
    if any(word in name for word in ("bnb", "fused")) and torch.cuda.is_available():
        pytest.skip("this machine has what it needs")
    with pytest.raises(ConfigError) as caught:
        build_optimizers(Net(), {"type": name}, GroupRules())
    assert name in caught.value.message and cause in caught.value.message
    assert advice in caught.value.hint


def test_sparse_embeddings_are_trained_by_sparse_adam() -> None:
    model = torch.nn.Sequential(torch.nn.Embedding(5, 3, sparse=True))
    assert build_optimizers(model, "SparseAdam", GroupRules())[""].param_groups


def test_a_schedule_that_ends_before_the_training_is_refused_at_its_start() -> None:
    schedule = {"type": "OneCycleLR", "max_lr": 0.1, "total_steps": 6}
    by_iteration = {"type": "LrHook", "set_by_epoch": False}
    with pytest.raises(ConfigError, match=r"ends after 6 steps, and this training makes 12.*an iteration"):
        rates(6, batches=2, lr_scheduler=schedule, hooks=[by_iteration])
    assert len(rates(3, batches=2, lr_scheduler=schedule, hooks=[by_iteration])) == 6
    assert len(rates(6, batches=2, lr_scheduler=schedule)) == 12
    with pytest.raises(ConfigError, match="OneCycleLR cannot be built: You must define"):
        solver(lr_scheduler={"type": "OneCycleLR", "max_lr": 0.1})


def test_a_schedule_whose_step_fails_is_named() -> None:
    def falls(epoch: float) -> float:
        return 1 / (2 - epoch)

    with pytest.raises(ConfigError, match=r"LambdaLR cannot make a step: .*division by zero"):
        rates(4, lr_scheduler={"type": "LambdaLR", "lr_lambda": falls})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizer": torch.optim.SGD}, "an optimizer is a name, a mapping with `type`"),
        ({"optimizer": torch.optim.SGD(Net().parameters(), 0.1)}, "SGD has none of the model's parameters"),
        ({"lr_scheduler": torch.optim.lr_scheduler.StepLR}, "a schedule is a name, a mapping with `type`"),
    ],
)
def test_objects_that_cannot_serve_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        solver(Net(), **arguments)


def test_groups_have_no_effect_on_an_optimizer_that_is_built() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    solver(model, optimizer=optimizer, param_groups=[], no_decay=[])
    with pytest.raises(ConfigError, match="no effect on an optimizer that is built"):
        solver(model, optimizer=optimizer, no_decay=["*.bias"])


class Tied(Net):
    """A net with two layers that share their weights."""

    def __init__(self) -> None:
        super().__init__(norm=False, dropout=0.0)
        self.first, self.second = nn.Linear(16, 16, bias=False), nn.Linear(16, 16, bias=False)
        self.second.weight = self.first.weight

    def scores(self, img: Tensor) -> Tensor:
        return self.head(self.second(self.first(self.backbone(img)).tanh()))


def test_shared_weights_have_one_average(tmp_path: Any) -> None:
    hooks = [{"type": "EmaHook", "decay": 0.9}]
    means = solver(Tied(), tmp_path, optimizer={"type": "SGD", "lr": 0.5}, hooks=hooks, max_epochs=2).solve(data())
    saved = torch.load(tmp_path / "epoch-00002.pth", weights_only=True)
    averaged = saved["state_dict_ema"]
    assert torch.equal(averaged["first.weight"], averaged["second.weight"])
    assert not torch.equal(averaged["first.weight"], saved["state_dict"]["first.weight"])
    evaluation = SOLVERS.build({"type": "EvaluationSolver", "model": Tied(), "device": "cpu", "resume_from": tmp_path})
    assert evaluation.solve({"eval": data()["eval"]})["eval"] == means["eval"]
