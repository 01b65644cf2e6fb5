"""Motion of still pictures as a classification task: which way, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from essmc_core import Transform
from essmc_core.contract.annotations import PositiveInt
from essmc_core.errors import ConfigError
from essmc_data.arguments.rules import check_moving_images
from essmc_data.datasets.base import MapDataset, Mode
from essmc_data.datasets.pictures import DIGITS, load_digits, load_pictures
from essmc_data.datasets.shared_state import SharedState
from essmc_data.item import Item
from essmc_data.sampling.randomness import item_randomness, mix
from essmc_data.transforms.compose import as_transform

_DIRECTIONS = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}
_SPLIT_SALT, _CLIP_SALT = 1, 2
_LARGEST_DIGIT = 16


class MovingImages(MapDataset):
    """Clips of still pictures that stand still or move in one of four directions at one of several speeds.

    The pseudo motion of MoSI (Huang et al., CVPR 2021) in its simplest form. No single frame shows the class, so that
    a network without temporal kernels stays at chance. Clips are made on the fly, fresh in every epoch of training and
    the same in every evaluation, each from (seed, epoch, index) alone; the two share no picture.

    Args:
        pictures: ``digits`` (scikit-learn's), or a folder or URL of images.
        num_frames: frames of a clip.
        size: height and width of a clip.
        speeds: pixels per frame.
        motion: ``torus``: a picture on a black field, leaving on one side and entering on the other; ``window``: a
            window moves over a larger picture, and starts where every class could; by default ``torus`` for digits.
        clips: items of an epoch; by default one of each class for each picture.
        channels: 3 repeats a grey picture.
        test_share: share of the pictures that is kept for evaluation.
        mean: subtracted from values in [0, 1].
        std: divides them.
        mode: ``train``, or ``eval`` and ``test``.
        pipeline: transforms of each item.

    Raises:
        ConfigError: arguments that exclude each other.
        MissingDependency: digits are asked for and scikit-learn is not installed.
        DatasetNotFound: there is no picture in the folder.
    """

    def __init__(
        self,
        pictures: str = DIGITS,
        num_frames: PositiveInt = 8,
        size: PositiveInt = 32,
        speeds: Sequence[int] = (1, 2),
        motion: Literal["torus", "window"] | None = None,
        clips: PositiveInt | None = None,
        channels: int = 3,
        test_share: float = 0.2,
        mean: float = 0.5,
        std: float = 0.5,
        mode: Mode = "train",
        pipeline: Sequence[Transform] | Transform | None = None,
    ) -> None:
        check_moving_images(num_frames, speeds, channels, test_share, std)
        self.num_frames = num_frames
        self.size = size
        self.mode: Mode = mode
        self.motion = motion or ("torus" if pictures == DIGITS else "window")
        self.velocities = np.array([(0, 0), *((y * v, x * v) for y, x in _DIRECTIONS.values() for v in speeds)])
        self.classes = ("static", *(f"{name} {speed}" for name in _DIRECTIONS for speed in speeds))
        self._margin = max(speeds) * (num_frames - 1)
        self.channels = channels
        fields = self._fields(pictures)
        if fields.shape[1] > channels:
            fields = fields.mean(1, keepdim=True)
        self._side = fields.shape[-1]
        # Constants: statistics of a clip would separate standing pictures from moving ones.
        self._planes = [plane.flatten() for plane in fields.sub_(mean).div_(std).unbind(1)]
        self.picture_ids = self._split(len(fields), test_share)
        self.clips = clips or len(self.classes) * len(self.picture_ids)
        self._has_pipeline = pipeline is not None
        self.pipeline = as_transform(pipeline)
        self.state = SharedState()

    def _fields(self, pictures: str) -> Tensor:
        """Returns the fields (N, C, H, W) that clips are cut from."""
        side = self.size if self.motion == "torus" else self.size + 2 * self._margin + self.size // 2
        if pictures != DIGITS:
            return load_pictures(pictures, side)
        if self.motion == "window":
            return load_digits(side)
        digits = load_digits(min(_LARGEST_DIGIT, self.size))
        rest = side - digits.shape[-1]
        return torch.nn.functional.pad(digits, (0, rest, 0, rest))

    def _split(self, pictures: int, test_share: float) -> NDArray[np.int64]:
        order = np.argsort(mix(_SPLIT_SALT, np.arange(pictures)))
        held_out = max(1, round(pictures * test_share))
        if held_out >= pictures:
            raise ConfigError(f"{pictures} pictures are too few to keep some for evaluation.")
        return np.sort(order[held_out:] if self.mode == "train" else order[:held_out])

    def __len__(self) -> int:
        return self.clips

    def states(self) -> list[SharedState]:
        """Returns the state of this dataset."""
        return [self.state]

    def load(self, index: int, key: int) -> Item:
        """Returns one clip; see `MapDataset.load`."""
        return self._items([index], [key])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Item]:
        """Returns a batch of clips, made by one operation; what torch's loaders ask for."""
        return self._items(indices, indices)

    def _items(self, indices: Sequence[int], keys: Sequence[int]) -> list[Item]:
        epoch = self.state.epoch if self.mode == "train" else 0
        # Batches hold classes evenly, whatever their pictures are.
        labels = np.asarray(indices) % len(self.classes)
        bits = mix(_CLIP_SALT, self.state.seed, epoch, np.asarray(keys))
        pictures = self.picture_ids[(mix(bits.view(np.int64), 0) % np.uint64(len(self.picture_ids))).astype(np.int64)]
        starts = np.stack([mix(bits.view(np.int64), axis) for axis in (1, 2)], 1)
        clips = self._render(pictures, self.velocities[labels], starts)
        names, targets = pictures.tolist(), torch.from_numpy(labels)
        items: list[Item] = [
            {"meta": {"index": int(index), "picture": name}, "video": clip, "gt_label": target}
            for index, name, clip, target in zip(indices, names, clips, targets, strict=True)
        ]
        if not self._has_pipeline:
            return items
        return [self._through_pipeline(item, key, epoch) for item, key in zip(items, keys, strict=True)]

    def _render(
        self,
        pictures: NDArray[np.int64],
        velocities: NDArray[np.int64],
        starts: NDArray[np.uint64],
    ) -> Tensor:
        """Returns clips (B, C, T, H, W): one look-up of all pixels."""
        side = self._side
        travelled = velocities[:, :, None] * np.arange(self.num_frames)
        if self.motion == "torus":
            begin = (starts % np.uint64(side)).astype(np.int64)
        else:
            # Every class can start anywhere in this range, so that the start is independent of it.
            begin = self._margin + (starts % np.uint64(side - self.size - 2 * self._margin + 1)).astype(np.int64)
        # Content that moves right is a window that moves left.
        offsets = torch.from_numpy(begin[:, :, None] - travelled)
        places = (offsets[..., None] + torch.arange(self.size)) % side
        rows, columns = places[:, 0, :, :, None], places[:, 1, :, None, :]
        flat = torch.from_numpy(pictures)[:, None, None, None] * side**2 + rows * side + columns
        planes = [plane[flat] for plane in self._planes]
        return torch.stack(planes, 1).expand(-1, self.channels, -1, -1, -1)

    def _through_pipeline(self, item: Item, key: int, epoch: int) -> Item:
        item["meta"]["mode"] = self.mode
        with item_randomness(self.state.seed, epoch, key):
            made: Item = self.pipeline(item)
        return made
