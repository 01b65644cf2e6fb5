"""`hf://owner/repo[@revision]/path`: files of the Hugging Face Hub, in the Hub's own cache."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from essmc_core.errors import MissingDependency, WeightsNotFound
from essmc_core.weights.cache import is_offline

UNREACHABLE = "Check the network; with ESSMC_OFFLINE=1 nothing is fetched and what is in the cache is used."
COMMIT = re.compile(r"[0-9a-f]{40}")
# Seconds for connecting.
_PATIENCE = 4.0
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
    name, revision = (parts["repo"], parts["path"]), parts["revision"]
    if not offline and revision is not None and COMMIT.fullmatch(revision):
        # What a commit names never changes, so that nobody has to be asked.
        with suppress(LocalEntryNotFoundError):
            return Path(hf_hub_download(*name, revision=revision, local_files_only=True))
    only_local = offline or not hub_is_reachable()
    try:
        return Path(hf_hub_download(*name, revision=revision, local_files_only=only_local))
    except LocalEntryNotFoundError as error:
        if offline:
            hint = f"Unset ESSMC_OFFLINE and HF_HUB_OFFLINE, or run once: hf download {parts['repo']} {parts['path']}"
            message = f"The weights {uri} are not in the Hub's cache and this session is offline."
            raise WeightsNotFound(message, hint=hint) from error
        if only_local:
            raise WeightsNotFound(f"The Hub cannot be reached for {uri}.", hint=UNREACHABLE) from error
        raise _refused(error, uri, parts["repo"], revision) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise _refused(error, uri, parts["repo"], revision) from error


def _refused(error: Exception, uri: str, repository: str, revision: str | None) -> WeightsNotFound:
    from essmc_core.weights.hub_answers import what_the_hub_said

    message, hint = what_the_hub_said(error, repository, revision=revision)
    return WeightsNotFound(f"Cannot fetch the weights {uri}: {message}.", hint=hint)


def hub_is_reachable() -> bool:
    """Returns whether the Hub answers at all, within seconds; its own client tries for half a minute."""
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=_PATIENCE)
    # The client is of requests or of httpx, by the version of huggingface_hub; any answer is one.
    except Exception:
        return False
    return True
