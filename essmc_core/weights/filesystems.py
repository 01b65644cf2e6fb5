"""Downloads through fsspec: s3, gs, oss, sftp and its other schemes."""

from __future__ import annotations

import shutil
from typing import BinaryIO

from essmc_core.errors import MissingDependency, WeightsError, WeightsNotFound


def download(uri: str, target: BinaryIO) -> None:
    """Writes the file behind ``uri`` to ``target``.

    Raises:
        WeightsNotFound: no such file or scheme, or the store cannot be reached.
        MissingDependency: the scheme's driver is not installed.
    """
    import fsspec

    scheme = uri.partition("://")[0]
    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
    except ImportError as error:
        raise MissingDependency(f"{scheme}:// needs a driver that is not installed.", hint=str(error)) from error
    except ValueError as error:
        known = "a path, file, http, https, pkg, hf, or a scheme of fsspec"
        raise WeightsNotFound(f"Cannot read the weights {uri}: {error}.", hint=f"Use {known}.") from error
    try:
        size = filesystem.size(path)
        with filesystem.open(path, "rb") as stream:
            shutil.copyfileobj(stream, target, 1 << 20)
    except WeightsError:
        raise
    except Exception as error:
        # Drivers raise their own exceptions (botocore, aiohttp, ...); the cause is chained.
        raise WeightsNotFound(f"Cannot fetch the weights {uri}: {type(error).__name__}: {error}.") from error
    if size is not None and target.tell() != size:
        raise WeightsNotFound(f"Fetching {uri} broke off after {target.tell()} of {size} bytes.", hint="Try again.")
