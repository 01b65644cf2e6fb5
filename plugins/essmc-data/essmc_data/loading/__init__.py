"""Loaders: which items, in which order, together in which batch."""

from __future__ import annotations

from essmc_data.loading.loader import Loader as Loader
from essmc_data.loading.loader import build_loader as build_loader
