"""The model contract and the registries of a model zoo whose components are installed by pip.

Importing this package discovers the installed packs by their metadata; it imports neither torch nor any of the code
that builds models. Names that need torch are imported on first access. What ``ESSMC_CODE`` names is imported last.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from typing import TYPE_CHECKING

from essmc_core.contract.annotations import (
    Backbone,
    Brick,
    Dataset,
    FeatureDim,
    FeatureRank,
    FrameSampler,
    Head,
    Hook,
    Loss,
    LrScheduler,
    Metric,
    Model,
    Neck,
    Optimizer,
    Solver,
    Transform,
)
from essmc_core.discovery import Pack
from essmc_core.discovery.hooks import hookimpl
from essmc_core.errors import EssmcError
from essmc_core.foundation.lazy_exports import lazy_exports
from essmc_core.foundation.version import __version__
from essmc_core.models.defaults import (
    BACKBONES,
    BRICKS,
    DATASETS,
    DISCOVERY,
    FRAME_SAMPLERS,
    HEADS,
    HOOKS,
    LOSSES,
    LR_SCHEDULERS,
    METRICS,
    MODELS,
    NECKS,
    OPTIMIZERS,
    SOLVERS,
    STEMS,
    TRANSFORMS,
    ZOO,
)
from essmc_core.models.defaults import REGISTRIES as REGISTRIES

if TYPE_CHECKING:
    from essmc_core.config import Config, load_config
    from essmc_core.contract.module import TrainModule
    from essmc_core.models.converting import Conversion, convert
    from essmc_core.models.engines.optimizing import optimize
    from essmc_core.models.engines.predictor import Predictor
    from essmc_core.models.exporting import Export, export_model
    from essmc_core.models.factory import build_model, list_models
    from essmc_core.models.loading import load
    from essmc_core.models.prediction import Prediction, predict
    from essmc_core.models.pushing import push
    from essmc_core.models.saving import save
    from essmc_core.weights import LoadReport, load_pretrained

__all__ = [
    "BACKBONES",
    "BRICKS",
    "DATASETS",
    "FRAME_SAMPLERS",
    "HEADS",
    "HOOKS",
    "LOSSES",
    "LR_SCHEDULERS",
    "METRICS",
    "MODELS",
    "NECKS",
    "OPTIMIZERS",
    "REGISTRIES",
    "SOLVERS",
    "STEMS",
    "TRANSFORMS",
    "ZOO",
    "Backbone",
    "Brick",
    "Config",
    "Conversion",
    "Dataset",
    "EssmcError",
    "Export",
    "FeatureDim",
    "FeatureRank",
    "FrameSampler",
    "Head",
    "Hook",
    "LoadReport",
    "Loss",
    "LrScheduler",
    "Metric",
    "Model",
    "Neck",
    "Optimizer",
    "Pack",
    "Prediction",
    "Predictor",
    "Solver",
    "TrainModule",
    "Transform",
    "__version__",
    "build_model",
    "convert",
    "export_model",
    "hookimpl",
    "list_models",
    "load",
    "load_config",
    "load_pretrained",
    "optimize",
    "packs",
    "predict",
    "push",
    "rediscover",
    "save",
]


def packs() -> list[Pack]:
    """Returns every installed pack, broken and blocked ones included, in the order of their names."""
    return list(DISCOVERY.packs.values())


def rediscover() -> list[Pack]:
    """Discovers packs again, e.g. after ``pip install`` in a notebook; components of user code stay registered.

    Code of a pack that was imported before stays in memory: after an upgrade, restart Python.
    """
    importlib.invalidate_caches()
    return DISCOVERY.run()


__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Config": "essmc_core.config",
        "load_config": "essmc_core.config",
        "build_model": "essmc_core.models.factory",
        "list_models": "essmc_core.models.factory",
        "Export": "essmc_core.models.exporting",
        "export_model": "essmc_core.models.exporting",
        "Conversion": "essmc_core.models.converting",
        "convert": "essmc_core.models.converting",
        "load": "essmc_core.models.loading",
        "save": "essmc_core.models.saving",
        "push": "essmc_core.models.pushing",
        "TrainModule": "essmc_core.contract.module",
        "LoadReport": "essmc_core.weights",
        "load_pretrained": "essmc_core.weights",
        "optimize": "essmc_core.models.engines.optimizing",
        "Predictor": "essmc_core.models.engines.predictor",
        "Prediction": "essmc_core.models.prediction",
        "predict": "essmc_core.models.prediction",
    },
)


def _discover() -> None:
    DISCOVERY.run()
    # The command line reports the same as an error.
    if DISCOVERY.complaints and os.path.basename(sys.argv[0] if sys.argv else "") not in ("essmc", "essmc.exe", "-m"):
        from essmc_core.foundation.settings import SettingWarning

        for complaint in DISCOVERY.complaints:
            warnings.warn(str(complaint), SettingWarning, stacklevel=3)


_discover()
