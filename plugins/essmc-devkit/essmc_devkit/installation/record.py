"""Checks that the files of a distribution are those that were installed."""

from __future__ import annotations

from collections.abc import Iterator

from essmc_core.installation.record import compare_with_record
from essmc_devkit.installation.check import check
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.problem import Problem

_MOST = 3


@check("installation.record")
def record(pack: PackUnderTest) -> Iterator[Problem]:
    """Every file is as RECORD says."""
    found = compare_with_record(pack.info)
    for difference in found[:_MOST]:
        detail = f" ({difference.detail})" if difference.detail else ""
        yield Problem(f"{difference.path} is {difference.fault}{detail}", f"pip install --force-reinstall {pack.name}")
    if len(found) > _MOST:
        yield Problem(f"{len(found) - _MOST} more files differ from RECORD", "`essmc packs --verify` lists them")
