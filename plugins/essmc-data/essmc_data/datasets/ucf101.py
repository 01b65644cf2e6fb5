"""UCF101: 101 actions, three splits."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core import Transform
from essmc_core.contract.annotations import PositiveInt
from essmc_data.datasets.base import Mode, OnError
from essmc_data.datasets.video import AnnotatedVideoDataset, Sample
from essmc_data.errors import ListError
from essmc_data.files.locations import join
from essmc_data.lists.labels import whole_number
from essmc_data.lists.lines import shown, text_lines


class UCF101(AnnotatedVideoDataset):
    """UCF101 (Soomro et al., 2012): videos at ``<Class>/<name>.avi``; labels begin with 0.

    Args:
        data_root_dir: folder or URL of the videos.
        annotation_dir: folder or URL of ``classInd.txt``, ``trainlist0<n>.txt`` and ``testlist0<n>.txt``.
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
        labels = self._labels()
        file = join(self.annotation_dir, f"{'train' if self.mode == 'train' else 'test'}list{self.split_id:02d}.txt")
        samples = []
        for line in text_lines(file):
            # Lines of training lists end with the class's number, which the folder says too.
            path, _, rest = line.text.strip().partition(".avi")
            name = path.partition("/")[0]
            if name not in labels or (rest.strip() and rest.strip() != str(labels[name] + 1)):
                raise line.error(f"{shown(line.text)} does not fit classInd.txt.")
            samples.append(Sample(f"{path}.avi", labels[name]))
        return samples

    def _labels(self) -> dict[str, int]:
        file = join(self.annotation_dir, "classInd.txt")
        labels: dict[str, int] = {}
        for line in text_lines(file):
            fields = line.text.split()
            number = whole_number(fields[0])
            if len(fields) != 2 or number is None:
                raise line.error(f"Expected `<number> <Class>`, got {shown(line.text)}.")
            if fields[1] in labels:
                raise line.error(f"Class {fields[1]} occurs twice.")
            labels[fields[1]] = number - 1
        if sorted(labels.values()) != list(range(len(labels))):
            raise ListError(f"{file} does not number its classes from 1 to {len(labels)}.")
        self.classes = tuple(sorted(labels, key=labels.__getitem__))
        return labels
