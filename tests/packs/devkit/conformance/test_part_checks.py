"""Each check of heads, losses, metrics, transforms and data sets finds its fault, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from essmc_devkit.components import dataset, head, loss, metric, numpy_reference, refusals, transform
from essmc_devkit.components.module_subject import ModuleSubject
from tests.packs.devkit.conformance.broken_parts import FAULTS, SOUND

SUBJECTS = {
    "heads": lambda name: ModuleSubject("heads", {"type": name, "dim": 8, "num_classes": 5}, (8,)),
    "losses": loss.LossSubject,
    "metrics": metric.MetricSubject,
    "transforms": transform.TransformSubject,
    "datasets": dataset.DatasetSubject,
}
CHECKS = {
    "heads": (*head.ALL, refusals.width),
    "losses": loss.ALL,
    "metrics": metric.ALL,
    "transforms": transform.ALL,
    # A worker process costs seconds, and is started below.
    "datasets": [one for one in dataset.ALL if one is not dataset.workers],
}
CASES = [(kind, cls, name) for kind, faults in FAULTS.items() for cls, name in faults.items()]


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_part_passes_every_check(kind, register):
    subject = SUBJECTS[kind](register(kind, SOUND[kind]))
    findings = [finding for check in CHECKS[kind] for finding in check(subject)]
    unknown = {"loss.known-values", "metric.known-values"}
    assert [one for one in findings if one.status != "ok" and one.check not in unknown] == []


@pytest.mark.parametrize(("kind", "cls", "name"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_a_fault_is_found_by_its_check(kind, cls, name, register):
    subject = SUBJECTS[kind](register(kind, cls))
    check = next(one for one in (*CHECKS[kind], dataset.workers) if one.name == name)
    assert "failed" in [finding.status for finding in check(subject)]


@pytest.mark.parametrize("kind", FAULTS)
def test_each_check_has_a_fault(kind):
    assert {check.name for check in CHECKS[kind]} <= set(FAULTS[kind].values())


@pytest.mark.slow
def test_a_worker_process_reads_the_same_items(register):
    (finding,) = dataset.workers(dataset.DatasetSubject("MovingImages"))
    assert finding.status == "ok"


def test_known_values_of_a_class_are_compared(register):
    name = register("losses", SOUND["losses"])
    inputs = (torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    right, wrong = (loss.LossSubject(name, inputs, [(inputs, value)]) for value in (0.693147, 0.7))
    assert [finding.status for finding in loss.known_values(right)] == ["ok"]
    (finding,) = loss.known_values(wrong)
    assert "0.693147 where 0.7" in finding.message


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "binary_cross_entropy", "MSELoss", "l1"])
def test_references_in_numpy_are_those_of_torch(name):
    functional = torch.nn.functional
    scores, labels = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 3, 1, 1, 2, 0])
    rows = functional.one_hot(labels, 4).float()
    expected = {
        "CrossEntropyLoss": functional.cross_entropy(scores, labels),
        "binary_cross_entropy": functional.binary_cross_entropy_with_logits(scores, rows),
        "MSELoss": functional.mse_loss(scores, rows),
        "l1": functional.l1_loss(scores, rows),
    }[name]
    reference = numpy_reference.loss_for(name)
    assert reference is not None
    for targets in (labels, rows):
        np.testing.assert_allclose(reference(scores.numpy(), targets.numpy()), expected.item(), rtol=1e-5)
