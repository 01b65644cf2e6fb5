"""A class to inherit in a pack's tests: its zoo entries, and their models in small forms."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import pytest

from essmc_devkit.components import copying, entry, exporting, model
from essmc_devkit.components.check import Check, NotChecked
from essmc_devkit.testing.conforming import Conformance, flagged

_OF_MODELS: tuple[Check[Any], ...] = (
    *model.ALL,
    copying.deepcopied,
    copying.pickled,
    exporting.traced,
    exporting.exported,
)


class ZooConformance(Conformance):
    """Checks zoo entries: what they state, and that their models keep the contract.

    Attributes:
        entries: shell-style pattern of their names.
        pack: short name of the pack that they belong to; empty for all.
        narrow: what makes models small enough for a test, by pattern of their names: ``{"resnet*": {"overrides":
            {"model.backbone.depth": 2}, "input": [3, 32, 32]}}``. Of several patterns the longest counts.
        traces: whether the models can be traced; False, or the reason why not.
        exports: whether `torch.export` takes them; False, or the reason why not.
    """

    entries: ClassVar[str] = "*"
    pack: ClassVar[str] = ""
    narrow: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    traces: ClassVar[bool | str] = True
    exports: ClassVar[bool | str] = True

    @classmethod
    def all_cases(cls) -> Mapping[str, Any]:
        """Returns the entries by name."""
        from essmc_core import list_models

        return {name: name for name in list_models(cls.entries, pack=cls.pack or None)}

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of an entry."""
        patterns = [pattern for pattern in cls.narrow if fnmatchcase(case, pattern)]
        how = cls.narrow[max(patterns, key=len)] if patterns else {}
        return entry.EntrySubject(case, how.get("overrides"), how.get("input"))

    @classmethod
    def switched_off(cls) -> Mapping[str, str]:
        """Returns the checks that are left out, with reasons."""
        return {**flagged({"exporting.trace": cls.traces, "exporting.export": cls.exports}), **cls.without}

    def test_file_is_valid(self, subject: Any) -> None:
        """See `entry.file`."""
        self.conforms(entry.file, subject)

    def test_input_is_stated(self, subject: Any) -> None:
        """See `entry.input_section`."""
        self.conforms(entry.input_section, subject)

    def test_cost_is_measured(self, subject: Any) -> None:
        """See `entry.cost`."""
        self.conforms(entry.cost, subject)

    def test_labels_are_found(self, subject: Any) -> None:
        """See `entry.labels`."""
        self.conforms(entry.labels, subject)

    def test_weights_are_found(self, subject: Any) -> None:
        """See `entry.weights`."""
        self.conforms(entry.weights, subject)

    def test_weights_are_pinned(self, subject: Any) -> None:
        """See `entry.weights_pinned`."""
        self.conforms(entry.weights_pinned, subject)

    def test_weights_compute_what_is_stated(self, subject: Any) -> None:
        """See `entry.fingerprint`."""
        self.conforms(entry.fingerprint, subject)

    def test_licence_is_stated(self, subject: Any) -> None:
        """See `entry.licence`."""
        self.conforms(entry.licence, subject)

    @pytest.mark.parametrize("check", _OF_MODELS, ids=[check.name for check in _OF_MODELS])
    def test_model(self, check: Check[Any], subject: Any) -> None:
        """See `model`, `copying` and `exporting`."""
        try:
            small = subject.model
        except NotChecked as reason:
            pytest.skip(str(reason))
        self.conforms(check, small)
