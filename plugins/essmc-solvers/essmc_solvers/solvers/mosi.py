"""``MoSISolver``: training with the parameter groups of MoSI."""

from __future__ import annotations

from dataclasses import replace

from essmc_solvers.optimizers.parameter_groups import GroupRules, matches_any
from essmc_solvers.solvers.training import TrainValSolver

EMBEDDINGS = ("*embd*", "*cls_token*")
"""Names of learned positions and class tokens, which do not decay."""


class MoSISolver(TrainValSolver):
    """A `TrainValSolver` without weight decay on norm layers, position embeddings and class tokens.

    Norm layers are recognized by their class and embeddings by their names (``embd``, ``cls_token``). Huang et al.,
    "Self-supervised Motion Learning from Static Images", CVPR 2021.

    Args:
        bn_weight_decay: weight decay of norm layers' scales and shifts, 0 by default.
        no_decay: further patterns of parameter names without weight decay, e.g. ``*.bias``.
    """

    def group_rules(self, given: GroupRules) -> GroupRules:
        """Returns the rules with what MoSI leaves undecayed."""
        names = [name for name, _ in self.module.named_parameters()]
        there = [pattern for pattern in EMBEDDINGS if any(matches_any(name, [pattern]) for name in names)]
        decay = 0.0 if given.bn_weight_decay is None else given.bn_weight_decay
        return replace(given, bn_weight_decay=decay, no_decay=(*given.no_decay, *there))
