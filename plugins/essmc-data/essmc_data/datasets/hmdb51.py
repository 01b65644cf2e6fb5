"""HMDB51: 51 actions, three splits."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core import Transform
from essmc_core.contract.annotations import PositiveInt
from essmc_data.datasets.base import Mode, OnError
from essmc_data.datasets.video import AnnotatedVideoDataset, Sample
from essmc_data.files.locations import join
from essmc_data.lists.lines import shown, text_lines

# The numbering of published checkpoints, which is nearly alphabetical.
HMDB51_CLASSES = (
    "brush_hair",
    "cartwheel",
    "catch",
    "chew",
    "clap",
    "climb_stairs",
    "climb",
    "dive",
    "draw_sword",
    "dribble",
    "drink",
    "eat",
    "fall_floor",
    "fencing",
    "flic_flac",
    "golf",
    "handstand",
    "hit",
    "hug",
    "jump",
    "kick_ball",
    "kick",
    "kiss",
    "laugh",
    "pick",
    "pour",
    "pullup",
    "punch",
    "push",
    "pushup",
    "ride_bike",
    "ride_horse",
    "run",
    "shake_hands",
    "shoot_ball",
    "shoot_bow",
    "shoot_gun",
    "sit",
    "situp",
    "smile",
    "smoke",
    "somersault",
    "stand",
    "swing_baseball",
    "sword_exercise",
    "sword",
    "talk",
    "throw",
    "turn",
    "walk",
    "wave",
)
_SPLIT_OF = {"0": None, "1": "train", "2": "test"}


class Hmdb51(AnnotatedVideoDataset):
    """HMDB51 (Kuehne et al., ICCV 2011): videos at ``<class>/<name>.avi``.

    Args:
        data_root_dir: folder or URL of the videos.
        annotation_dir: folder or URL of the files ``<class>_test_split<n>.txt``, with lines ``<name>.avi 1``: 1 is
            training, 2 is test, 0 is neither.
        split_id: 1, 2 or 3.
        temporal_crops: see `VideoDataset`.
        spatial_crops: see `VideoDataset`.
        fix_len: see `VideoDataset`.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: see `BaseDataset`.

    Raises:
        DatasetNotFound: an annotation file is missing or cannot be understood.
    """

    def __init__(
        self,
        data_root_dir: str,
        annotation_dir: str,
        split_id: int = 1,
        temporal_crops: int = 1,
        spatial_crops: int = 1,
        fix_len: PositiveInt | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        self.split_id = split_id
        super().__init__(
            data_root_dir, annotation_dir, temporal_crops, spatial_crops, fix_len, mode, pipeline, on_error
        )

    def read_samples(self) -> list[Sample]:
        """Returns the samples of the split."""
        self.classes = HMDB51_CLASSES
        wanted = "train" if self.mode == "train" else "test"
        samples = []
        for label, name in enumerate(self.classes):
            file = join(self.annotation_dir, f"{name}_test_split{self.split_id}.txt")
            for line in text_lines(file):
                fields = line.text.rsplit(maxsplit=1)
                if len(fields) != 2 or fields[1] not in _SPLIT_OF:
                    raise line.error(f"Expected `<name>.avi 0|1|2`, got {shown(line.text)}.")
                if _SPLIT_OF[fields[1]] == wanted:
                    samples.append(Sample(f"{name}/{fields[0].strip()}", label))
        return samples
