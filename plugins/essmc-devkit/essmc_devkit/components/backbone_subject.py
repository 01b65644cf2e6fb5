"""What is checked: a backbone, with the least input that it takes."""

from __future__ import annotations

from functools import cached_property

from torch import nn

from essmc_devkit.components.least_input import backbone_inputs, first_taken
from essmc_devkit.components.module_subject import ModuleSubject, wake
from essmc_devkit.components.small_arguments import smaller_variants


class BackboneSubject(ModuleSubject):
    """A backbone; where only its name is given, it is built for small inputs if its arguments allow that."""

    @cached_property
    def module(self) -> nn.Module:
        """The backbone in eval mode; checks leave it as it is."""
        if self.given.keys() - {"type"} or self.given_shape is not None:
            return self.checked_module()
        self.check_size()
        plain = self.config
        for variant in smaller_variants(self.component):
            self.config = {**plain, **variant}
            try:
                module: nn.Module = self.build().eval()
                self.given_shape = first_taken(module, backbone_inputs(module))
            # The next variant, at last the one without any such argument, may do.
            except Exception:
                continue
            return wake(module)
        self.config = plain
        return self.checked_module()

    @cached_property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input without the batch.

        Raises:
            NotChecked: none of the shapes that were tried is taken.
        """
        module = self.module
        return self.given_shape or first_taken(module, backbone_inputs(module))

    @property
    def is_video(self) -> bool:
        """Whether it takes clips."""
        return len(self.input_shape) == 4

    @property
    def channels_argument(self) -> str | None:
        """Name of the constructor's argument for the number of channels, None if it has none."""
        from essmc_core.registry.reading import live_signature

        signature = live_signature(self.component)
        names = ("in_chans", "num_input_channels", "in_channels")
        return next((name for name in names if signature.parameter(name) is not None), None)
