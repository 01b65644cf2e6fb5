"""The quick comparison of version ranges agrees with `packaging`."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from essmc_core.discovery.compatibility import accepts

numbers = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
clauses = st.tuples(st.sampled_from([">=", "<=", "<", ">", "==", "!=", "~="]), numbers).map("".join)


@given(st.lists(clauses, max_size=3), numbers)
@example([">=0.1", "<1"], "0.1.0")
@example(["<1.0"], "1")
@example(["<=1.0.0"], "1.0")
def test_quick_answer_is_that_of_packaging(parts, version):
    specifiers = [part for part in parts if not (part.startswith("~=") and "." not in part)]
    requirement = "essmc-core" + ",".join(specifiers)
    assert accepts(requirement, version) == Requirement(requirement).specifier.contains(version, prereleases=True)
