"""S3D-G gives the numbers of TAdaConv's own code."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from essmc_core import BACKBONES
from tests.parity.beyond import Parity, Port


class TestS3DG(Parity):
    ports: ClassVar = {"tada_s3dg": Port(partial(BACKBONES.build, "S3DG"))}
