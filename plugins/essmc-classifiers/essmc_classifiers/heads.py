"""Heads: from pooled features (N, dim) to one score per class, before any activation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from essmc_core import FeatureDim
from essmc_core.contract.heads import check_head_arguments
from essmc_core.contract.recording import is_tracing
from essmc_core.errors import ConfigError, InputError


class ClassifierHead(nn.Module):
    """Dropout, then the linear layer ``fc``: (N, dim) → (N, num_classes).

    Args:
        dim: width of the features; that of the backbone, if not given.
        num_classes: number of classes.
        dropout_rate: chance of dropping a feature, in [0, 1].

    Raises:
        ConfigError: a number of classes below 1, or a chance outside [0, 1].
    """

    def __init__(self, dim: FeatureDim, num_classes: int, dropout_rate: float = 0.0) -> None:
        super().__init__()
        check_head_arguments(self, (num_classes,), dropout_rate)
        self.dim = dim
        self.num_classes = num_classes
        self.dropout = nn.Dropout(dropout_rate)
        self.fc = nn.Linear(dim, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Returns raw scores (N, num_classes)."""
        _check_pooled(self, features, self.dim)
        scores: Tensor = self.fc(self.dropout(features))
        return scores


class VideoClassifierHead(nn.Module):
    """Dropout, then the linear layer ``out``: (N, dim) → (N, num_classes).

    Args:
        dim: width of the features; that of the backbone, if not given.
        num_classes: number of classes.
        dropout_rate: chance of dropping a feature, in [0, 1].

    Raises:
        ConfigError: a number of classes below 1, or a chance outside [0, 1].
    """

    def __init__(self, dim: FeatureDim, num_classes: int, dropout_rate: float = 0.5) -> None:
        super().__init__()
        check_head_arguments(self, (num_classes,), dropout_rate)
        self.dim = dim
        self.num_classes = num_classes
        self.dropout = nn.Dropout(dropout_rate)
        self.out = nn.Linear(dim, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Returns raw scores (N, num_classes)."""
        _check_pooled(self, features, self.dim)
        scores: Tensor = self.out(self.dropout(features))
        return scores


class TransformerHead(nn.Module):
    """Dropout, perhaps a hidden layer, then the linear layer ``linear``: (N, dim) → (N, num_classes).

    Args:
        dim: width of the features; that of the backbone, if not given.
        num_classes: number of classes.
        dropout_rate: chance of dropping a feature, in [0, 1].
        pre_logits: put a linear layer with tanh before the last one.

    Raises:
        ConfigError: a number of classes below 1, or a chance outside [0, 1].
    """

    def __init__(self, dim: FeatureDim, num_classes: int, dropout_rate: float = 0.5, pre_logits: bool = False) -> None:
        super().__init__()
        check_head_arguments(self, (num_classes,), dropout_rate)
        self.dim = dim
        self.num_classes = num_classes
        self.dropout = nn.Dropout(dropout_rate)
        self.pre_logits = _pre_logits(dim, pre_logits)
        self.linear = nn.Linear(dim, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Returns raw scores (N, num_classes)."""
        _check_pooled(self, features, self.dim)
        scores: Tensor = self.linear(self.pre_logits(self.dropout(features)))
        return scores


class VideoClassifierHeadx2(nn.Module):
    """One dropout, two linear layers: (N, dim) → (N, num_classes[0]) and (N, num_classes[1]).

    Args:
        dim: width of the features; that of the backbone, if not given.
        num_classes: number of classes of either task, e.g. verbs and nouns.
        dropout_rate: chance of dropping a feature, in [0, 1].

    Raises:
        ConfigError: ``num_classes`` is not two numbers above 0, or a chance is outside [0, 1].
    """

    def __init__(self, dim: FeatureDim, num_classes: Sequence[int], dropout_rate: float = 0.5) -> None:
        super().__init__()
        self.dim = dim
        self.num_classes = _two(self, num_classes)
        check_head_arguments(self, self.num_classes, dropout_rate)
        self.dropout = nn.Dropout(dropout_rate)
        self.linear1 = nn.Linear(dim, self.num_classes[0])
        self.linear2 = nn.Linear(dim, self.num_classes[1])

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the raw scores of both tasks."""
        _check_pooled(self, features, self.dim)
        features = self.dropout(features)
        return self.linear1(features), self.linear2(features)


class TransformerHeadx2(nn.Module):
    """One dropout, perhaps a hidden layer per task, two linear layers.

    (N, dim) → (N, num_classes[0]) and (N, num_classes[1]).

    Args:
        dim: width of the features; that of the backbone, if not given.
        num_classes: number of classes of either task, e.g. verbs and nouns.
        dropout_rate: chance of dropping a feature, in [0, 1].
        pre_logits: put a linear layer with tanh before each of the last ones.

    Raises:
        ConfigError: ``num_classes`` is not two numbers above 0, or a chance is outside [0, 1].
    """

    def __init__(
        self, dim: FeatureDim, num_classes: Sequence[int], dropout_rate: float = 0.5, pre_logits: bool = False
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_classes = _two(self, num_classes)
        check_head_arguments(self, self.num_classes, dropout_rate)
        self.dropout = nn.Dropout(dropout_rate)
        self.pre_logits1 = _pre_logits(dim, pre_logits)
        self.pre_logits2 = _pre_logits(dim, pre_logits)
        self.linear1 = nn.Linear(dim, self.num_classes[0])
        self.linear2 = nn.Linear(dim, self.num_classes[1])

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the raw scores of both tasks."""
        _check_pooled(self, features, self.dim)
        features = self.dropout(features)
        return self.linear1(self.pre_logits1(features)), self.linear2(self.pre_logits2(features))


def _pre_logits(dim: FeatureDim, wanted: bool) -> nn.Module:
    if not wanted:
        return nn.Identity()
    return nn.Sequential(OrderedDict(fc=nn.Linear(dim, dim), act=nn.Tanh()))


def _two(head: nn.Module, num_classes: Sequence[int]) -> tuple[int, int]:
    if isinstance(num_classes, int) or len(num_classes) != 2:
        raise ConfigError(
            f"{type(head).__name__} classifies twice, got num_classes={num_classes}",
            hint="give two numbers, e.g. [97, 300]",
        )
    first, second = num_classes
    return first, second


def _check_pooled(head: nn.Module, features: Tensor, dim: int) -> None:
    # While a model is traced only the rank is known as a number.
    if features.ndim == 2 and (is_tracing() or features.shape[1] == dim):
        return
    raise InputError(
        f"{type(head).__name__} takes features of shape (N, {dim}), got {tuple(features.shape)}",
        hint="pool them with the neck GlobalAveragePooling" if features.ndim > 2 else "set the head's dim",
    )
