"""`hf://owner/repo[@revision]/path`: files of the Hugging Face Hub, in the Hub's own cache."""

from __future__ import annotations

import re
from pathlib import Path

from essmc_core.errors import MissingDependency, WeightsNotFound
from essmc_core.weights.cache import is_offline

_URI = re.compile(r"hf://(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^/]+))?/(?P<path>.+)")


def fetch_from_hub(uri: str) -> Path:
    """Returns the local copy of a file of a model repository.

    Raises:
        WeightsNotFound: malformed URI, no such repository, revision or file, or not cached while offline.
        MissingDependency: huggingface_hub is not installed.
    """
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise WeightsNotFound(f"{uri} does not name a file on the Hub.", hint="Write hf://owner/repo[@revision]/path.")
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        hint = "pip install huggingface_hub"
        raise MissingDependency("hf:// needs huggingface_hub, which is not installed.", hint=hint) from error
    offline = is_offline()
    try:
        return Path(hf_hub_download(parts["repo"], parts["path"], revision=parts["revision"], local_files_only=offline))
    except LocalEntryNotFoundError as error:
        if offline:
            hint = f"Unset ESSMC_OFFLINE and HF_HUB_OFFLINE, or run once: hf download {parts['repo']} {parts['path']}"
            message = f"The weights {uri} are not in the Hub's cache and this session is offline."
            raise WeightsNotFound(message, hint=hint) from error
        raise WeightsNotFound(f"The Hub cannot be reached for {uri}.", hint="Check the network.") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise WeightsNotFound(f"Cannot fetch the weights {uri}: {error}.") from error
