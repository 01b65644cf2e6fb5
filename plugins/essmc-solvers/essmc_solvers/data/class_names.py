"""Classes compared by name: labels of evaluation data are renumbered as those of the training data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from essmc_solvers.errors import DataError, LabelError

_SHOWN = 8
_REMEMBERED = "trained_class_names"


@dataclass(frozen=True)
class KnownClasses:
    """The names of a model's classes.

    Attributes:
        names: in the order of the model's outputs.
        origin: who says so, for messages: ``the train data``.
        from_training: whether they are names that the model was trained by. Published ones often differ from those of
            folders, so that a dataset's own ``classes``, given by hand and as many, may stand in their place.
    """

    names: tuple[str, ...]
    origin: str
    from_training: bool = True


def class_names(dataset: Any) -> tuple[str, ...]:
    """Returns the names of a dataset's classes in the order of their numbers, empty where it has none.

    Args:
        dataset: whose ``classes`` are asked for, or those of what it wraps: ``dataset``, as `torch.utils.data.Subset`
            has it, or ``datasets``.

    Raises:
        DataError: wrapped datasets number their classes differently.
    """
    own = getattr(dataset, "classes", None)
    if isinstance(own, Sequence) and not isinstance(own, str) and len(own):
        return tuple(str(name) for name in own)
    found = {class_names(part) for part in _parts(dataset)} - {()}
    if len(found) > 1:
        first, second, *_ = sorted(found)
        raise DataError(f"datasets that are taken together number their classes differently: {_compare(first, second)}")
    return next(iter(found), ())


def remember_classes(model: nn.Module, names: tuple[str, ...]) -> None:
    """Lets a model know the names that it is trained by; they are no part of its state dict."""
    model.__dict__[_REMEMBERED] = names


def remembered_classes(model: nn.Module) -> tuple[str, ...]:
    """Returns the names that a model was trained by in this process, empty where it was not."""
    names: tuple[str, ...] = model.__dict__.get(_REMEMBERED, ())
    return names


def _parts(dataset: Any) -> list[Any]:
    inner = getattr(dataset, "datasets", None)
    if isinstance(inner, Mapping):
        return list(inner.values())
    if isinstance(inner, (list, tuple)):
        return list(inner)
    wrapped = getattr(dataset, "dataset", None)
    return [] if wrapped is None or wrapped is dataset else [wrapped]


def _are_given(dataset: Any) -> bool:
    """Returns whether the user numbered all of a dataset's classes by hand."""
    parts = _parts(dataset)
    return all(map(_are_given, parts)) if parts else bool(getattr(dataset, "classes_given", False))


def map_classes(known: KnownClasses | None, dataset: Any, name: str, head: int | None) -> ClassMap | None:
    """Returns how to renumber a dataset's labels, None where they are the model's already.

    Args:
        known: the model's classes; None where nobody names them.
        dataset: what is evaluated.
        name: of the data, for messages.
        head: classes of the model's output, None where that is not known.

    Raises:
        DataError: a class is not among the model's, or there is no telling which of the model's classes it is.
    """
    own = class_names(dataset)
    if not own or (known is not None and own == known.names):
        return None
    if known is None:
        if head is not None and len(own) < head and not _are_given(dataset):
            raise DataError(
                f"the {name} data name {len(own)} classes, and nobody names the {head} of the model: which are they?",
                hint="Give the dataset all of them as `classes`, or the configuration as `labels`, in their order.",
            )
        return None
    if not known.from_training and _are_given(dataset) and len(own) == len(known.names):
        return None
    numbers = {label: number for number, label in enumerate(known.names)}
    unclear = {label for label, count in Counter(known.names).items() if count > 1}
    if any(label not in numbers or label in unclear for label in own):
        raise DataError(
            f"the classes of the {name} data are not those of {known.origin}: {_compare(own, known.names, unclear)}",
            hint="Rename the folders or labels; or name the model's classes as the data do, in their order, by "
            "`labels:` in the configuration.",
        )
    return ClassMap(torch.tensor([numbers[label] for label in own]), len(known.names))


def _compare(own: Sequence[str], names: Sequence[str], unclear: AbstractSet[str] = frozenset()) -> str:
    told = [f"unknown: {_listed(set(own) - set(names))}", f"missing: {_listed(set(names) - set(own))}"]
    if unclear & set(own):
        told.append(f"named twice: {_listed(unclear & set(own))}")
    return "; ".join(told)


def _listed(names: AbstractSet[str]) -> str:
    shown = sorted(names)[:_SHOWN]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(map(repr, shown)) + more or "none"


@dataclass(frozen=True)
class ClassMap:
    """The model's number of each class of a dataset.

    Attributes:
        numbers: the model's number of each of the dataset's classes (K,).
        count: classes of the model.
    """

    numbers: Tensor
    count: int

    def renumber(self, labels: Any) -> Any:
        """Returns labels in the model's numbers.

        Args:
            labels: class indices (N,), negative ones of which stay, or one column a class (N, K); anything else stays.

        Raises:
            LabelError: an index is none of the dataset's classes.
        """
        if not isinstance(labels, Tensor):
            return labels
        numbers = self.numbers.to(labels.device)
        if labels.ndim == 2 and labels.shape[1] == len(numbers):
            spread = labels.new_zeros(len(labels), self.count)
            spread[:, numbers] = labels
            return spread
        if labels.ndim != 1 or labels.is_floating_point() or labels.dtype == torch.bool:
            return labels
        beyond = labels[labels >= len(numbers)]
        if len(beyond):
            raise LabelError(f"label {int(beyond[0])} is none of the {len(numbers)} classes that the data name")
        return torch.where(labels < 0, labels, numbers[labels.long().clamp(min=0)].to(labels.dtype))
