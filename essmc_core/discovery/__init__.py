"""Discovery of installed packs: metadata, guarded import, hooks, quarantine."""

from essmc_core.discovery.discover import Discovery
from essmc_core.discovery.pack import Pack, broken_pack

__all__ = ["Discovery", "Pack", "broken_pack"]
