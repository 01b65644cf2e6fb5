"""What holds for all tests: fixtures of the devkit, and which tests are left out of the quick loop."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from essmc_devkit.testing.fixtures import new_site as new_site
from essmc_devkit.testing.fixtures import python as python
from essmc_devkit.testing.fixtures import site as site

# How long a case takes says how busy the machine is.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

SLOW = [Path(__file__).parent / name for name in ("end_to_end", "parity", "zoo")]
"""Folders whose tests run pages of documentation, other projects' networks, or every model."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves whole folders, and tests that start processes, out of the quick loop, before `-m` chooses.

    Of a class that states ``quick``, names of its cases, the quick loop runs those alone.
    """
    for item in items:
        runs_processes = "python" in getattr(item, "fixturenames", ())
        if runs_processes or any(item.path.is_relative_to(folder) for folder in SLOW) or not _is_quick(item):
            item.add_marker(pytest.mark.slow)


def _is_quick(item: pytest.Item) -> bool:
    tests, case = getattr(item, "cls", None), getattr(item, "callspec", None)
    quick = getattr(tests, "quick", None)
    if quick is None or case is None:
        return True
    if unknown := set(quick) - set(tests.all_cases()):
        raise pytest.UsageError(f"{item.path}: {tests.__name__}.quick names no case: {', '.join(sorted(unknown))}")
    return case.id in quick
