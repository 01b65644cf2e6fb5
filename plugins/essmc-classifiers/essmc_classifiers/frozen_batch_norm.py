"""Freezing of batch norms: statistics and affine parameters stay as they are."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def freeze_batch_norms(model: nn.Module) -> None:
    """Puts every batch norm of a model in eval mode and stops gradients of its scale and shift.

    Covers one to three dimensions, synchronised ones and every subclass. A later ``model.train()`` would put them back
    in train mode, so call it after each.
    """
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
            module.requires_grad_(False)
