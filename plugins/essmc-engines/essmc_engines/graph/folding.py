"""Folds what evaluation keeps constant into the layers before: batch norms, temporal means, dropout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx

from essmc_engines.graph.constants import add_constant, clean, fold_constants, value_of

aten = torch.ops.aten
_CONVOLUTIONS = (aten.conv1d.default, aten.conv2d.default, aten.conv3d.default)
_IN_PLACE = {
    aten.relu_.default: aten.relu.default,
    aten.silu_.default: aten.silu.default,
    aten.add_.Tensor: aten.add.Tensor,
    aten.mul_.Tensor: aten.mul.Tensor,
    aten.hardswish_.default: aten.hardswish.default,
    aten.hardtanh_.default: aten.hardtanh.default,
    aten.clamp_.default: aten.clamp.default,
    aten.leaky_relu_.default: aten.leaky_relu.default,
    aten.sigmoid_.default: aten.sigmoid.default,
    aten.elu_.default: aten.elu.default,
    aten.hardsigmoid_.default: aten.hardsigmoid.default,
}


def fold(graph: fx.GraphModule) -> fx.GraphModule:
    """Rewrites a graph of `record` so that it computes the same with fewer operations; returns the same object."""
    _replace_in_place(graph)
    _drop_dropout(graph)
    clean(graph)
    fold_constants(graph)
    _fold_batch_norms(graph)
    _merge_temporal_means(graph)
    _spell_out_batch_norms(graph)
    clean(graph)
    fold_constants(graph)
    return graph


def _calls(graph: fx.GraphModule, *targets: object) -> Iterator[fx.Node]:
    return (node for node in list(graph.graph.nodes) if node.op == "call_function" and node.target in targets)


def _replace_in_place(graph: fx.GraphModule) -> None:
    """Lets activations return new tensors where nobody reads the changed one by its old name."""
    order = {node: number for number, node in enumerate(graph.graph.nodes)}
    for node in _calls(graph, *_IN_PLACE):
        changed = node.args[0]
        assert isinstance(changed, fx.Node)
        if all(order[user] <= order[node] for user in changed.users) and not _is_view(changed):
            node.target = _IN_PLACE[node.target]  # type: ignore[index]


def _is_view(node: fx.Node) -> bool:
    """Returns whether a node may share its memory with another one."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return True
    return any(out.alias_info is not None for out in target._schema.returns)


def _drop_dropout(graph: fx.GraphModule) -> None:
    for node in _calls(graph, aten.dropout.default, aten.dropout_.default, aten.feature_dropout.default):
        if node.args[2] is False:
            node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
            graph.graph.erase_node(node)


def _fold_batch_norms(graph: fx.GraphModule) -> None:
    for norm in _calls(graph, aten.batch_norm.default):
        conv = norm.args[0]
        affine = _affine_of(graph, norm)
        if affine is None or not isinstance(conv, fx.Node) or conv.target not in _CONVOLUTIONS or len(conv.users) > 1:
            continue
        weight = value_of(graph, conv.args[1])
        bias_node = _argument(conv, 2)
        bias = value_of(graph, bias_node)
        if weight is None or (bias is None and bias_node is not None):
            continue
        scale, shift = affine
        folded = (weight.double() * scale.view(-1, *[1] * (weight.dim() - 1))).to(weight.dtype)
        new_bias = shift if bias is None else shift + bias.double() * scale
        conv.args = (
            conv.args[0],
            add_constant(graph, folded, conv),
            add_constant(graph, new_bias.to(weight.dtype), conv),
            *conv.args[3:],
        )
        norm.replace_all_uses_with(conv)
        graph.graph.erase_node(norm)


def _merge_temporal_means(graph: fx.GraphModule) -> None:
    """Turns ``norm(x) + norm(mean of x over neighbouring frames)`` into one convolution of each channel over time."""
    for total in _calls(graph, aten.add.Tensor):
        if len(total.args) != 2 or total.kwargs:
            continue
        for first, second in (total.args, reversed(total.args)):
            if _merge_pair(graph, total, first, second):
                break


def _merge_pair(graph: fx.GraphModule, total: fx.Node, plain: object, averaged: object) -> bool:
    if not all(
        isinstance(node, fx.Node) and node.target is aten.batch_norm.default and len(node.users) == 1
        for node in (plain, averaged)
    ):
        return False
    assert isinstance(plain, fx.Node) and isinstance(averaged, fx.Node)
    pool = averaged.args[0]
    if not isinstance(pool, fx.Node) or pool.target is not aten.avg_pool3d.default or len(pool.users) > 1:
        return False
    time = _frames_of_mean(pool)
    if not time or pool.args[0] is not plain.args[0]:
        return False
    one, mean = _affine_of(graph, plain), _affine_of(graph, averaged)
    if one is None or mean is None:
        return False
    kernel = (mean[0] / time)[:, None].repeat(1, time)
    kernel[:, time // 2] += one[0]
    weight = value_of(graph, plain.args[1])
    dtype = torch.float32 if weight is None else weight.dtype
    weight_node = add_constant(graph, kernel[:, None, :, None, None].to(dtype), total)
    bias_node = add_constant(graph, (one[1] + mean[1]).to(dtype), total)
    with graph.graph.inserting_before(total):
        new = graph.graph.call_function(
            aten.conv3d.default,
            (plain.args[0], weight_node, bias_node, [1, 1, 1], [time // 2, 0, 0], [1, 1, 1], kernel.shape[0]),
        )
    total.replace_all_uses_with(new)
    graph.graph.erase_node(total)
    return True


def _frames_of_mean(pool: fx.Node) -> int:
    """Returns over how many frames a pooling takes the mean and keeps the shape; 0 if it does anything else."""
    given: list[Any] = [_argument(pool, index) for index in range(1, 7)]
    window, stride, padding = ([*value] if isinstance(value, (list, tuple)) else [] for value in given[:3])
    rounds_up, counts_padding, divisor = given[3:]
    time = int(window[0]) if window else 0
    is_same = window == [time, 1, 1] and stride == [1, 1, 1] and padding == [time // 2, 0, 0]
    return time if is_same and time % 2 and not rounds_up and counts_padding is not False and divisor is None else 0


def _spell_out_batch_norms(graph: fx.GraphModule) -> None:
    """Turns the remaining batch norms into a product and a sum."""
    for norm in _calls(graph, aten.batch_norm.default):
        affine = _affine_of(graph, norm)
        features = norm.args[0]
        if affine is None or not isinstance(features, fx.Node):
            continue
        rank = features.meta["val"].dim() if "val" in features.meta else 0
        if rank < 2:
            continue
        dtype = features.meta["val"].dtype
        scale, shift = (one.to(dtype).view(-1, *[1] * (rank - 2)) for one in affine)
        scale_node, shift_node = add_constant(graph, scale, norm), add_constant(graph, shift, norm)
        with graph.graph.inserting_before(norm):
            scaled = graph.graph.call_function(aten.mul.Tensor, (features, scale_node))
            shifted = graph.graph.call_function(aten.add.Tensor, (scaled, shift_node))
        for node in (scaled, shifted):
            node.meta["val"] = features.meta["val"]
        norm.replace_all_uses_with(shifted)
        graph.graph.erase_node(norm)


def _affine_of(graph: fx.GraphModule, norm: fx.Node) -> tuple[Tensor, Tensor] | None:
    """Returns scale and shift of each channel in float64, None if they are not constant."""
    weight, bias, mean, variance, is_training = norm.args[1:6]
    values = [value_of(graph, node) for node in (mean, variance)]
    if is_training or any(value is None for value in values):
        return None
    known_mean, known_variance = (value.double() for value in values if value is not None)
    eps = norm.args[7]
    assert isinstance(eps, float)
    scale = torch.rsqrt(known_variance + eps)
    if weight is not None:
        value = value_of(graph, weight)
        if value is None:
            return None
        scale = scale * value.double()
    shift = -known_mean * scale
    if bias is not None:
        added = value_of(graph, bias)
        if added is None:
            return None
        shift = shift + added.double()
    return scale, shift


def _argument(node: fx.Node, index: int) -> object:
    return node.args[index] if len(node.args) > index else None
