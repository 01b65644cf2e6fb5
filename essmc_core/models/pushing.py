"""Uploads a model to the Hugging Face Hub, or writes the folder that would be uploaded."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from essmc_core.errors import ConfigError, EssmcError, UnknownModel
from essmc_core.foundation.terminal_status import status
from essmc_core.models.loading import load
from essmc_core.models.model_card import make_model_card
from essmc_core.models.saving import save
from essmc_core.weights.cache import is_offline
from essmc_core.weights.described_file import read_description
from essmc_core.weights.hub_answers import what_the_hub_said
from essmc_core.zoo.trained import WEIGHTS

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_PICTURES = (".jpg", ".jpeg", ".png", ".webp")


class NotPushed(EssmcError, OSError):
    """A model could not be uploaded to the Hub."""


def push(
    model: nn.Module | str | os.PathLike[str],
    repository: str,
    *,
    private: bool | None = None,
    message: str | None = None,
    sample: str | os.PathLike[str] | None = None,
) -> str:
    """Uploads a model to the Hugging Face Hub with a model card, from where `load` rebuilds it.

    Args:
        model: a model, as `save` takes it; or a file of `save`, a checkpoint or a work dir of training.
        repository: ``owner/name``, which is made if there is none.
        private: whether a repository that is made can be seen by its owners alone; None leaves it to the Hub.
        message: of the commit.
        sample: a picture to upload with it, which the Hub's widget offers to classify.

    Returns:
        The address of the commit, ``hf://owner/name@commit``.

    Raises:
        NotPushed: the Hub refuses, or cannot be reached.
        NotRebuildable: a file cannot hold the model.
        UnknownModel: a file says of no model what it is.
    """
    _require_repository(repository)
    if is_offline():
        raise NotPushed("this session is offline", hint="Unset ESSMC_OFFLINE and HF_HUB_OFFLINE.")
    from huggingface_hub import HfApi

    with _folder(model, repository, sample) as folder, status(f"uploading to {repository}"):
        api = HfApi(library_name="essmc")
        try:
            api.create_repo(repository, private=private, exist_ok=True)
            done = api.upload_folder(
                repo_id=repository, folder_path=folder, commit_message=message or "A model of essmc"
            )
        except EssmcError:
            raise
        except Exception as error:
            # Each version of huggingface_hub raises what its HTTP client does.
            said, hint = what_the_hub_said(error, repository)
            raise NotPushed(f"The model was not uploaded: {said}.", hint=hint) from error
    return f"hf://{repository}@{done.oid}"


def write_folder(
    model: nn.Module | str | os.PathLike[str],
    repository: str,
    folder: str | os.PathLike[str],
    *,
    sample: str | os.PathLike[str] | None = None,
) -> Path:
    """Writes the folder that `push` would upload, without any network; `load` takes it as a model.

    Args:
        model: as for `push`.
        repository: ``owner/name``, which the card names.
        folder: one that does not exist, or is empty.
        sample: as for `push`.

    Raises:
        ConfigError: there are files in the folder.
        NotPushed: it cannot be written.
    """
    _require_repository(repository)
    target = Path(folder).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is not empty", hint="name a folder that does not exist yet")
    with _folder(model, repository, sample) as made:
        try:
            target.mkdir(parents=True, exist_ok=True)
            for file in made.iterdir():
                shutil.move(file, target / file.name)
        except OSError as error:
            raise NotPushed(f"{target} cannot be written: {error.strerror or error}") from error
    return target


@contextmanager
def _folder(
    model: nn.Module | str | os.PathLike[str], repository: str, sample: str | os.PathLike[str] | None
) -> Iterator[Path]:
    """Yields a temporary folder in the Hub's layout."""
    picture = None if sample is None else _picture(Path(sample))
    with tempfile.TemporaryDirectory(prefix="essmc-push-") as made:
        file = Path(made, WEIGHTS)
        described = None if isinstance(model, nn.Module) else _described(Path(model))
        if described is not None:
            shutil.copyfile(described, file)
        else:
            save(model if isinstance(model, nn.Module) else load(model), file)
        said = read_description(file)
        if said is None:
            raise UnknownModel(f"{model} does not say which model it holds the weights of")
        named = None
        if picture is not None:
            named = f"sample{picture.suffix.lower()}"
            shutil.copyfile(picture, Path(made, named))
        make_model_card(said, repository, sample=named).save(Path(made, "README.md"))
        yield Path(made)


def _described(path: Path) -> Path | None:
    """Returns a file of `save`, which is uploaded as it is; None for what has to be loaded and saved."""
    file = path / WEIGHTS if path.is_dir() else path
    return file if file.suffix == ".safetensors" and file.is_file() and read_description(file) is not None else None


def _picture(path: Path) -> Path:
    if not path.is_file():
        raise ConfigError(f"there is no picture {path}")
    if path.suffix.lower() not in _PICTURES:
        raise ConfigError(f"{path} is no picture", hint=f"a sample is a file that ends in {', '.join(_PICTURES)}")
    return path


def _require_repository(name: str) -> None:
    if _REPOSITORY.fullmatch(name) is None:
        raise ConfigError(f"{name!r} names no repository of the Hub", hint="write owner/name")
