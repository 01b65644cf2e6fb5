"""Published networks: video transformers with other defaults, each of which takes every argument of its base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from essmc_core.contract.annotations import NonNegativeInt, PositiveInt, Probability
from essmc_video.networks.transformers.factorized import FactorizedTransformer
from essmc_video.networks.transformers.transformer import Transformer

TIMESFORMER_LAYERS = (("attn_dropout", 0.1), ("ff_dropout", 0.1))


@dataclass(eq=False, repr=False)
class ViVit(Transformer):
    """ViViT, model 1: joint attention over space and time.

    Arnab et al., "ViViT: A Video Vision Transformer", ICCV 2021. B/16x2 by default: (N, 3, 16, 112, 112) → (N, 768).
    Arguments are those of Transformer.
    """

    num_frames: PositiveInt = 16
    image_size: int | Sequence[int] = 112


@dataclass(eq=False, repr=False)
class ViVit_Fac_Enc(FactorizedTransformer):
    """ViViT, model 2: factorised encoder, space first and time after.

    Arnab et al., "ViViT: A Video Vision Transformer", ICCV 2021. B/16x2 by default: (N, 3, 16, 112, 112) → (N, 768).
    Arguments are those of FactorizedTransformer.
    """

    num_frames: PositiveInt = 16
    image_size: int | Sequence[int] = 112


@dataclass(eq=False, repr=False)
class ViVit_Fac_Attn(Transformer):
    """ViViT, model 3: factorised self-attention, in every layer over space and then over time.

    Arnab et al., "ViViT: A Video Vision Transformer", ICCV 2021. B/16x2 by default: (N, 3, 16, 112, 112) → (N, 768),
    the mean of all tokens. Arguments are those of Transformer.
    """

    num_frames: PositiveInt = 16
    image_size: int | Sequence[int] = 112
    branch_name: str = "FactorizedAttentionLayer"
    class_token: bool = False


@dataclass(eq=False, repr=False)
class ViVit_Fac_Dot(Transformer):
    """ViViT, model 4: factorised dot-product attention, half of the heads over space and half over time.

    Arnab et al., "ViViT: A Video Vision Transformer", ICCV 2021. B/16x2 by default: (N, 3, 16, 112, 112) → (N, 768),
    the mean of all tokens. Arguments are those of Transformer.
    """

    num_frames: PositiveInt = 16
    image_size: int | Sequence[int] = 112
    branch_name: str = "FactorizedDotProductLayer"
    class_token: bool = False


@dataclass(eq=False, repr=False)
class Timesformer(Transformer):
    """TimeSformer with divided attention: in every layer over time and then over space.

    Bertasius et al., "Is Space-Time Attention All You Need for Video Understanding?", ICML 2021. B/16 by default:
    (N, 3, 16, 112, 112) → (N, 768). As in EssentialMC2 there is one table of positions over all tokens, the class token
    attends to all of them, and no linear layer is put between both attentions. Arguments are those of Transformer;
    ``branch_cfg`` is by default attn_dropout and ff_dropout of 0.1, and replaces them where it is given.
    """

    num_frames: PositiveInt = 16
    image_size: int | Sequence[int] = 112
    drop_path: Probability = 0.0
    tubelet_size: PositiveInt = 1
    stem_name: str = "PatchEmbedStem"
    branch_name: str = "TimesformerLayer"

    default_branch_cfg: ClassVar[tuple[tuple[str, Any], ...]] = TIMESFORMER_LAYERS


@dataclass(eq=False, repr=False)
class Timesformer_Joint(Timesformer):
    """TimeSformer with joint attention over space and time.

    Bertasius et al., "Is Space-Time Attention All You Need for Video Understanding?", ICML 2021. B/16 by default:
    (N, 3, 16, 112, 112) → (N, 768). Arguments are those of Transformer; ``branch_cfg`` is by default attn_dropout and
    ff_dropout of 0.1, and replaces them where it is given.
    """

    branch_name: str = "BaseTransformerLayer"


@dataclass(eq=False, repr=False)
class Timesformer_Space(FactorizedTransformer):
    """TimeSformer with attention over space only: the frames' class tokens are averaged.

    Bertasius et al., "Is Space-Time Attention All You Need for Video Understanding?", ICML 2021. B/16 by default:
    (N, 3, 16, 112, 112) → (N, 768). Any number of frames will do. Arguments are those of FactorizedTransformer;
    ``branch_cfg`` is by default attn_dropout and ff_dropout of 0.1, and replaces them where it is given.
    """

    num_frames: PositiveInt = 16
    image_size: int | Sequence[int] = 112
    drop_path: Probability = 0.0
    tubelet_size: PositiveInt = 1
    stem_name: str = "PatchEmbedStem"
    depth_temp: NonNegativeInt = 0

    default_branch_cfg: ClassVar[tuple[tuple[str, Any], ...]] = TIMESFORMER_LAYERS
