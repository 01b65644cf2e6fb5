"""Necks, heads, losses and metrics of the classifiers, each on its own."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from essmc_core import HEADS, LOSSES, METRICS, NECKS
from essmc_core.errors import ConfigError, InputError, SchemaError


@pytest.mark.parametrize(("dim", "shape"), [(1, (2, 3, 5)), (2, (2, 3, 4, 5)), (3, (2, 3, 2, 4, 5))])
def test_pooling_is_the_mean_over_positions(dim: int, shape: tuple[int, ...]) -> None:
    neck, features = NECKS.build("GlobalAveragePooling", dim=dim), torch.randn(shape)
    torch.testing.assert_close(neck(features), features.mean(dim=tuple(range(2, dim + 2))))
    assert neck(torch.ones(2, 3)).shape == (2, 3)
    pooled = neck((features, features * 2))
    assert isinstance(pooled, tuple)
    torch.testing.assert_close(pooled[1], 2 * pooled[0])


def test_pooling_refuses_features_of_another_rank() -> None:
    with pytest.raises(InputError, match="set dim to 3"):
        NECKS.build("GlobalAveragePooling")(torch.zeros(2, 3, 4, 5, 5))
    with pytest.raises(ConfigError, match="dim=4"):
        NECKS.build("GlobalAveragePooling", dim=4)


def test_identity_returns_its_input() -> None:
    features = (torch.zeros(1), "anything")
    assert NECKS.build("Identity")(features) is features


SINGLE = {"ClassifierHead": "fc", "VideoClassifierHead": "out", "TransformerHead": "linear"}


@pytest.mark.parametrize(("name", "layer"), SINGLE.items())
def test_single_heads(name: str, layer: str) -> None:
    head = HEADS.build(name, dim=4, num_classes=3).eval()
    assert {key: tuple(value.shape) for key, value in head.state_dict().items()} == {
        f"{layer}.weight": (3, 4),
        f"{layer}.bias": (3,),
    }
    features = torch.randn(2, 4)
    torch.testing.assert_close(head(features), nn.functional.linear(features, *head.state_dict().values()))


@pytest.mark.parametrize("name", ["VideoClassifierHeadx2", "TransformerHeadx2"])
@pytest.mark.parametrize("kind", [list, tuple])
def test_two_way_heads_take_any_sequence(name: str, kind: type) -> None:
    head = HEADS.build(name, dim=4, num_classes=kind([3, 5]))
    assert head.state_dict().keys() == {"linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"}
    assert [scores.shape for scores in head(torch.randn(2, 4))] == [(2, 3), (2, 5)]
    assert [scores.shape for scores in HEADS[name](4, kind([3, 5]))(torch.randn(2, 4))] == [(2, 3), (2, 5)]


@pytest.mark.parametrize("name", ["VideoClassifierHeadx2", "TransformerHeadx2"])
@pytest.mark.parametrize("num_classes", [(3,), (3, 4, 5)])
def test_two_way_heads_refuse_other_numbers_of_tasks(name: str, num_classes: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="two numbers"):
        HEADS.build(name, dim=4, num_classes=num_classes)


@pytest.mark.parametrize("name", [*SINGLE, "MoSIHead", "VideoClassifierHeadx2", "TransformerHeadx2"])
@pytest.mark.parametrize("count", [0, -1])
def test_heads_refuse_to_have_no_class_and_impossible_chances(name: str, count: int) -> None:
    two = name.endswith("x2")
    with pytest.raises(ConfigError, match=f"{name} needs at least 1 class, got num_classes="):
        HEADS.build(name, dim=4, num_classes=[3, count] if two else count)
    for rate in (2, -0.1):
        with pytest.raises(ConfigError, match=f"dropout_rate={rate}"):
            HEADS.build(name, dim=4, num_classes=[3, 5] if two else 3, dropout_rate=rate)


def test_transformer_head_with_pre_logits() -> None:
    head = HEADS.build("TransformerHead", dim=4, num_classes=3, pre_logits=True).eval()
    assert {"pre_logits.fc.weight", "linear.weight"} <= head.state_dict().keys()
    features = torch.randn(2, 4)
    torch.testing.assert_close(head(features), head.linear(torch.tanh(head.pre_logits.fc(features))))
    twice = HEADS.build("TransformerHeadx2", dim=4, num_classes=(3, 5), pre_logits=True)
    assert {"pre_logits1.fc.weight", "pre_logits2.fc.bias"} <= twice.state_dict().keys()


@pytest.mark.parametrize(
    ("name", "rate"),
    [("ClassifierHead", 0.0), ("VideoClassifierHead", 0.5), ("TransformerHead", 0.5)],
)
def test_default_dropout(name: str, rate: float) -> None:
    assert HEADS.build(name, dim=4, num_classes=3).dropout.p == rate


@pytest.mark.parametrize("name", SINGLE)
def test_heads_refuse_features_that_are_not_pooled(name: str) -> None:
    head = HEADS.build(name, dim=4, num_classes=3)
    with pytest.raises(InputError, match="GlobalAveragePooling"):
        head(torch.zeros(2, 4, 1, 1))
    with pytest.raises(InputError, match="dim"):
        head(torch.zeros(2, 5))


@pytest.mark.parametrize(
    "arguments",
    [{}, {"weight": [0.5, 1.0, 2.0]}, {"ignore_index": 1}, {"reduction": "sum"}, {"label_smoothing": 0.1}],
)
def test_cross_entropy_is_that_of_torch(arguments: dict[str, Any]) -> None:
    scores, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    weight = arguments.get("weight")
    reference = nn.CrossEntropyLoss(**{**arguments, "weight": None if weight is None else torch.tensor(weight)})
    torch.testing.assert_close(
        LOSSES.build({"type": "CrossEntropy", **arguments})(scores, labels), reference(scores, labels)
    )


def test_cross_entropy_follows_its_model_in_type_and_refuses_misspelt_arguments() -> None:
    loss = LOSSES.build("CrossEntropy", weight=(1, 2)).double()
    assert loss(torch.zeros(2, 2, dtype=torch.float64), torch.tensor([0, 1])).dtype == torch.float64
    with pytest.raises(SchemaError, match="smoothing"):
        LOSSES.build("CrossEntropy", smoothing=0.1)


def test_cross_entropy_takes_torch_s_former_arguments_where_they_say_nothing() -> None:
    assert LOSSES.build({"type": "CrossEntropy", "size_average": None, "reduce": None}).reduction == "mean"
    with pytest.raises(SchemaError, match=r"takes size_average no more, other than as None.* \(set reduction to"):
        LOSSES.build({"type": "CrossEntropy", "size_average": False})


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.uint8])
def test_labels_of_any_whole_type_are_those_of_torch(dtype: torch.dtype) -> None:
    scores, labels = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    loss, expected = LOSSES.build("CrossEntropy"), functional.cross_entropy(scores, labels)
    rows = functional.one_hot(labels, 3).to(dtype)
    for targets in (labels.to(dtype), rows):
        torch.testing.assert_close(loss(scores, targets), expected)
        assert float(loss.normalizer(scores, targets)) == 4
    binary = LOSSES.build("BinaryCrossEntropy")
    torch.testing.assert_close(binary(scores, labels.to(dtype)), binary(scores, rows))


@pytest.mark.parametrize(
    ("loss", "shape", "message"),
    [
        ({"type": "CrossEntropy", "weight": [1.0, 2.0]}, (4,), "weight of CrossEntropy has 2 numbers for 3 classes"),
        ({"type": "BinaryCrossEntropy", "pos_weight": [1.0, 2.0]}, (4,), "pos_weight .* 2 numbers for 3 classes"),
        ("CrossEntropy", (4, 1), r"\(4, 3\) and \(4, 1\)"),
        ("BinaryCrossEntropy", (4, 4), r"\(4, 3\) and \(4, 4\)"),
    ],
)
def test_losses_refuse_what_does_not_go_with_the_scores(loss: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LOSSES.build(loss)(torch.randn(4, 3), torch.zeros(shape, dtype=torch.long))


def test_binary_cross_entropy_of_indices_is_that_of_one_hot_targets() -> None:
    loss = LOSSES.build("BinaryCrossEntropy", pos_weight=[1.0, 2.0, 3.0])
    scores, labels = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    torch.testing.assert_close(loss(scores, labels), loss(scores, nn.functional.one_hot(labels, 3)))


scores_and_labels = st.integers(2, 7).flatmap(
    lambda classes: st.tuples(
        st.just(classes), st.lists(st.integers(0, classes - 1), min_size=1, max_size=9), st.integers(0, 99)
    )
)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(scores_and_labels)
def test_accuracy_by_rank_of_the_true_class(case: tuple[int, list[int], int]) -> None:
    classes, labels, seed = case
    scores = torch.randn(len(labels), classes, generator=torch.Generator().manual_seed(seed))
    topk = tuple(range(1, classes + 1))
    found = METRICS.build("accuracy", topk=topk)(scores, torch.tensor(labels))
    ranks = [int((row > row[label]).sum()) for row, label in zip(scores, labels, strict=True)]
    for k in topk:
        assert found[f"acc@{k}"].item() == pytest.approx(np.mean([rank < k for rank in ranks]))
    one_hot = nn.functional.one_hot(torch.tensor(labels), classes)
    assert METRICS.build("accuracy", topk=topk)(scores, one_hot) == found


def test_accuracy_of_more_places_than_classes_is_one_and_warns_once() -> None:
    metric = METRICS.build("accuracy", topk=(1, 5))
    with pytest.warns(UserWarning, match="top-5 accuracy of 2 classes"):
        found = metric(torch.tensor([[0.9, 0.1]]), torch.tensor([1]))
    assert {key: value.item() for key, value in found.items()} == {"acc@1": 0, "acc@5": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metric(torch.tensor([[0.9, 0.1]]), torch.tensor([1]))


def test_accuracy_takes_numpy_arrays_a_single_k_and_a_prefix() -> None:
    found = METRICS.build("accuracy", topk=2)(np.array([[0.1, 0.7, 0.2]]), np.array([2]), prefix="verb")
    assert found == {"verb@2": 1}


def test_accuracy_of_several_labels_asks_for_one_hit_and_misses_without_labels() -> None:
    scores = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    targets = torch.tensor([[1, 0, 1], [0, 1, 1], [0, 0, 0]])
    found = METRICS.build("accuracy", topk=(1, 2, 3))(scores, targets)
    assert [round(3 * value.item()) for value in found.values()] == [1, 2, 2]


@pytest.mark.parametrize("labels", [torch.zeros(3), torch.zeros(2, 4)])
def test_accuracy_refuses_labels_of_another_shape(labels: Tensor) -> None:
    with pytest.raises(InputError, match="scores"):
        METRICS.build("accuracy")(torch.zeros(2, 3), labels)


@pytest.mark.parametrize("topk", [0, (), (1, -1)])
def test_accuracy_refuses_impossible_places(topk: Any) -> None:
    with pytest.raises(ConfigError, match="topk"):
        METRICS.build("accuracy", topk=topk)


VIEWS = torch.tensor([[0.6, 0.4, 0.0], [0.5, 0.1, 0.4], [0.0, 0.9, 0.1], [0.2, 0.7, 0.1]])


# Item "a" has views 0 and 2: on average class 1 wins, and so it does by maximum; item "b" has views 1 and 3.
@pytest.mark.parametrize(("method", "expected"), [("avg", 1.0), ("max", 0.5)])
def test_views_of_an_item_are_merged(method: str, expected: float) -> None:
    views = torch.tensor([[0.60, 0.40, 0.0], [0.40, 0.30, 0.3], [0.0, 0.9, 0.1], [0.40, 0.45, 0.15]])
    labels = torch.tensor([1, 0, 1, 0])
    metric = METRICS.build("ensemble_accuracy", ensemble_method=method)
    assert metric(views, labels, ["a", "b", "a", "b"]) == {"acc@1": expected}
    order = torch.tensor([3, 0, 2, 1])
    assert metric(views[order].numpy(), labels[order], order % 2) == {"acc@1": expected}


def test_views_that_contradict_each_other_are_refused() -> None:
    metric = METRICS.build("ensemble_accuracy")
    with pytest.raises(InputError, match="different labels"):
        metric(VIEWS, torch.tensor([0, 1, 2, 1]), ["a", "b", "a", "b"])
    with pytest.raises(InputError, match="3 keys for 4 views"):
        metric(VIEWS, torch.tensor([0, 1, 0, 1]), ["a", "b", "a"])
    with pytest.raises((ConfigError, SchemaError), match="median"):
        METRICS.build("ensemble_accuracy", ensemble_method="median")
