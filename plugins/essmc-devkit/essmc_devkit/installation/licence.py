"""Checks that a distribution states its licence and holds its text."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from essmc_devkit.installation.check import check
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.problem import Problem

_STATE = 'set `license = "Apache-2.0"`, an SPDX expression, in [project]'
_NAMES = ("license", "licence", "copying", "notice")


@check("installation.licence")
def licence(pack: PackUnderTest) -> Iterator[Problem]:
    """Its metadata states an SPDX expression, and its files include the text."""
    fields = pack.fields
    expression = str(fields.get("License-Expression") or "").strip()
    older = str(fields.get("License") or "").strip()
    classifiers = [one for one in fields.get_all("Classifier") or () if str(one).startswith("License ::")]
    if expression:
        if not _is_spdx(expression):
            yield Problem(f"its licence {expression!r} is no SPDX expression", _STATE)
    elif older and older != "UNKNOWN" and _is_spdx(older):
        yield Problem("its licence is in the old field License alone", _STATE, "warning")
    elif classifiers:
        yield Problem(f"its licence is in the classifier {classifiers[0]!r} alone", _STATE, "warning")
    else:
        yield Problem("it states no licence, so nobody may use it", _STATE)
    if not any(name.lower().startswith(_NAMES) for name in _files(pack)):
        yield Problem(
            "it holds no text of its licence",
            'put a file LICENSE beside pyproject.toml, and `license-files = ["LICENSE"]`',
        )


def _files(pack: PackUnderTest) -> Iterator[str]:
    yield from (path.name for path in pack.info.rglob("*") if path.is_file())


def _is_spdx(text: str) -> bool:
    try:
        canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return False
    return True
