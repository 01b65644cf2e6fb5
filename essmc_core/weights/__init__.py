"""Weights: from a URI to a loaded module, with a report. Fetching works without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from essmc_core.foundation.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from essmc_core.weights.direct_build import build_with_weights as build_with_weights
    from essmc_core.weights.fetching import fetch as fetch
    from essmc_core.weights.load import load_pretrained as load_pretrained
    from essmc_core.weights.options import WeightsIssue as WeightsIssue
    from essmc_core.weights.options import weights_issues as weights_issues
    from essmc_core.weights.random_fills import skip_init as skip_init
    from essmc_core.weights.random_weights import RandomWeights as RandomWeights
    from essmc_core.weights.read import read_weights as read_weights
    from essmc_core.weights.report import LoadReport as LoadReport
    from essmc_core.weights.source import WeightsSource as WeightsSource

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "LoadReport": ".report",
        "RandomWeights": ".random_weights",
        "WeightsIssue": ".options",
        "WeightsSource": ".source",
        "build_with_weights": ".direct_build",
        "fetch": ".fetching",
        "load_pretrained": ".load",
        "read_weights": ".read",
        "skip_init": ".random_fills",
        "weights_issues": ".options",
    },
)
