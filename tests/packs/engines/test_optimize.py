"""`optimize` takes the fastest engine that computes the same, and none of them can harm the program that asks."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import essmc_core
from essmc_core.cli.app import cli
from essmc_core.contract.engine import EngineError
from essmc_core.errors import ConfigError, EssmcError, UnknownComponent
from essmc_core.models.engines.batches import for_any_batch
from essmc_core.models.engines.comparing import compare
from essmc_core.models.engines.report import EngineChoice
from essmc_devkit.testing.fixtures import Python, Site

ODD = """
import os, time
import torch
from essmc_core.contract.engine import Engine

class Raises(Engine):
    def prepare(self, model, example, precision):
        raise RuntimeError("no such operation\\nsecond line")

class Lies(Engine):
    def prepare(self, model, example, precision):
        return lambda inputs: model(inputs).flip(1)

class Nans(Engine):
    def prepare(self, model, example, precision):
        return lambda inputs: model(inputs) * float("nan")

class Dies(Engine):
    def prepare(self, model, example, precision):
        os.abort()

class Hangs(Engine):
    def prepare(self, model, example, precision):
        time.sleep(1000)

class Chatters(Engine):
    def prepare(self, model, example, precision):
        print("{not an answer")
        os.system("echo neither is this")
        return model

class OneBatch(Engine):
    any_batch = False
    def prepare(self, model, example, precision):
        def run(inputs):
            assert len(inputs) == len(example)
            return model(inputs)
        return run

class Absent(Engine):
    def missing(self):
        return "pip install absent"
    def prepare(self, model, example, precision):
        raise AssertionError
"""
NAMES = ("Raises", "Lies", "Nans", "Dies", "Chatters", "OneBatch", "Absent", "Hangs")
ASK = """
import json, torch, essmc_core
from essmc_core.models.engines.measuring import measure
torch.manual_seed(0)
model = essmc_core.build_model("motion_digits").eval()
example = torch.randn(2, 3, 8, 32, 32)
trials = measure(model, example, ["eager", *NAMES], budget_s=BUDGET, rounds=1)
print(json.dumps([[one.engine, one.status, one.reason, one.ms] for one in trials]))
"""


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    return essmc_core.build_model("motion_digits").eval()


@pytest.fixture
def example() -> torch.Tensor:
    return torch.randn((2, 3, 8, 32, 32), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def quiet_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.slow
def test_what_engines_do_is_a_line_and_never_an_error(python: Python, site: Site) -> None:
    components = {f"engines.{name}": f"essmc_odd.engines:{name}" for name in NAMES}
    site.add("essmc-odd", components=components, files={"engines.py": ODD})
    code = ASK.replace("NAMES", repr(NAMES)).replace("BUDGET", "75")
    found = {name: (status, reason, ms) for name, status, reason, ms in json.loads(python.run(code).stdout)}
    assert found["Raises"][:2] == ("failed", "RuntimeError: no such operation second line")
    assert found["Lies"][0] == found["Nans"][0] == "disagrees"
    assert found["Dies"][0] == "failed" and "signal 6" in found["Dies"][1]
    assert found["Hangs"][0] == "failed" and "longer than" in found["Hangs"][1]
    assert found["Absent"][:2] == ("unusable", "pip install absent")
    for name in ("eager", "Chatters", "OneBatch"):
        assert found[name][0] == "ok" and found[name][2] > 0, found[name]


@pytest.mark.slow
def test_auto_chooses_by_measuring_and_remembers(model, example, quiet_cache, monkeypatch) -> None:
    predictor = essmc_core.optimize(model, example, budget_s=100)
    choice = predictor.choice
    timed = {trial.engine: trial.ms for trial in choice.trials if trial.status == "ok"}
    assert {"eager", "folded"} <= timed.keys() and choice.engine == min(timed, key=timed.__getitem__)
    for count in (1, 2, 5):
        given = torch.randn(count, 3, 8, 32, 32)
        torch.testing.assert_close(predictor(given), model(given).detach(), rtol=1e-4, atol=1e-5)
    assert choice.engine in str(choice) and json.loads(json.dumps(choice.as_dict()))["engine"] == choice.engine

    monkeypatch.setattr("essmc_core.models.engines.optimizing.measure", None)
    again = essmc_core.optimize(model, example)
    assert again.choice.is_remembered and again.choice.engine == choice.engine
    assert again.choice.trials == choice.trials
    for file in (quiet_cache / "engines").iterdir():
        file.write_text("{")
    with pytest.raises(TypeError):
        essmc_core.optimize(model, example)


def test_one_that_is_asked_for_runs_and_survives_pickling(model, example) -> None:
    model.train()
    predictor = essmc_core.optimize(model, example, engine="folded")
    assert model.training and not predictor.model.training
    restored = pickle.loads(pickle.dumps(predictor))
    expected = predictor.model(example).detach()
    torch.testing.assert_close(predictor(example), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(restored(example[:1]), expected[:1], rtol=1e-5, atol=1e-6)
    assert (restored.choice == predictor.choice and predictor.card is None) or predictor.card["engine"]
    model.eval()


def test_lower_precision_is_judged_by_classes(model, example) -> None:
    predictor = essmc_core.optimize(model, example, engine="eager", precision="bf16", tolerance=0.1)
    assert predictor(example).dtype == torch.float32
    with pytest.raises(EngineError, match="differ by"):
        essmc_core.optimize(model, example, engine="eager", precision="bf16", tolerance=1e-9)
    with pytest.raises(EngineError, match="computes in fp32"):
        essmc_core.optimize(model, example, engine="eager", precision="int8")  # type: ignore[arg-type]


def test_what_is_asked_for_wrongly_is_told(model, example) -> None:
    with pytest.raises(UnknownComponent, match="folded"):
        essmc_core.optimize(model, example, engine="foldde")
    with pytest.raises(ConfigError, match="precision"):
        essmc_core.optimize(model, example, precision="fp8")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="float32"):
        essmc_core.optimize(model, example.byte())


@pytest.mark.parametrize(
    ("asked", "message"),
    [({"engine": "foldde"}, "folded"), ({"engine": "onednn", "precision": "fp16"}, "computes in"),
     ({"precision": "fp61"}, "There is no precision"), ({"engine": {"type": "folded", "speed": 3}}, "speed")],
)  # fmt: skip
def test_prediction_tells_it_before_anything_is_read_or_built(model, monkeypatch, asked, message) -> None:
    def read(*args: Any, **named: Any) -> None:
        raise AssertionError("this must not be called")

    for place in ("prediction.read_recipe", "prediction.load_views", "ready_model.build_trained"):
        monkeypatch.setattr(f"essmc_core.models.{place}", read)
    for given in ("motion_digits", model):
        with pytest.raises(EssmcError, match=message):
            essmc_core.predict(given, "no-such-file.mp4", **asked)


def test_the_command_tells_a_misspelled_engine_first() -> None:
    told = CliRunner().invoke(cli, ["predict", "no-such-model", "no-such-file.mp4", "--engine", "foldde"]).exception
    assert isinstance(told, UnknownComponent) and "did you mean 'folded'" in str(told)


def test_a_model_that_cannot_be_pickled_runs_eagerly(model, example, quiet_cache) -> None:
    import copy

    other = copy.deepcopy(model)
    other.hook = lambda: None
    predictor = essmc_core.optimize(other, example, budget_s=20)
    assert predictor.choice.engine == "eager"
    assert all("pickled" in trial.reason for trial in predictor.choice.trials)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("wrap", [lambda out: out, lambda out: {"a": out, "b": -out}])
def test_batches_of_one_size_serve_any(count: int, wrap: Any) -> None:
    seen = []

    def run(inputs: torch.Tensor) -> Any:
        seen.append(len(inputs))
        return wrap(inputs * 2)

    inputs = torch.arange(count * 3.0).view(count, 3)
    found = for_any_batch(run, 2)(inputs)
    assert set(seen) == {2}
    expected = wrap(inputs * 2)
    for key in expected if isinstance(expected, dict) else [...]:
        assert torch.equal(found[key], expected[key])


def test_nan_and_other_shapes_never_agree() -> None:
    one = {"": torch.tensor([[0.1, 0.9]])}
    assert compare(one, one).complaint("fp32", None) == ""
    assert compare({"": one[""] * float("nan")}, one).complaint("fp32", None)
    assert compare({"": one[""][:, :1]}, one).complaint("bf16", None)
    assert compare({"": one[""].flip(1)}, one).agreement == 0


def test_the_report_names_gains_and_failures() -> None:
    from essmc_core.models.engines.report import Trial

    trials = (Trial("eager", "fp32", "ok", ms=10.0), Trial("quick", "fp32", "ok", ms=4.0),
              Trial("odd", "fp32", "failed", "it broke"))  # fmt: skip
    text = str(EngineChoice("net", "quick", "fp32", "cpu", (1, 3, 8, 8), 2, trials))
    assert "quick: 4.0 ms, 2.50x eager" in text and "odd: failed: it broke" in text


@pytest.mark.slow
def test_commands_take_engines(python: Python) -> None:
    clip = "pkg://essmc-motion/essmc_motion/moving_digits.mp4"
    plain = json.loads(python.essmc("predict", "motion_digits", clip, "--json").stdout)
    folded = json.loads(python.essmc("predict", "motion_digits", clip, "--engine", "folded", "--json").stdout)
    for one, other in zip(plain["predictions"], folded["predictions"], strict=True):
        assert one["label"] == other["label"] and one["probability"] == pytest.approx(other["probability"], abs=1e-5)
    refused = python.essmc("predict", "motion_digits", clip, "--engine", "quickest", check=False)
    assert refused.returncode == 2 and "no engine is called 'quickest'" in refused.stderr

    found = json.loads(
        python.essmc("bench", "motion_digits", "--engines", "eager,folded", "--batch", "1,2", "--json").stdout
    )
    assert [batch["batch"] for batch in found["batches"]] == [1, 2]
    for batch in found["batches"]:
        assert {one["engine"]: one["status"] for one in batch["engines"]} == {"eager": "ok", "folded": "ok"}
    refused = python.essmc("bench", "motion_digits", "--batch", "0", check=False)
    assert refused.returncode == 2 and "--batch" in refused.stderr
