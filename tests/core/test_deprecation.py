"""What goes warns once at the line that uses it, with what to use and when it goes."""

from __future__ import annotations

import inspect
import sys
import types
import warnings

import pytest

from essmc_core.errors import CoreDeprecationWarning
from essmc_core.foundation.deprecation import deprecated, moved, renamed_argument


@deprecated(instead="essmc_core.new_function", removal="9.1")
def old_function(number: int) -> int:
    """Returns the next number."""
    return number + 1


@deprecated(instead="NewClass", removal="9.1")
class OldClass:
    def __init__(self, number: int = 0) -> None:
        self.number = number


@renamed_argument("size", "length", removal="9.1")
def measured(name: str, length: int = 1) -> str:
    """Returns both."""
    return f"{name} {length}"


def line_of(*_: object) -> int:
    return sys._getframe(1).f_lineno


def caught_by(use):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        value = use()
    return value, caught


def test_a_function_works_and_says_what_to_use_at_the_line_of_its_caller():
    value, (warning,) = caught_by(lambda: (old_function(number=1), line_of()))
    assert value[0] == 2
    assert warning.category is CoreDeprecationWarning
    assert (warning.filename, warning.lineno) == (__file__, value[1])
    message = str(warning.message)
    assert message.endswith("old_function is deprecated and goes in essmc-core 9.1; use essmc_core.new_function")
    assert old_function.__doc__ == "Returns the next number."
    assert list(inspect.signature(old_function).parameters) == ["number"]


def test_a_line_in_a_loop_warns_once():
    values, caught = caught_by(lambda: [old_function(number) for number in range(5)])
    assert values == [1, 2, 3, 4, 5]
    assert len(caught) == 1
    _, caught = caught_by(lambda: [measured("a", size=number) for number in range(5)])  # type: ignore[call-arg]
    assert len(caught) == 1


def test_a_class_stays_a_class():
    value, (warning,) = caught_by(lambda: OldClass(3))
    assert isinstance(value, OldClass) and value.number == 3
    assert "use NewClass" in str(warning.message) and warning.filename == __file__


def test_an_argument_is_taken_under_its_old_name():
    value, (warning,) = caught_by(lambda: (measured("a", size=3), line_of()))  # type: ignore[call-arg]
    assert value[0] == "a 3"
    assert "'size'" in str(warning.message) and "use 'length'" in str(warning.message)
    assert (warning.filename, warning.lineno) == (__file__, value[1])
    assert caught_by(lambda: measured("a", length=3)) == ("a 3", [])
    assert caught_by(lambda: measured("a", 3)) == ("a 3", [])


def test_an_argument_under_both_names_is_refused():
    with pytest.raises(TypeError, match="old name 'size'"):
        measured("a", length=1, size=3)  # type: ignore[call-arg]


def test_an_attribute_is_found_where_it_moved_to(monkeypatch):
    module = types.ModuleType("old_place")
    module.__getattr__ = moved("old_place", {"Root": "pathlib:Path"}, removal="9.1")  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "old_place", module)
    value, (warning,) = caught_by(lambda: (module.Root, line_of()))
    import pathlib

    assert value[0] is pathlib.Path
    assert "old_place.Root is deprecated" in str(warning.message) and "use pathlib.Path" in str(warning.message)
    assert (warning.filename, warning.lineno) == (__file__, value[1])
    with pytest.raises(AttributeError, match="'Rot'"):
        _ = module.Rot


def test_users_can_turn_it_into_an_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error", CoreDeprecationWarning)
        with pytest.raises(CoreDeprecationWarning):
            old_function(1)
