"""Checks of what a pack registers: one small function each, used by `essmc check` and by the classes for tests."""

from essmc_devkit.components.checking import check_component, check_entry

__all__ = ["check_component", "check_entry"]
