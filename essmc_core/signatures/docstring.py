"""Descriptions of parameters in Google-style docstrings."""

from __future__ import annotations


def parameter_docs(text: str) -> dict[str, str]:
    """Returns the description of each parameter, line breaks folded.

    Args:
        text: a docstring without indentation.
    """
    import griffe

    docs = {}
    for section in griffe.Docstring(text).parse("google", warnings=False):
        if section.kind is griffe.DocstringSectionKind.parameters:
            for parameter in section.value:
                docs[parameter.name.lstrip("*")] = " ".join(parameter.description.split())
    return docs
