"""Optimizers, schedules and the groups of parameters that they are built with."""
