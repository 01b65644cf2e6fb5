"""Classes to inherit in a pack's tests: hooks, optimizers, schedules, engines and frame samplers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from essmc_devkit.components import copying, engine, hook, optimizer, sampler, schedule
from essmc_devkit.testing.components import ComponentConformance


class HookConformance(ComponentConformance):
    """Checks hooks of solvers."""

    kind = "hooks"

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case."""
        return hook.HookSubject(case)

    def test_takes_part_in_events(self, subject: Any) -> None:
        """See `hook.events`."""
        self.conforms(hook.events, subject)

    def test_has_a_priority(self, subject: Any) -> None:
        """See `hook.priority`."""
        self.conforms(hook.priority, subject)

    def test_state_is_taken_up(self, subject: Any) -> None:
        """See `hook.state`."""
        self.conforms(hook.state, subject)

    def test_settings_are_plain_data(self, subject: Any) -> None:
        """See `hook.settings`."""
        self.conforms(hook.settings, subject)

    def test_can_be_copied_and_pickled(self, subject: Any) -> None:
        """See `copying.objects`."""
        self.conforms(copying.objects, subject)


class OptimizerConformance(ComponentConformance):
    """Checks optimizers; the parameters are added as the first argument."""

    kind = "optimizers"

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case."""
        return optimizer.OptimizerSubject(case)

    def test_lowers_the_loss(self, subject: Any) -> None:
        """See `optimizer.lowers_the_loss`."""
        self.conforms(optimizer.lowers_the_loss, subject)

    def test_goes_by_the_rates_of_groups(self, subject: Any) -> None:
        """See `optimizer.rates`."""
        self.conforms(optimizer.rates, subject)

    def test_state_is_all_that_is_needed(self, subject: Any) -> None:
        """See `optimizer.state`."""
        self.conforms(optimizer.state, subject)


class ScheduleConformance(ComponentConformance):
    """Checks schedules of learning rates; an optimizer is added as the first argument."""

    kind = "lr_schedulers"

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case."""
        return schedule.ScheduleSubject(case)

    def test_rates_are_sane(self, subject: Any) -> None:
        """See `schedule.sane_rates`."""
        self.conforms(schedule.sane_rates, subject)

    def test_state_is_all_that_is_needed(self, subject: Any) -> None:
        """See `schedule.state`."""
        self.conforms(schedule.state, subject)


class EngineConformance(ComponentConformance):
    """Checks engines on a small network; those that cannot run here are skipped."""

    kind = "engines"

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case."""
        return engine.EngineSubject(case)

    def test_is_an_engine(self, subject: Any) -> None:
        """See `engine.base`."""
        self.conforms(engine.base, subject)

    def test_leaves_the_model_as_it_is(self, subject: Any) -> None:
        """See `engine.model`."""
        self.conforms(engine.model, subject)

    def test_computes_the_same(self, subject: Any) -> None:
        """See `engine.outputs`."""
        self.conforms(engine.outputs, subject)

    def test_outputs_stay_as_they_are(self, subject: Any) -> None:
        """See `engine.kept_outputs`."""
        self.conforms(engine.kept_outputs, subject)

    def test_takes_the_batches_that_it_says(self, subject: Any) -> None:
        """See `engine.batches`."""
        self.conforms(engine.batches, subject)

    def test_returns_float32(self, subject: Any) -> None:
        """See `engine.precisions`."""
        self.conforms(engine.precisions, subject)


class SamplerConformance(ComponentConformance):
    """Checks frame samplers.

    Attributes:
        arguments: what they take beyond frames in the video, frames per second and frames to choose; found by their
            names where it is None. In ``cases`` each case is a configuration, or a mapping with ``config`` and
            ``arguments``.
    """

    kind = "frame_samplers"
    arguments: ClassVar[Sequence[Any] | None] = None

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case."""
        if isinstance(case, Mapping) and "config" in case:
            return sampler.SamplerSubject(case["config"], case.get("arguments", cls.arguments))
        return sampler.SamplerSubject(case, cls.arguments)

    def test_chooses_frames_of_the_video(self, subject: Any) -> None:
        """See `sampler.frames`."""
        self.conforms(sampler.frames, subject)

    def test_chooses_the_same_under_a_seed(self, subject: Any) -> None:
        """See `sampler.seeded`."""
        self.conforms(sampler.seeded, subject)

    def test_can_be_copied_and_pickled(self, subject: Any) -> None:
        """See `copying.objects`."""
        self.conforms(copying.objects, subject)
