"""Arguments that configurations of EssentialMC2 state and nothing depends on."""

from __future__ import annotations


class _Anything:
    """Equals every value, for arguments that may be stated as anything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "anything"


_LAUNCHER = "leave it out: the launcher says which devices and processes there are"
_TRAINING = "leave it out: it is for training"
OF_SOLVERS = {"envs": (_Anything(), _LAUNCHER)}
OF_EVALUATION = {
    **OF_SOLVERS,
    **dict.fromkeys(
        ("optimizer", "lr_scheduler", "max_epochs", "num_folds", "eval_interval"), (_Anything(), _TRAINING)
    ),
}
