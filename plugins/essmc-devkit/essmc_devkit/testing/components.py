"""Classes to inherit in a pack's tests, for components of any kind and those that are torch modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from essmc_devkit.components import copying, declared, exporting, running, traces_left
from essmc_devkit.testing.conforming import Conformance, flagged


class ComponentConformance(Conformance):
    """Checks how components of a kind are declared.

    Attributes:
        kind: plural name of the registry.
        config: the name of the component, or a mapping with ``type`` and arguments. Several components go into
            ``cases``.
    """

    kind: ClassVar[str] = ""
    config: ClassVar[str | Mapping[str, Any] | None] = None

    @classmethod
    def all_cases(cls) -> Mapping[str, Any]:
        """Returns ``cases``, or ``config`` as the only one."""
        if cls.config is None:
            return cls.cases
        name = cls.config if isinstance(cls.config, str) else str(cls.config["type"])
        return {name: cls.single_case(), **cls.cases}

    @classmethod
    def single_case(cls) -> Any:
        """Returns the case that the attributes of the class state."""
        return cls.config

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case: a name or a mapping."""
        from essmc_devkit.components.subject import Subject

        return Subject(cls.kind, case)

    def test_target_can_be_imported(self, subject: Any) -> None:
        """See `declared.target`."""
        self.conforms(declared.target, subject)

    def test_source_states_the_signature(self, subject: Any) -> None:
        """See `declared.signature`."""
        self.conforms(declared.signature, subject)

    def test_annotations_are_plain(self, subject: Any) -> None:
        """See `declared.annotated`."""
        self.conforms(declared.annotated, subject)

    def test_no_argument_is_swallowed_or_shared(self, subject: Any) -> None:
        """See `declared.arguments`."""
        self.conforms(declared.arguments, subject)

    def test_docs_state_summary_and_shapes(self, subject: Any) -> None:
        """See `declared.docstring`."""
        self.conforms(declared.docstring, subject)

    def test_stub_is_valid(self, subject: Any) -> None:
        """See `declared.stub`."""
        self.conforms(declared.stub, subject)

    def test_can_be_built(self, subject: Any) -> None:
        """See `declared.builds`."""
        self.conforms(declared.builds, subject)

    def test_prints_nothing(self, subject: Any) -> None:
        """See `traces_left.output`."""
        self.conforms(traces_left.output, subject)

    def test_leaves_the_process_as_it_was(self, subject: Any) -> None:
        """See `traces_left.side_effects`."""
        self.conforms(traces_left.side_effects, subject)

    def test_fetches_and_writes_nothing(self, subject: Any) -> None:
        """See `traces_left.acts`."""
        self.conforms(traces_left.acts, subject)


class ModuleConformance(ComponentConformance):
    """Checks torch modules: copying, saving, exporting.

    Attributes:
        input_shape: shape of one input without the batch; found by trying where it is None.
        traces: whether it can be traced; False, or the reason why not.
        exports: whether `torch.export` takes it; False, or the reason why not.
        onnx: whether it can be written as ONNX; False, or the reason why not.
    """

    input_shape: ClassVar[Sequence[int] | None] = None
    traces: ClassVar[bool | str] = True
    exports: ClassVar[bool | str] = True
    onnx: ClassVar[bool | str] = True

    @classmethod
    def single_case(cls) -> Any:
        """Returns the case that the attributes of the class state."""
        return cls.config, cls.input_shape

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case: configuration and shape of the input."""
        from essmc_devkit.components.module_subject import ModuleSubject

        config, shape = case
        return ModuleSubject(cls.kind, config, shape)

    @classmethod
    def switched_off(cls) -> Mapping[str, str]:
        """Returns the checks that are left out, with reasons."""
        flags = {"exporting.trace": cls.traces, "exporting.export": cls.exports}
        onnx = cls.onnx if cls.exports is True else cls.exports
        return {**flagged({**flags, "exporting.onnx": onnx}), **cls.without}

    def test_runs(self, subject: Any) -> None:
        """See `running.runs`."""
        self.conforms(running.runs, subject)

    def test_leaves_its_input_as_it_is(self, subject: Any) -> None:
        """See `running.in_place`."""
        self.conforms(running.in_place, subject)

    def test_eval_mode_changes_no_state(self, subject: Any) -> None:
        """See `running.eval_state`."""
        self.conforms(running.eval_state, subject)

    def test_copies_compute_the_same(self, subject: Any) -> None:
        """See `copying.deepcopied`."""
        self.conforms(copying.deepcopied, subject)

    def test_pickles_compute_the_same(self, subject: Any) -> None:
        """See `copying.pickled`."""
        self.conforms(copying.pickled, subject)

    def test_new_processes_compute_the_same(self, subject: Any) -> None:
        """See `copying.spawned`."""
        self.conforms(copying.spawned, subject)

    def test_state_dict_has_the_same_keys_each_time(self, subject: Any) -> None:
        """See `copying.state_keys`."""
        self.conforms(copying.state_keys, subject)

    def test_state_dict_is_all_that_is_needed(self, subject: Any) -> None:
        """See `copying.state_round_trip`."""
        self.conforms(copying.state_round_trip, subject)

    def test_traces(self, subject: Any) -> None:
        """See `exporting.traced`."""
        self.conforms(exporting.traced, subject)

    def test_exports_with_any_batch(self, subject: Any) -> None:
        """See `exporting.exported`."""
        self.conforms(exporting.exported, subject)

    def test_is_written_as_onnx(self, subject: Any) -> None:
        """See `exporting.written_as_onnx`."""
        self.conforms(exporting.written_as_onnx, subject)
