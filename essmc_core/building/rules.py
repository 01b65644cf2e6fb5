"""Constructor rules that `essmc validate` applies too: plain functions of arguments that raise `ConfigError`."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError
from essmc_core.foundation.plain_data import plain_data

if TYPE_CHECKING:
    from essmc_core.contract.checking import Checker, Path
    from essmc_core.registry.component import Component

Rule = Callable[..., object]
Check = Callable[["Checker", "Path", Mapping[str, Any], "Component"], None]


def rule_check(*rules: Rule) -> Check:
    """Returns a ``check`` to register a component with, so that its rules are applied before it is built.

    The constructor calls the same rules, so that each has one implementation and one message. Modules of rules import
    nothing heavy.

    Args:
        rules: functions whose parameters have the names of the component's, and which raise `ConfigError`. A rule
            is passed what is written, else what the registration fixes, else the component's default; a parameter
            that the component does not have keeps the rule's default. A rule is skipped if one of its arguments is
            missing, does not fit its annotation, or has a default that cannot be read.
    """

    def check(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
        for rule in rules:
            apply_rule(rule, checker, path, arguments, component)

    return check


def apply_rule(rule: Rule, checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> bool:
    """Applies a rule to the arguments of a component and records the mistake it raises.

    Returns:
        Whether the rule could be applied and raised nothing.
    """
    parameters = inspect.signature(rule).parameters
    values = {**_defaults(checker, component, parameters), **component.bound, **plain_data(dict(arguments))}
    given = {name: values[name] for name in parameters if name in values}
    needed = [name for name, parameter in parameters.items() if parameter.default is parameter.empty]
    if any(name not in given for name in needed) or any(_is_unknown(value) for value in given.values()):
        return False
    try:
        rule(**given)
    except ConfigError as error:
        name = _blamed(f"{error.message} {error.hint}", [name for name in parameters if name in arguments])
        checker.mistake(path if name is None else (*path, name), error.message, error.hint)
        return False
    return True


def _defaults(checker: Checker, component: Component, names: Iterable[str]) -> dict[str, Any]:
    signature = checker.signature(component.kind, component.qualified)
    found = {}
    for parameter in signature.parameters if signature is not None else ():
        if parameter.name in names and not parameter.required:
            try:
                found[parameter.name] = _evaluated(parameter.default)
            except (SyntaxError, ValueError):
                # The rule's own default must not be used in its place.
                found[parameter.name] = object()
    return found


_ARITHMETIC = (
    ast.Expression,
    ast.Constant,
    ast.Tuple,
    ast.List,
    ast.BinOp,
    ast.operator,
    ast.UnaryOp,
    ast.USub,
    ast.Load,
)


def _evaluated(default: str) -> Any:
    """Evaluates a default that consists of literals, sums and fractions: ``(3 / 4, 4 / 3)``.

    Raises:
        ValueError: it is any other expression.
        SyntaxError: it is not an expression.
    """
    tree = ast.parse(default, mode="eval")
    if not all(isinstance(node, _ARITHMETIC) for node in ast.walk(tree)):
        return ast.literal_eval(default)
    return eval(compile(tree, "<default>", "eval"), {"__builtins__": {}})


def _is_unknown(value: Any) -> bool:
    """Returns whether a value is the placeholder of an argument that does not fit or a default that cannot be read."""
    return type(value) is object


def _blamed(text: str, written: list[str]) -> str | None:
    """Returns the argument that a message or its hint is about, None if it is about several arguments."""
    if len(written) == 1:
        return written[0]
    named = [name for name in written if re.search(rf"\b{re.escape(name)}\b", text)]
    return named[0] if len(named) == 1 else None
