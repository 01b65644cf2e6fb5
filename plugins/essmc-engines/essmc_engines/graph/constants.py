"""Tensors of a graph that are known before it runs: read, written, and computed once."""

from __future__ import annotations

import torch
from torch import Tensor, fx

_RANDOM_OR_IMPURE = ("rand", "dropout", "bernoulli")


def value_of(graph: fx.GraphModule, node: object) -> Tensor | None:
    """Returns the tensor that a node stands for, None if it depends on the input."""
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        return None
    value: object = graph
    for part in str(node.target).split("."):
        value = getattr(value, part, None)
    return value if isinstance(value, Tensor) else None


def add_constant(graph: fx.GraphModule, value: Tensor, before: fx.Node) -> fx.Node:
    """Returns a node that stands for a tensor, which may be in an order of oneDNN's."""
    number = 0
    while hasattr(graph, f"constant_{number}"):
        number += 1
    # Tensors in an order of oneDNN's have no storage that could be contiguous, or held by a state dict.
    stored = value.detach() if value.is_mkldnn else value.detach().contiguous()
    graph.register_buffer(f"constant_{number}", stored, persistent=not value.is_mkldnn)
    with graph.graph.inserting_before(before):
        return graph.graph.get_attr(f"constant_{number}")


def fold_constants(graph: fx.GraphModule) -> int:
    """Computes what depends on weights alone, and returns how many results are stored instead."""
    known: dict[fx.Node, Tensor] = {}
    for node in graph.graph.nodes:
        if (stored := value_of(graph, node)) is not None:
            known[node] = stored
        elif _is_computed_from(node, known):
            with torch.no_grad():
                arguments, named = fx.map_arg((node.args, node.kwargs), lambda one: known[one])
                result = node.target(*arguments, **named)
            if isinstance(result, Tensor):
                known[node] = result
    kept = [node for node in known if node.op != "get_attr" and any(user not in known for user in node.users)]
    for node in kept:
        node.replace_all_uses_with(add_constant(graph, known[node].clone(), node))
    clean(graph)
    return len(kept)


def clean(graph: fx.GraphModule) -> None:
    """Removes what is no longer used, weights included."""
    # In-place operations count as used, whoever reads their result.
    graph.graph.eliminate_dead_code()
    graph.delete_all_unused_submodules()
    used = {str(node.target) for node in graph.graph.nodes if node.op == "get_attr"}
    for owner_name, owner in list(graph.named_modules()):
        prefix = f"{owner_name}." if owner_name else ""
        for name in [*owner._parameters, *owner._buffers]:
            if prefix + name not in used:
                delattr(owner, name)
    graph.graph.lint()
    graph.recompile()


def _is_computed_from(node: fx.Node, known: dict[fx.Node, Tensor]) -> bool:
    if node.op != "call_function" or not node.all_input_nodes or not isinstance(node.target, torch._ops.OpOverload):
        return False
    name = node.target._schema.name
    if node.target._schema.is_mutable or any(word in name for word in _RANDOM_OR_IMPURE):
        return False
    return all(one in known for one in node.all_input_nodes)
