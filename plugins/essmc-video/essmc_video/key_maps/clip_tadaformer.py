"""Key maps between CLIP's image transformer and `TAdaFormer`, for backbones, both ways.

CLIP's patch convolution is 2D: load it with ``inflate="centre"``. What adapts over time is TAdaFormer's alone. CLIP's
projection to the space of texts has its place with ``output_dim``; without, ``allow_unused=["proj"]`` leaves it.
"""

from __future__ import annotations

KeyMap = tuple[tuple[str, str], ...]

FROM_CLIP: KeyMap = ((r"^visual\.", ""), (r"^transformer\.resblocks\.", "layers."))
TO_CLIP: KeyMap = ((r"^layers\.", "transformer.resblocks."), (r"^", "visual."))
