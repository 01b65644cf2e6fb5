"""Classes to inherit in a pack's tests: backbones, heads and models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from essmc_devkit.components import backbone, head, model, refusals
from essmc_devkit.testing.components import ModuleConformance
from essmc_devkit.testing.conforming import flagged


class BackboneConformance(ModuleConformance):
    """Checks backbones: the uniform interface, and which inputs they refuse.

    Attributes:
        checkpoints: whether they have gradient checkpointing; False, or the reason why not.
    """

    kind = "backbones"
    checkpoints: ClassVar[bool | str] = True

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case: configuration and shape of the input."""
        from essmc_devkit.components.backbone_subject import BackboneSubject

        config, shape = case
        return BackboneSubject(cls.kind, config, shape)

    @classmethod
    def switched_off(cls) -> Mapping[str, str]:
        """Returns the checks that are left out, with reasons."""
        return {**super().switched_off(), **flagged({"backbone.checkpointing": cls.checkpoints}), **cls.without}

    def test_has_the_interface(self, subject: Any) -> None:
        """See `backbone.interface`."""
        self.conforms(backbone.interface, subject)

    def test_layout_is_that_of_its_input(self, subject: Any) -> None:
        """See `backbone.layout`."""
        self.conforms(backbone.layout, subject)

    def test_widths_are_those_of_its_output(self, subject: Any) -> None:
        """See `backbone.output`."""
        self.conforms(backbone.output, subject)

    def test_feature_info_is_true(self, subject: Any) -> None:
        """See `backbone.feature_info`."""
        self.conforms(backbone.feature_info, subject)

    def test_indices_select_features(self, subject: Any) -> None:
        """See `backbone.forward_features`."""
        self.conforms(backbone.forward_features, subject)

    def test_takes_or_refuses_other_channels(self, subject: Any) -> None:
        """See `backbone.in_chans`."""
        self.conforms(backbone.in_chans, subject)

    def test_num_frames_is_true(self, subject: Any) -> None:
        """See `backbone.num_frames`."""
        self.conforms(backbone.num_frames, subject)

    def test_inputs_do_not_see_each_other(self, subject: Any) -> None:
        """See `backbone.batch`."""
        self.conforms(backbone.batch, subject)

    def test_checkpointing_changes_no_gradient(self, subject: Any) -> None:
        """See `backbone.checkpointing`."""
        self.conforms(backbone.checkpointing, subject)

    def test_refuses_wrong_channels(self, subject: Any) -> None:
        """See `refusals.channels`."""
        self.conforms(refusals.channels, subject)

    def test_refuses_wrong_ranks(self, subject: Any) -> None:
        """See `refusals.rank`."""
        self.conforms(refusals.rank, subject)

    def test_refuses_other_number_types(self, subject: Any) -> None:
        """See `refusals.number_type`."""
        self.conforms(refusals.number_type, subject)

    def test_takes_or_refuses_tiny_inputs(self, subject: Any) -> None:
        """See `refusals.too_small`."""
        self.conforms(refusals.too_small, subject)

    def test_takes_or_refuses_odd_sizes(self, subject: Any) -> None:
        """See `refusals.odd_size`."""
        self.conforms(refusals.odd_size, subject)


class HeadConformance(ModuleConformance):
    """Checks heads: (N, dim) → (N, num_classes)."""

    kind = "heads"

    def test_gives_a_number_for_each_class(self, subject: Any) -> None:
        """See `head.scores`."""
        self.conforms(head.scores, subject)

    def test_works_in_both_modes(self, subject: Any) -> None:
        """See `head.modes`."""
        self.conforms(head.modes, subject)

    def test_states_its_classes(self, subject: Any) -> None:
        """See `head.classes`."""
        self.conforms(head.classes, subject)

    def test_refuses_other_features(self, subject: Any) -> None:
        """See `refusals.width`."""
        self.conforms(refusals.width, subject)


class NeckConformance(ModuleConformance):
    """Checks necks."""

    kind = "necks"


class ModelConformance(ModuleConformance):
    """Checks the contract between models and solvers, in train and test mode."""

    kind = "models"

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case: configuration and shape of the input."""
        from essmc_devkit.components.model_subject import ModelSubject

        config, shape = case
        return ModelSubject(config, shape)

    def test_is_a_train_module(self, subject: Any) -> None:
        """See `model.base`."""
        self.conforms(model.base, subject)

    def test_gives_an_output_in_test_mode(self, subject: Any) -> None:
        """See `model.test_mode`."""
        self.conforms(model.test_mode, subject)

    def test_gives_metrics_in_test_mode_with_labels(self, subject: Any) -> None:
        """See `model.test_mode_labels`."""
        self.conforms(model.test_mode_labels, subject)

    def test_gives_a_loss_in_train_mode(self, subject: Any) -> None:
        """See `model.train_mode`."""
        self.conforms(model.train_mode, subject)

    def test_gives_an_output_in_train_mode_without_labels(self, subject: Any) -> None:
        """See `model.train_mode_alone`."""
        self.conforms(model.train_mode_alone, subject)

    def test_losses_of_parts_combine(self, subject: Any) -> None:
        """See `model.normalizers`."""
        self.conforms(model.normalizers, subject)
