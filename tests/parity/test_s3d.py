"""S3D-G gives the numbers of TAdaConv's own code, and S3D those of torchvision's."""

from __future__ import annotations

from functools import partial

from essmc_core import BACKBONES
from tests.parity.beyond import Parity, Port


class TestS3DG(Parity):
    ports = {"tada_s3dg": Port(partial(BACKBONES.build, "S3DG"))}
