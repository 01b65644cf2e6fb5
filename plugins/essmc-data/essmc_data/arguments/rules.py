"""What the arguments of data sets, transforms and loaders must be, alone and together; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from essmc_core.building.rules import rule_check
from essmc_core.errors import ConfigError

if TYPE_CHECKING:
    from essmc_core.contract.checking import Checker, Path
    from essmc_core.registry.component import Component

DECODERS = ("auto", "pyav", "torchcodec", "decord")
MOST_SPATIAL_CROPS = 7
Range = Sequence[float]


def check_decoder(decoder: str) -> str:
    """Returns the decoder's name, if there is such a decoder.

    Raises:
        ConfigError: there is none.
    """
    if decoder not in DECODERS:
        raise ConfigError(f"There is no decoder {decoder!r}.", hint=f"Choose from {', '.join(DECODERS)}.")
    return decoder


def check_clip(sample_type: str, clip_duration: float | None) -> None:
    """Refuses a sampler of intervals that does not know how long they are.

    Raises:
        ConfigError: says what it needs.
    """
    if sample_type == "interval" and clip_duration is None:
        raise ConfigError("Interval sampling needs clip_duration, in seconds.")


def check_frame_rate(fps: float) -> None:
    """Refuses a frame rate that is no number above 0.

    Raises:
        ConfigError: names it.
    """
    if not 0 < fps < float("inf"):
        raise ConfigError(f"fps={fps} must be above 0.")


def check_motion(num_speeds: int, data_mode: str, decouple: bool, distance_jitter: Range) -> None:
    """Refuses arguments of `MoSIGenerator` that exclude each other.

    Raises:
        ConfigError: names what is wrong.
    """
    if num_speeds < 3 or num_speeds % 2 == 0:
        raise ConfigError(f"num_speeds={num_speeds} must be odd and at least 3.")
    if not decouple and data_mode != "xy":
        raise ConfigError(f"data_mode={data_mode!r} moves along one axis, which decouple=false does not.")
    if not 0 < distance_jitter[0] <= distance_jitter[1]:
        raise ConfigError(f"distance_jitter={distance_jitter} must be a range above 0.")


def check_moving_images(num_frames: int, speeds: Sequence[int], channels: int, test_share: float, std: float) -> None:
    """Refuses arguments of `MovingImages` that make no motion, or no pictures.

    Raises:
        ConfigError: names what is wrong.
    """
    if num_frames < 2 or not speeds or min(speeds) < 1 or len(set(speeds)) < len(speeds):
        raise ConfigError("Motion needs at least 2 frames, and distinct speeds of at least 1 pixel.")
    if channels not in (1, 3) or not 0 < test_share < 1 or std <= 0:
        raise ConfigError("channels is 1 or 3, test_share lies in (0, 1), and std is above 0.")


def factor_range(
    name: str, strength: float | Range, centre: float, least: float, most: float
) -> tuple[float, float] | None:
    """Returns the range that a change of colours draws from, None where it changes nothing.

    Raises:
        ConfigError: it is no range, or lies outside what is possible.
    """
    if isinstance(strength, (int, float)):
        if strength < 0:
            raise ConfigError(f"{name}={strength} is negative.")
        low, high = max(least, centre - strength), centre + strength
    else:
        low, high = strength
    if not least <= low <= high <= most:
        raise ConfigError(f"{name}={strength} is no range within [{least}, {most}].")
    return None if low == high == centre else (float(low), float(high))


def colour_ranges(
    brightness: float | Range, contrast: float | Range, saturation: float | Range, hue: float | Range
) -> dict[str, tuple[float, float] | None]:
    """Returns the range of each change of colours.

    Raises:
        ConfigError: one is not possible.
    """
    return {
        "brightness": factor_range("brightness", brightness, 1.0, 0.0, float("inf")),
        "contrast": factor_range("contrast", contrast, 1.0, 0.0, float("inf")),
        "saturation": factor_range("saturation", saturation, 1.0, 0.0, float("inf")),
        "hue": factor_range("hue", hue, 0.0, -0.5, 0.5),
    }


def check_flip(flip: float | None) -> None:
    """Refuses a chance outside [0, 1].

    Raises:
        ConfigError: names it.
    """
    if flip is not None and not 0 <= flip <= 1:
        raise ConfigError(f"flip={flip} is no probability.", hint="Give a number in [0, 1].")


def check_part(scale: Range, ratio: Range) -> None:
    """Refuses what is no range of a part's area, or of its width over its height.

    Raises:
        ConfigError: names both.
    """
    if not 0 < scale[0] <= scale[1] <= 1 or not 0 < ratio[0] <= ratio[1]:
        raise ConfigError(f"scale={tuple(scale)} and ratio={tuple(ratio)} are no ranges.", hint="scale lies in (0, 1].")


def check_on_error(on_error: str, mode: str) -> None:
    """Refuses to replace inputs in evaluation.

    Raises:
        ConfigError: says what to choose.
    """
    if on_error not in ("stop", "skip", "replace"):
        raise ConfigError(f"on_error={on_error!r} is unknown.", hint="Choose stop, skip or replace.")
    if on_error == "replace" and mode != "train":
        raise ConfigError("on_error: replace would count inputs twice in evaluation.", hint="Choose skip or stop.")


def check_views(temporal_crops: int, spatial_crops: int) -> None:
    """Refuses numbers of views that there are not.

    Raises:
        ConfigError: says how many there can be.
    """
    if temporal_crops < 1 or not 1 <= spatial_crops <= MOST_SPATIAL_CROPS:
        raise ConfigError(
            f"temporal_crops={temporal_crops} and spatial_crops={spatial_crops} are not possible.",
            hint=f"At least 1 each, and at most {MOST_SPATIAL_CROPS} spatial crops.",
        )


def check_stream(on_error: str) -> None:
    """Refuses to replace items of a stream.

    Raises:
        ConfigError: says what to choose.
    """
    if on_error == "replace":
        raise ConfigError("A stream has nothing to replace an input by.", hint="Choose skip or stop.")


def check_shuffled_stream(shuffle: bool | None, num_folds: int) -> None:
    """Refuses what a loader cannot do with a stream.

    Raises:
        ConfigError: says what to set instead.
    """
    if shuffle is not None or num_folds != 1:
        raise ConfigError("A dataset of shards shuffles by itself.", hint="Set its shuffle_buffer instead.")


def check_ranges(scale: Range, ratio: Range = (1.0, 1.0)) -> None:
    """Refuses what is no range above 0 of a part's area, or of its width over its height.

    Raises:
        ConfigError: names it.
    """
    for name, (low, high) in (("scale", scale), ("ratio", ratio)):
        if not 0 < low <= high:
            raise ConfigError(f"{name}={(low, high)} must be a range above 0.")


load_video = rule_check(check_clip, check_decoder)
decode_video = rule_check(check_decoder)
load_frames = rule_check(check_clip, check_frame_rate)
mosi = rule_check(check_motion)
moving_images = rule_check(check_moving_images)
colour_jitter = rule_check(colour_ranges)
from_input = rule_check(check_flip, check_part)
resized_crop = rule_check(check_ranges)
videos = rule_check(check_on_error, check_views)
pictures = rule_check(check_on_error)
shards = rule_check(check_stream)
_stream = rule_check(check_shuffled_stream)


def loader(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks a loader whose only data set is a stream of shards."""
    dataset = arguments.get("dataset")
    name = dataset.get("type") if isinstance(dataset, Mapping) else dataset
    record = checker.find("datasets", name) if isinstance(name, str) else None
    if record is not None and record.target == "essmc_data.datasets.shards:WebDataset":
        _stream(checker, path, arguments, component)
