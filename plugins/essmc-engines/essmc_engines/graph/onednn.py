"""Replaces convolutions and linear layers of a folded graph by oneDNN's, with weights in its own order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from essmc_engines.graph.constants import add_constant, clean, value_of

aten = torch.ops.aten
_DIMENSIONS: dict[object, int] = {aten.conv2d.default: 2, aten.conv3d.default: 3}
_ACTIVATIONS: dict[object, Callable[[fx.Node], tuple[str, list[Any], str] | None]] = {
    aten.relu.default: lambda node: ("relu", [], ""),
    aten.silu.default: lambda node: ("swish", [], ""),
    aten.sigmoid.default: lambda node: ("sigmoid", [], ""),
    aten.hardswish.default: lambda node: ("hardswish", [], ""),
    aten.gelu.default: lambda node: ("gelu", [], str(node.kwargs.get("approximate", "none"))),
}


def is_available() -> bool:
    """Returns whether this PyTorch has oneDNN's fused operations."""
    backend: Any = torch.backends.mkldnn
    return bool(backend.is_available()) and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


def lower(graph: fx.GraphModule) -> fx.GraphModule:
    """Replaces convolutions and linear layers, with additions and activations that follow; returns the same object."""
    for node in list(graph.graph.nodes):
        if node.op != "call_function":
            continue
        if node.target in _DIMENSIONS:
            _lower_convolution(graph, node)
        elif node.target is aten.linear.default:
            _lower_linear(graph, node)
    clean(graph)
    _fuse(graph)
    clean(graph)
    return graph


def _lower_convolution(graph: fx.GraphModule, node: fx.Node) -> None:
    count = _DIMENSIONS[node.target]
    weight, bias = value_of(graph, node.args[1]), _optional(graph, node, 2)
    if weight is None or bias is False:
        return
    stride, padding, dilation = (_each(_at(node, index, default), count) for index, default in ((3, 1), (4, 0), (5, 1)))
    groups = _at(node, 6, 1)
    shape = _shape(node.args[0])
    packed = torch.ops.mkldnn._reorder_convolution_weight(weight.float(), padding, stride, dilation, groups, shape)
    with graph.graph.inserting_before(node):
        new = graph.graph.call_function(
            torch.ops.mkldnn._convolution_pointwise.default,
            (
                node.args[0],
                add_constant(graph, packed, node),
                _at(node, 2, None),
                padding,
                stride,
                dilation,
                groups,
                "none",
                [],
                "",
            ),
        )
    new.meta.update(node.meta)
    node.replace_all_uses_with(new)
    graph.graph.erase_node(node)


def _lower_linear(graph: fx.GraphModule, node: fx.Node) -> None:
    weight, bias = value_of(graph, node.args[1]), _optional(graph, node, 2)
    if weight is None or bias is False:
        return
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.float())
    with graph.graph.inserting_before(node):
        new = graph.graph.call_function(
            torch.ops.mkldnn._linear_pointwise.default,
            (node.args[0], add_constant(graph, packed, node), _at(node, 2, None), "none", [], ""),
        )
    new.meta.update(node.meta)
    node.replace_all_uses_with(new)
    graph.graph.erase_node(node)


def _fuse(graph: fx.GraphModule) -> None:
    """Lets oneDNN add a shortcut and apply the activation as it writes the result."""
    convolution = torch.ops.mkldnn._convolution_pointwise
    linear = torch.ops.mkldnn._linear_pointwise
    for node in list(graph.graph.nodes):
        if node.target in (convolution.default, linear.default) and node.args[-3] == "none":
            _fuse_activation(graph, node)
    for node in list(graph.graph.nodes):
        if node.target is aten.add.Tensor and len(node.args) == 2 and not node.kwargs:
            _fuse_sum(graph, node, convolution)


def _fuse_activation(graph: fx.GraphModule, node: fx.Node) -> None:
    user = next(iter(node.users)) if len(node.users) == 1 else None
    described = _ACTIVATIONS[user.target](user) if user is not None and user.target in _ACTIVATIONS else None
    if user is None or described is None:
        return
    node.args = (*node.args[:-3], *described)
    user.replace_all_uses_with(node)
    graph.graph.erase_node(user)


def _fuse_sum(graph: fx.GraphModule, total: fx.Node, convolution: Any) -> None:
    order = {node: number for number, node in enumerate(graph.graph.nodes)}
    candidates = [
        node
        for node in total.args
        if isinstance(node, fx.Node)
        and node.target is convolution.default
        and len(node.users) == 1
        and node.args[-3] == "none"
    ]
    if not candidates or not all(isinstance(node, fx.Node) for node in total.args):
        return
    conv = max(candidates, key=lambda node: order[node])
    other = total.args[1] if total.args[0] is conv else total.args[0]
    assert isinstance(other, fx.Node)
    if other is conv or not _same_shape(conv, other):
        return
    user = next(iter(total.users)) if len(total.users) == 1 else None
    is_relu = user is not None and user.target is aten.relu.default
    x, weight, bias, padding, stride, dilation, groups = conv.args[:7]
    with graph.graph.inserting_before(total):
        new = graph.graph.call_function(
            convolution.binary,
            (
                x,
                other,
                weight,
                bias,
                padding,
                stride,
                dilation,
                groups,
                "add",
                1.0,
                "relu" if is_relu else None,
                [],
                "",
            ),
        )
    new.meta.update(total.meta)
    last = user if is_relu and user is not None else total
    last.replace_all_uses_with(new)
    if last is not total:
        graph.graph.erase_node(last)
    graph.graph.erase_node(total)
    graph.graph.erase_node(conv)


def _same_shape(one: fx.Node, other: fx.Node) -> bool:
    first, second = ([*map(str, node.meta["val"].shape)] if "val" in node.meta else [] for node in (one, other))
    return first != [] and first == second


def _shape(node: object) -> list[int] | None:
    value = node.meta.get("val") if isinstance(node, fx.Node) else None
    if value is None:
        return None
    return [size if isinstance(size, int) else 1 for size in value.shape]


def _optional(graph: fx.GraphModule, node: fx.Node, index: int) -> Tensor | bool | None:
    """Returns a constant argument, None where there is none, False where it is not constant."""
    given = _at(node, index, None)
    if given is None:
        return None
    value = value_of(graph, given)
    return False if value is None else value


def _at(node: fx.Node, index: int, default: Any) -> Any:
    return node.args[index] if len(node.args) > index else default


def _each(value: Any, count: int) -> list[int]:
    if isinstance(value, Sequence) and len(value) == count:
        return [int(one) for one in value]
    return [int(value[0] if isinstance(value, Sequence) else value)] * count
