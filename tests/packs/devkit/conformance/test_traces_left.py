"""What a component leaves behind when it is built and used is found, and told apart from what libraries do."""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from essmc_devkit.components import running, traces_left
from essmc_devkit.components.module_subject import ModuleSubject
from essmc_devkit.components.process_changes import ProcessChanges
from essmc_devkit.components.transform import TransformSubject


class Head(nn.Module):
    """A linear layer that draws random numbers, as all do."""

    def __init__(self, dim: int = 8) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, 2)
        self.register_buffer("calls", torch.zeros(()))
        random.random(), np.random.rand()

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.linear(features)
        return found


class Greets(Head):
    def __init__(self, dim: int = 8) -> None:
        super().__init__(dim)
        print("built\nwith love")


class Debugged(Head):
    def forward(self, features: Tensor) -> Tensor:
        print(features.shape)
        return super().forward(features)


class SeedsTorch(Head):
    def __init__(self, dim: int = 8) -> None:
        torch.manual_seed(0)
        super().__init__(dim)


class SeedsPython(Head):
    def forward(self, features: Tensor) -> Tensor:
        random.seed(1)
        np.random.seed(1)
        return super().forward(features)


class SetsAVariable(Head):
    def __init__(self, dim: int = 8) -> None:
        super().__init__(dim)
        os.environ["ESSMC_TEST_HEAD"] = "1"


class ChangesTheDtype(Head):
    def forward(self, features: Tensor) -> Tensor:
        torch.set_default_dtype(torch.float64)
        return super().forward(features)


class Fetches(Head):
    def __init__(self, dim: int = 8) -> None:
        super().__init__(dim)
        # Refused at once: nothing listens there.
        socket.socket().connect_ex(("127.0.0.1", 9))


class KeepsALog(Head):
    def __init__(self, dim: int = 8) -> None:
        super().__init__(dim)
        Path("head.log").write_text("built")


class WorksInPlace(Head):
    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.relu_())


class Counts(Head):
    def forward(self, features: Tensor) -> Tensor:
        self.calls += 1  # type: ignore[operator]
        return super().forward(features)


FAULTS: dict[type[Head], tuple[Any, str]] = {
    Greets: (traces_left.output, "prints 'built' and 1 more lines"),
    Debugged: (traces_left.output, "prints 'torch.Size"),
    SeedsTorch: (traces_left.side_effects, "seeds torch's random numbers"),
    SeedsPython: (traces_left.side_effects, "seeds Python's and numpy's"),
    SetsAVariable: (traces_left.side_effects, "changes environment variables"),
    ChangesTheDtype: (traces_left.side_effects, "changes torch's default dtype"),
    Fetches: (traces_left.acts, "uses the network"),
    KeepsALog: (traces_left.acts, "writes head.log"),
    WorksInPlace: (running.in_place, "changes its input"),
    Counts: (running.eval_state, "calls differs"),
}
CHECKS = (*traces_left.ALL, running.in_place, running.eval_state)


@pytest.fixture(autouse=True)
def _put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ESSMC_TEST_HEAD", raising=False)
    yield
    torch.set_default_dtype(torch.float32)
    os.environ.pop("ESSMC_TEST_HEAD", None)


def test_a_sound_component_leaves_nothing(register):
    subject = ModuleSubject("heads", register("heads", Head), (8,))
    findings = [finding for check in CHECKS for finding in check(subject)]
    assert [one for one in findings if one.status != "ok"] == []


@pytest.mark.parametrize("cls", FAULTS)
def test_a_trace_is_found_by_its_check_alone_and_put_back(cls, register):
    subject = ModuleSubject("heads", register("heads", cls), (8,))
    expected, words = FAULTS[cls]
    for check in CHECKS:
        (finding,) = check(subject)
        assert finding.status == ("failed" if check is expected else "ok"), finding
        assert words in finding.message or check is not expected, finding
        assert check not in traces_left.ALL or torch.get_default_dtype() is torch.float32
        assert "ESSMC_TEST_HEAD" not in os.environ or check not in traces_left.ALL
        torch.set_default_dtype(torch.float32)


def test_what_is_tried_to_find_an_item_is_not_held_against_a_transform(register):
    class TakesNothing:
        """Refuses every item."""

        def __call__(self, item: Any) -> Any:
            raise ValueError("not this one")

    (finding,) = traces_left.side_effects(TransformSubject(register("transforms", TakesNothing)))
    assert finding.status == "ok", finding


def test_an_import_within_a_pass_leaves_gradients_and_draws_alone(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "library_for_later.py").write_text("import os\nos.environ['ESSMC_TEST_LIBRARY'] = '1'\n")
    try:
        torch.manual_seed(5)
        expected = torch.rand(2)
        torch.manual_seed(5)
        with ProcessChanges({"pack_of_mine"}) as changes, torch.no_grad():
            first = torch.rand(1)
            import library_for_later  # type: ignore[import-not-found]  # noqa: F401

            second = torch.rand(1)
        assert torch.equal(torch.cat([first, second]), expected)
        assert torch.is_grad_enabled() and "torch's gradients" not in changes.names
        with ProcessChanges({"pack_of_mine"}) as changes:
            torch.set_grad_enabled(False)
        assert torch.is_grad_enabled() and changes.names == ["torch's gradients"]
    finally:
        os.environ.pop("ESSMC_TEST_LIBRARY", None)
        sys.modules.pop("library_for_later", None)


def test_what_a_library_changes_when_it_is_imported_is_its_own_affair(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "library_of_others.py").write_text("import os\nos.environ['ESSMC_TEST_LIBRARY'] = '1'\n")
    (tmp_path / "pack_of_mine.py").write_text(
        "import os, library_of_others\nos.environ['ESSMC_TEST_MINE'] = '1'\nname = library_of_others.__name__\n"
    )
    try:
        with ProcessChanges({"pack_of_mine"}) as changes:
            import library_of_others  # type: ignore[import-not-found]
            import pack_of_mine  # type: ignore[import-not-found]
        assert changes.names == ["environment variables"]
        assert os.environ.get("ESSMC_TEST_LIBRARY") == "1" and "ESSMC_TEST_MINE" not in os.environ
        assert type(library_of_others.__loader__).__name__ == type(pack_of_mine.__loader__).__name__
        with ProcessChanges({"pack_of_mine"}) as nothing:
            pass
        assert nothing.names == []
    finally:
        os.environ.pop("ESSMC_TEST_LIBRARY", None)
        for name in ("library_of_others", "pack_of_mine"):
            sys.modules.pop(name, None)
