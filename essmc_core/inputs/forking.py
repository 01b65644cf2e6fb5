"""Keeps processes that are forked off, as loading workers are, from closing the video decoders of their parent."""

from __future__ import annotations

import functools
import gc
import os


@functools.cache
def leave_decoders_to_this_process() -> None:
    """Lets forked processes collect only what they make themselves; to be called before a decoder is opened.

    A decoder's threads do not live on in a forked process. One that is garbage in its parent, and is collected in the
    child, waits for them for ever.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=gc.freeze)
