"""Components whose first argument the solver gives them: parameters to an optimizer, an optimizer to a schedule."""

from __future__ import annotations

from typing import ClassVar

from essmc_core.registry.reading import live_signature
from essmc_devkit.components.check import NotChecked
from essmc_devkit.components.subject import Subject


class FirstArgumentSubject(Subject):
    """One of them.

    Attributes:
        given_first: what the argument is, for messages.
    """

    given_first: ClassVar[str]

    @property
    def argument(self) -> str:
        """Name of the first argument.

        Raises:
            NotChecked: it takes none.
        """
        parameters = live_signature(self.component).parameters
        if not parameters:
            raise NotChecked(f"it takes no {self.given_first}")
        return parameters[0].name
