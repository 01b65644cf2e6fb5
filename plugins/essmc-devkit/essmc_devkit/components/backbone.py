"""Checks that a backbone tells the truth about itself: `essmc_core.contract.features.BackboneInterface`."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.features import BackboneInterface
from essmc_core.errors import ConfigError
from essmc_devkit.components.backbone_subject import BackboneSubject
from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.outputs import difference, not_finite
from essmc_devkit.problem import Problem

_ATTRIBUTES = ("layout", "in_chans", "num_frames", "out_channels", "num_features", "feature_rank", "feature_info")
_METHODS = ("forward_features", "set_grad_checkpointing")


@check("backbone.interface")
def interface(subject: BackboneSubject) -> Iterator[Problem]:
    """It has every attribute and method of the interface."""
    module = subject.module
    for name in (*_ATTRIBUTES, *_METHODS):
        if not hasattr(module, name):
            described = "method" if name in _METHODS else "attribute"
            yield Problem(f"it has no {described} {name}", "see essmc_core.contract.features.BackboneInterface")


@check("backbone.layout")
def layout(subject: BackboneSubject) -> Iterator[Problem]:
    """Its layout is that of the input it takes."""
    stated = _with_interface(subject).layout
    if stated not in ("NCHW", "NCTHW"):
        yield Problem(f"layout is {stated!r}", "state NCHW for images or NCTHW for clips")
    elif (stated == "NCTHW") != subject.is_video:
        yield Problem(f"layout is {stated}, and it takes (N, {', '.join(map(str, subject.input_shape))})")


@check("backbone.output")
def output(subject: BackboneSubject) -> Iterator[Problem]:
    """`out_channels`, `num_features` and `feature_rank` are those of what it returns."""
    module, found = _with_interface(subject), subject.output
    if not isinstance(found, Tensor):
        # Networks with several pathways return one map each.
        yield from _pathways(module, found)
        return
    if found.shape[0] != 2:
        yield Problem(f"of 2 inputs it returns {tuple(found.shape)}", "keep the batch in dimension 0")
        return
    if found.ndim - 2 != module.feature_rank:
        yield Problem(f"feature_rank is {module.feature_rank}, and it returns {tuple(found.shape)}")
    if found.shape[1] != module.out_channels:
        yield Problem(f"out_channels is {module.out_channels}, and it returns {found.shape[1]} channels")
    if module.num_features != found.shape[1]:
        yield Problem(
            f"num_features is {module.num_features}, and pooled its output has {found.shape[1]} numbers",
            "state the width that a head gets as dim",
        )
    if words := not_finite(found):
        yield Problem(words)


@check("backbone.feature-info")
def feature_info(subject: BackboneSubject) -> Iterator[Problem]:
    """`feature_info` states channels and reductions of what `forward_features` returns."""
    module = _with_interface(subject)
    if not module.feature_info:
        yield Problem("feature_info is empty", "name at least the last feature map")
        return
    maps = _features(subject, range(len(module.feature_info)))
    if not isinstance(maps, (list, tuple)) or len(maps) != len(module.feature_info):
        yield Problem(
            "forward_features(x, out_indices) returns no list of one map for each index",
            "return [map for each of out_indices]; without out_indices the last map alone",
        )
        return
    for index, (stated, found) in enumerate(zip(module.feature_info, maps, strict=True)):
        yield from _compare(subject, index, stated, found)
        if not _has_module(subject.module, stated.name):
            yield Problem(f"feature_info[{index}] names {stated.name!r}, which is no module", "", "warning")


@check("backbone.forward-features")
def forward_features(subject: BackboneSubject) -> Iterator[Problem]:
    """Indices select features, negative ones from the end; without indices it is the last feature."""
    module = _with_interface(subject)
    count = len(module.feature_info)
    maps = _features(subject, range(count))
    if not isinstance(maps, (list, tuple)) or len(maps) != count:
        raise NotChecked("it returns no list of features")
    for index in (0, -1, -count):
        alone = _features(subject, [index])
        words = difference(alone[0] if isinstance(alone, (list, tuple)) and alone else alone, maps[index])
        if words:
            yield Problem(
                f"forward_features(x, [{index}]) {words}, compared with all features",
                "take negative indices from the end, and keep layers that work in place off what was returned",
            )
    backwards = _features(subject, list(reversed(range(count))))
    if words := difference(list(backwards), list(reversed(maps))):
        yield Problem(
            f"forward_features(x, [{count - 1}, …, 0]): {words}", "return maps in the order that is asked for"
        )
    words = difference(_features(subject, None), maps[-1])
    if words:
        yield Problem(f"forward_features(x): {words}, compared with its last feature")
    try:
        _features(subject, [count])
    except IndexError:
        return
    except Exception as error:
        yield Problem(f"for an index that does not exist it raises {brief(error, 80)}", "raise IndexError")
        return
    yield Problem("an index that does not exist is accepted", "raise IndexError")


@check("backbone.in-chans")
def in_chans(subject: BackboneSubject) -> Iterator[Problem]:
    """Another number of channels can be asked for, or is refused by name."""
    module = _with_interface(subject)
    if module.in_chans != subject.input_shape[0]:
        yield Problem(f"in_chans is {module.in_chans}, and it takes {subject.input_shape[0]} channels")
    argument = subject.channels_argument
    if argument is None:
        return
    wanted = int(module.in_chans) + 1
    try:
        other = subject.build(**{argument: wanted}).eval()
    except ConfigError as error:
        if argument not in str(error):
            yield Problem(f"{argument}={wanted} is refused by {brief(error, 100)}", "name the argument in the message")
        return
    if getattr(other, "in_chans", None) != wanted:
        yield Problem(f"built with {argument}={wanted} it says in_chans={getattr(other, 'in_chans', None)}")
    try:
        with torch.no_grad():
            other(torch.zeros(2, wanted, *subject.input_shape[1:]))
    except Exception as error:
        yield Problem(f"built with {argument}={wanted} it raises {brief(error, 100)}", "pass it to the first layer")
        return
    if not _wrong_channels(module, subject.inputs(2)[0]):
        inputs = torch.zeros(2, wanted, *subject.input_shape[1:])
        for index, stated, found in _wrong_channels(other, inputs):
            yield Problem(
                f"built with {argument}={wanted}, feature_info[{index}] states {stated} channels, and has {found}"
            )


def _wrong_channels(module: Any, inputs: Tensor) -> list[tuple[int, int, int]]:
    """Returns index, stated and true channels of each map of which `feature_info` is not true."""
    try:
        with torch.no_grad():
            maps = module.forward_features(inputs, list(range(len(module.feature_info))))
        both = [(stated.channels, one.shape[1]) for stated, one in zip(module.feature_info, maps, strict=True)]
    # What does not run is said by checks of its own.
    except Exception:
        return []
    return [(index, stated, true) for index, (stated, true) in enumerate(both) if stated != true]


@check("backbone.num-frames")
def num_frames(subject: BackboneSubject) -> Iterator[Problem]:
    """`num_frames` is the number of frames it was built for, None if it takes any number, or images."""
    stated = _with_interface(subject).num_frames
    if not subject.is_video:
        if stated is not None:
            yield Problem(f"num_frames is {stated!r}, and it takes images", "state None")
        return
    if stated is not None and (not isinstance(stated, int) or isinstance(stated, bool)):
        yield Problem(f"num_frames is {stated!r}", "state a whole number, or None")
        return
    channels, frames, height, width = subject.input_shape
    wanted = 2 * frames if stated is None else stated
    try:
        with torch.no_grad():
            subject.module(torch.zeros(1, channels, wanted, height, width))
    except Exception as error:
        yield Problem(f"num_frames is {stated}, and {wanted} frames are refused: {brief(error, 80)}")


@check("backbone.batch")
def batch(subject: BackboneSubject) -> Iterator[Problem]:
    """In eval mode inputs do not see each other, and two passes give the same."""
    whole = subject.output
    if words := difference(subject.run(subject.module, 2), whole):
        yield Problem(f"in a second pass, {words}", "let nothing random or counted into eval mode")
        return
    (inputs,) = subject.inputs(2)
    with torch.no_grad():
        alone = subject.module(inputs[1:])
    last = [one[1:] for one in whole] if isinstance(whole, (list, tuple)) else whole[1:]
    if words := difference(list(alone) if isinstance(alone, tuple) else alone, last, rtol=1e-3, atol=1e-4):
        yield Problem(f"alone instead of in a batch, {words}", "compute nothing over the batch in eval mode")


@check("backbone.checkpointing")
def checkpointing(subject: BackboneSubject) -> Iterator[Problem]:
    """Gradient checkpointing leaves output and gradients as they are, and keeps fewer tensors."""
    _with_interface(subject)
    subject.affordable()
    plain, module = copy.deepcopy(subject.module).train(), copy.deepcopy(subject.module).train()
    # Their statistics would move twice.
    for layer in (*plain.modules(), *module.modules()):
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
    try:
        module.set_grad_checkpointing()  # type: ignore[operator]
    except (ConfigError, NotImplementedError) as error:
        raise NotChecked(f"it says that it cannot: {brief(error)}") from None
    expected, kept = _trained(subject, plain)
    found, kept_less = _trained(subject, module)
    if words := difference(found, expected, rtol=1e-3, atol=1e-4):
        yield Problem(f"with gradient checkpointing, {words}", "use torch.utils.checkpoint with use_reentrant=False")
    elif kept_less >= kept:
        yield Problem("gradient checkpointing keeps as many values as without", "run stages by checkpoint", "warning")


ALL = (interface, layout, output, feature_info, forward_features, in_chans, num_frames, batch, checkpointing)


def _with_interface(subject: BackboneSubject) -> Any:
    module: Any = subject.module
    if not isinstance(module, BackboneInterface):
        raise NotChecked("it lacks parts of the interface (see backbone.interface)")
    return module


def _features(subject: BackboneSubject, indices: Sequence[int] | None) -> Any:
    module: Any = subject.module
    with torch.no_grad():
        return module.forward_features(*subject.inputs(2), *([] if indices is None else [indices]))


def _compare(subject: BackboneSubject, index: int, stated: Any, found: Any) -> Iterator[Problem]:
    where = f"feature_info[{index}]"
    if not isinstance(found, Tensor) or found.ndim != len(subject.input_shape) + 1:
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        yield Problem(f"{where} is {shape}, no map", "return (N, C, H, W), for clips (N, C, T, H, W)")
        return
    if found.shape[1] != stated.channels:
        yield Problem(f"{where} states {stated.channels} channels, and has {found.shape[1]}")
    sizes = subject.input_shape[1:]
    names = ("temporal_reduction", "reduction", "reduction")[-len(sizes) :]
    for name, before, after in zip(names, sizes, found.shape[2:], strict=True):
        ratio = getattr(stated, name)
        # Layers round either way where sizes do not divide.
        if not before // ratio <= after <= -(-before // ratio) + 1 and after != max(1, round(before / ratio)):
            if name == "reduction" and _grows_by(subject, index, ratio, found):
                return
            yield Problem(f"{where} states {name} {ratio}, and makes {after} of {before}")
            return


def _grows_by(subject: BackboneSubject, index: int, reduction: int, found: Tensor) -> bool:
    """Returns whether a map has two positions more for an input larger by twice the reduction.

    Networks whose layers pad nothing have fewer positions than the reduction says.
    """
    module: Any = subject.module
    *rest, height, width = subject.input_shape
    try:
        with torch.no_grad():
            (larger,) = module.forward_features(
                torch.zeros(1, *rest, height + 2 * reduction, width + 2 * reduction), [index]
            )
    except Exception:
        return False
    return [size + 2 for size in found.shape[-2:]] == list(larger.shape[-2:])


def _has_module(module: nn.Module, name: str) -> bool:
    try:
        module.get_submodule(name)
    except AttributeError:
        return False
    return True


def _pathways(module: Any, found: Any) -> Iterator[Problem]:
    if not isinstance(found, (list, tuple)) or not all(isinstance(one, Tensor) for one in found):
        yield Problem(f"it returns a {type(found).__name__}", "return a tensor, or one for each pathway")
        return
    width = sum(one.shape[1] for one in found)
    if width != module.num_features:
        yield Problem(f"num_features is {module.num_features}, and its pathways have {width} channels together")


def _trained(subject: BackboneSubject, module: nn.Module) -> tuple[dict[str, Any], int]:
    """Returns output and gradients of a pass in train mode, and how many values were kept for the gradients."""
    kept: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    torch.manual_seed(0)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        found = module(*subject.inputs(2))
        count = sum(kept)
    outputs = list(found) if isinstance(found, (list, tuple)) else [found]
    torch.autograd.backward([one.square().mean() for one in outputs])
    gradients = {name: one.grad for name, one in module.named_parameters() if one.grad is not None}
    return {"output": outputs, "gradients": gradients}, count
