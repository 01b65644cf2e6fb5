"""OpenVINO: a description in XML, and its weights beside it."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.errors import WeightsCorrupt
from essmc_core.models.formats.file_format import FileFormat, Opened, require
from essmc_core.models.formats.onnx import onnx_network
from essmc_core.weights.digest import sha256_of

_PLACE = ["essmc", "card"]
_DIGEST = ["essmc", "weights_sha256"]
_STATED = re.compile(r'<weights_sha256 value="([0-9a-f]{64})"')


class OpenVino(FileFormat):
    """``NAME.xml`` with the card in its ``rt_info``, and ``NAME.bin`` with weights in float32.

    The description states the digest of the weights, because two files cannot be replaced as one.
    """

    name = "openvino"
    suffix = ".xml"
    packages = ("openvino", "onnx", "onnxscript")
    may_hold_its_batch = True

    def write(self, model: nn.Module, example: Tensor, free: Collection[int], card: str, file: Path) -> None:
        """Writes both files, for any batch if OpenVINO can run that; see `FileFormat.write`."""
        import onnx  # type: ignore[import-not-found,import-untyped,unused-ignore]
        import openvino  # type: ignore[import-not-found,import-untyped,unused-ignore]

        network = io.BytesIO()
        onnx.save(onnx_network(model, example, free), network)
        read: Any = openvino.Core().read_model(io.BytesIO(network.getvalue()))
        if not free and not _runs(read, example):
            read.reshape([1, *example.shape[1:]])
        read.set_rt_info(card, _PLACE)
        openvino.save_model(read, str(file), compress_to_fp16=False)
        # The digest is known only when the weights have been written.
        read.set_rt_info(sha256_of(_weights(file)), _DIGEST)
        openvino.save_model(read, str(file), compress_to_fp16=False)

    def open(self, path: Path, device: torch.device) -> Opened:
        """Compiles the network for the CPU; see `FileFormat.open`.

        Raises:
            WeightsCorrupt: the weights beside it are of another network, or not there.
        """
        require(("openvino",), "OpenVINO's files are run by")
        import openvino  # type: ignore[import-not-found,import-untyped,unused-ignore]

        weights = _weights(path)
        if not weights.is_file():
            raise WeightsCorrupt(
                f"{path} lacks its weights: there is no {weights}.", hint="Both files belong together."
            )
        # Read as text: with the weights of another network the file may not even be opened.
        stated = _STATED.search(path.read_text(encoding="utf-8"))
        if stated is not None and stated[1] != sha256_of(weights):
            raise WeightsCorrupt(f"{weights} has the weights of another network than {path}.", hint="Export it anew.")
        read: Any = openvino.Core().read_model(str(path))
        card = read.get_rt_info(_PLACE).astype(str) if read.has_rt_info(_PLACE) else ""
        compiled: Any = openvino.Core().compile_model(read, "CPU", _SETTINGS)
        size = compiled.inputs[0].partial_shape[0]

        def run(inputs: Tensor) -> list[Tensor]:
            found = compiled([inputs.cpu().numpy()])
            return [torch.from_numpy(found[output].copy()) for output in compiled.outputs]

        return Opened(run, card, [], size.get_length() if size.is_static else None)

    def files(self, path: Path) -> Sequence[Path]:
        """Returns the weights and the description, which is put in place last."""
        return (_weights(path), path)


_SETTINGS = {"INFERENCE_PRECISION_HINT": "f32"}


def _runs(read: Any, example: Tensor) -> bool:
    """Tells whether OpenVINO runs batches of more than one size."""
    import openvino  # type: ignore[import-not-found,import-untyped,unused-ignore]

    try:
        compiled: Any = openvino.Core().compile_model(read, "CPU", _SETTINGS)
        for batch in (example, example[:1], torch.cat([example, example[:1]])):
            compiled([batch.numpy()])
    except RuntimeError:
        return False
    return True


def _weights(path: Path) -> Path:
    return path.with_suffix(".bin")
