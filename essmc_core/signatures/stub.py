"""An editable YAML stub of a component: every parameter, its default and its doc line."""

from __future__ import annotations

import ast
import textwrap

from essmc_core.signatures.signature import Parameter, Signature

_WIDTH = 100


def yaml_stub(name: str, signature: Signature) -> str:
    """Returns YAML text that builds a component once the required values are filled in.

    A default that is not a YAML value, such as a function, is left out and named in its comment.

    Args:
        name: what a configuration calls it.
        signature: what it accepts.
    """
    lines = [f"type: {name}"]
    for parameter in signature.parameters:
        comment = _comment(parameter)
        lines.extend(textwrap.wrap(comment, _WIDTH, initial_indent="# ", subsequent_indent="#   ") if comment else [])
        lines.append(_line(parameter))
    return "\n".join(lines) + "\n"


def _comment(parameter: Parameter) -> str:
    annotation = parameter.annotation_text if parameter.annotation != "" else ""
    need = "required" if parameter.required else ""
    about = ", ".join(part for part in (annotation, need) if part)
    return f"{parameter.doc} ({about})".strip() if about else parameter.doc


def _line(parameter: Parameter) -> str:
    if parameter.required:
        return f"{parameter.name}: ???"
    try:
        default = ast.literal_eval(str(parameter.default))
    except (ValueError, SyntaxError):
        return f"# {parameter.name}: {parameter.default}"
    return f"{parameter.name}: {_flow(default)}"


def _flow(value: object) -> str:
    import yaml

    text = yaml.safe_dump(_lists(value), default_flow_style=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _lists(value: object) -> object:
    if isinstance(value, (tuple, list)):
        return [_lists(item) for item in value]
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return value
