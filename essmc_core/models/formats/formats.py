"""All formats of exported files, by name and by what a file is."""

from __future__ import annotations

from collections.abc import Mapping

from essmc_core.models.formats.file_format import FileFormat
from essmc_core.models.formats.onnx import Onnx
from essmc_core.models.formats.openvino import OpenVino
from essmc_core.models.formats.pt2 import Pt2
from essmc_core.models.formats.torchscript import TorchScript

FORMATS: Mapping[str, FileFormat] = {kind.name: kind for kind in (Pt2(), TorchScript(), Onnx(), OpenVino())}
