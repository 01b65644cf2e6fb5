"""Still pictures that motion is made of: scikit-learn's handwritten digits, or any folder of images."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from essmc_core.errors import MissingDependency
from essmc_core.inputs.media_files import IMAGE_SUFFIXES
from essmc_data.errors import DatasetNotFound
from essmc_data.files.listing import list_files
from essmc_data.files.locations import join
from essmc_data.readers.pictures import read_picture

DIGITS = "digits"
_DIGITS_FILE = "datasets/data/digits.csv.gz"


def load_digits(side: int) -> Tensor:
    """Returns scikit-learn's 1,797 handwritten digits, scaled, as float (N, 1, side, side) in [0, 1].

    Raises:
        MissingDependency: scikit-learn is not installed.
    """
    # Importing torchvision takes as long as importing torch.
    from torchvision.transforms.v2 import functional

    # Importing scikit-learn takes a second, for a table that numpy reads.
    spec = find_spec("sklearn")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    file = next((path for folder in folders if (path := Path(folder, _DIGITS_FILE)).is_file()), None)
    if file is None:
        raise MissingDependency(
            "The digits come with scikit-learn, which is not installed.", hint="pip install scikit-learn"
        )
    table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    digits = torch.from_numpy(table[:, :-1]).view(-1, 1, 8, 8) / 16
    scaled: Tensor = functional.resize(digits, [side, side], antialias=True)
    return scaled.clamp_(0, 1)


def load_pictures(folder: str, side: int) -> Tensor:
    """Returns all pictures below a folder or URL, cut to squares and scaled, as float (N, 3, side, side) in [0, 1].

    Raises:
        DatasetNotFound: there is no such folder, or no picture in it.
        UnreadableInput: a picture is damaged.
    """
    from torchvision.transforms.v2 import functional

    names = list_files(folder, IMAGE_SUFFIXES)
    if not names:
        raise DatasetNotFound(f"There is no picture in {folder}.")
    squares = []
    for name in names:
        picture = functional.pil_to_tensor(read_picture(join(folder, name)))
        short = min(picture.shape[-2:])
        squares.append(functional.resize(functional.center_crop(picture, [short, short]), [side, side], antialias=True))
    return torch.stack(squares).float() / 255
