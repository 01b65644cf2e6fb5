"""Classes to inherit in a pack's tests: losses, metrics, transforms and data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from essmc_devkit.components import copying, dataset, loss, metric, running, transform
from essmc_devkit.testing.components import ComponentConformance


class _OnInputs(ComponentConformance):
    """What losses and metrics share.

    Attributes:
        inputs: what it is called with; scores (N, K) and class indices (N,) where it is None.
        known: pairs of inputs and what they give, computed without it. In ``cases`` each case is a configuration,
            or a mapping with ``config``, ``inputs`` and ``known``.
    """

    inputs: ClassVar[Sequence[Any] | None] = None
    known: ClassVar[Sequence[tuple[Sequence[Any], Any]]] = ()

    @classmethod
    def parts_of(cls, case: Any) -> tuple[Any, Any, Any]:
        """Returns configuration, inputs and known values of a case."""
        if isinstance(case, Mapping) and "config" in case:
            return case["config"], case.get("inputs", cls.inputs), case.get("known", ())
        return case, cls.inputs, cls.known

    def test_can_be_copied_and_pickled(self, subject: Any) -> None:
        """See `copying.objects`."""
        self.conforms(copying.objects, subject)

    def test_runs(self, subject: Any) -> None:
        """See `running.measures`."""
        self.conforms(running.measures, subject)


class LossConformance(_OnInputs):
    """Checks losses."""

    kind = "losses"

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case."""
        return loss.LossSubject(*cls.parts_of(case))

    def test_is_one_number_with_a_gradient(self, subject: Any) -> None:
        """See `loss.scalar`."""
        self.conforms(loss.scalar, subject)

    def test_has_known_values(self, subject: Any) -> None:
        """See `loss.known_values`."""
        self.conforms(loss.known_values, subject)

    def test_leaves_its_input_as_it_is(self, subject: Any) -> None:
        """See `loss.in_place`."""
        self.conforms(loss.in_place, subject)

    def test_does_not_depend_on_the_order(self, subject: Any) -> None:
        """See `loss.order`."""
        self.conforms(loss.order, subject)

    def test_ignores_what_it_says(self, subject: Any) -> None:
        """See `loss.ignored_labels`."""
        self.conforms(loss.ignored_labels, subject)

    def test_reductions_agree(self, subject: Any) -> None:
        """See `loss.reduction`."""
        self.conforms(loss.reduction, subject)

    def test_parts_of_a_batch_combine(self, subject: Any) -> None:
        """See `loss.parts`."""
        self.conforms(loss.parts, subject)


class MetricConformance(_OnInputs):
    """Checks metrics."""

    kind = "metrics"

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case."""
        return metric.MetricSubject(*cls.parts_of(case))

    def test_gives_plain_numbers(self, subject: Any) -> None:
        """See `metric.values`."""
        self.conforms(metric.values, subject)

    def test_has_known_values(self, subject: Any) -> None:
        """See `metric.known_values`."""
        self.conforms(metric.known_values, subject)

    def test_does_not_depend_on_the_order(self, subject: Any) -> None:
        """See `metric.order`."""
        self.conforms(metric.order, subject)

    def test_ignores_what_it_says(self, subject: Any) -> None:
        """See `metric.ignored_labels`."""
        self.conforms(metric.ignored_labels, subject)


class TransformConformance(ComponentConformance):
    """Checks transforms; `item` makes what they are called with, where the usual kinds of item do not fit."""

    kind = "transforms"

    @classmethod
    def item(cls) -> Any:
        """Returns what the transforms are called with; `NotImplemented`: an item is found by trying."""
        return NotImplemented

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case."""
        return transform.TransformSubject(case, None if cls.item() is NotImplemented else cls.item)

    def test_does_the_same_under_a_seed(self, subject: Any) -> None:
        """See `transform.seeded`."""
        self.conforms(transform.seeded, subject)

    def test_leaves_its_input_as_it_is(self, subject: Any) -> None:
        """See `transform.in_place`."""
        self.conforms(transform.in_place, subject)

    def test_pickles_do_the_same(self, subject: Any) -> None:
        """See `transform.pickled`."""
        self.conforms(transform.pickled, subject)


class DatasetConformance(ComponentConformance):
    """Checks data sets; `make_config` returns a configuration whose files exist, where an attribute cannot."""

    kind = "datasets"

    @classmethod
    def make_config(cls, case: Any) -> Any:
        """Returns the configuration of a case."""
        return case

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case."""
        return dataset.DatasetSubject(cls.make_config(case))

    def test_has_the_items_that_it_says(self, subject: Any) -> None:
        """See `dataset.items`."""
        self.conforms(dataset.items, subject)

    def test_reads_an_item_twice_alike(self, subject: Any) -> None:
        """See `dataset.repeated`."""
        self.conforms(dataset.repeated, subject)

    def test_worker_processes_read_the_same(self, subject: Any) -> None:
        """See `dataset.workers`."""
        self.conforms(dataset.workers, subject)

    def test_items_make_batches(self, subject: Any) -> None:
        """See `dataset.batches`."""
        self.conforms(dataset.batches, subject)
