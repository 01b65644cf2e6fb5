"""Optimizers and schedules of timm, under their names there."""
