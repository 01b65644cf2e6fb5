"""How each of torchvision's image families runs from images to its last map, and from there to one vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from essmc_torchvision.trunk import Trunk


class AlexNetTrunk(Trunk, models.AlexNet):
    """Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014."""

    LAST = "classifier.6"
    MIN_SIZE = (63, 63)

    def _map_channels(self, width: int) -> int:
        return 256


class VGGTrunk(Trunk, models.VGG):
    """Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015."""

    LAST = "classifier.6"
    MIN_SIZE = (32, 32)

    def _map_channels(self, width: int) -> int:
        return 512


class ResNetTrunk(Trunk, models.ResNet):
    """He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; ResNeXt and wide ResNet too."""

    CHAIN = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    HEAD = "fc"


class RegNetTrunk(Trunk, models.RegNet):
    """Radosavovic et al., "Designing Network Design Spaces", CVPR 2020."""

    CHAIN = ("stem", "trunk_output")
    HEAD = "fc"


class ConvNeXtTrunk(Trunk, models.ConvNeXt):
    """Liu et al., "A ConvNet for the 2020s", CVPR 2022."""

    LAST = "classifier.2"
    MIN_SIZE = (32, 32)

    def _pool(self, state: Any) -> Tensor:
        # The head begins with a layer norm over channels, which takes maps.
        return self._head(self.avgpool(state)).flatten(1)


class EfficientNetTrunk(Trunk, models.EfficientNet):
    """Tan and Le, "EfficientNet", ICML 2019, and "EfficientNetV2", ICML 2021."""

    LAST = "classifier.1"


class MobileNetV2Trunk(Trunk, models.MobileNetV2):
    """Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018."""

    LAST = "classifier.1"

    def _pool(self, state: Any) -> Tensor:
        return self._head(functional.adaptive_avg_pool2d(state, 1).flatten(1))


class MobileNetV3Trunk(Trunk, models.MobileNetV3):
    """Howard et al., "Searching for MobileNetV3", ICCV 2019."""

    LAST = "classifier.3"

    def _drop_last_layer(self) -> int:
        self._widths = (int(self.classifier[0].in_features), super()._drop_last_layer())
        return self._widths[1]

    def _map_channels(self, width: int) -> int:
        return self._widths[0]


class MNASNetTrunk(Trunk, models.MNASNet):
    """Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", CVPR 2019."""

    CHAIN = ("layers",)
    LAST = "classifier.1"

    def _pool(self, state: Any) -> Tensor:
        return self._head(state.mean((2, 3)))

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        *outcome: Any,
    ) -> None:
        # torchvision refuses weights without a version, and plain dictionaries of tensors have none.
        super()._load_from_state_dict(state_dict, prefix, {"version": 2, **local_metadata}, *outcome)


class DenseNetTrunk(Trunk, models.DenseNet):
    """Huang et al., "Densely Connected Convolutional Networks", CVPR 2017."""

    MIN_SIZE = (29, 29)

    def _end(self, state: Any) -> Any:
        return functional.relu(state)

    def _pool(self, state: Any) -> Tensor:
        return self._head(functional.adaptive_avg_pool2d(state, 1).flatten(1))


class SqueezeNetTrunk(Trunk, models.SqueezeNet):
    """Iandola et al., "SqueezeNet", 2016. Its classifier is a convolution before the pooling: the head is a new one."""

    LAST = "classifier.1"
    MIN_SIZE = (21, 21)

    def _drop_last_layer(self) -> int:
        width = super()._drop_last_layer()
        self.classifier = nn.AdaptiveAvgPool2d(1)
        return width

    def _pool(self, state: Any) -> Tensor:
        return self._head(state).flatten(1)


class ShuffleNetV2Trunk(Trunk, models.ShuffleNetV2):
    """Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", ECCV 2018."""

    CHAIN = ("conv1", "maxpool", "stage2", "stage3", "stage4", "conv5")
    HEAD = "fc"

    def _pool(self, state: Any) -> Tensor:
        return self._head(state.mean((2, 3)))


class GoogLeNetTrunk(Trunk, models.GoogLeNet):
    """Szegedy et al., "Going Deeper with Convolutions", CVPR 2015."""

    CHAIN = (
        "conv1", "maxpool1", "conv2", "conv3", "maxpool2", "inception3a", "inception3b", "maxpool3", "inception4a",
        "inception4b", "inception4c", "inception4d", "inception4e", "maxpool4", "inception5a", "inception5b",
    )  # fmt: skip
    HEAD = "fc"
    MIN_SIZE = (15, 15)

    def _start(self, x: Tensor) -> Any:
        return self._transform_input(x)


class Inception3Trunk(Trunk, models.Inception3):
    """Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016."""

    CHAIN = (
        "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2",
        "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a",
        "Mixed_7b", "Mixed_7c",
    )  # fmt: skip
    HEAD = "fc"
    MIN_SIZE = (75, 75)

    def _start(self, x: Tensor) -> Any:
        return self._transform_input(x)


class SwinTrunk(Trunk, models.SwinTransformer):
    """Liu et al., "Swin Transformer", ICCV 2021, and "Swin Transformer V2", CVPR 2022."""

    HEAD = "head"
    CHANNELS_LAST = True
    MIN_SIZE = (4, 4)

    def _end(self, state: Any) -> Any:
        return self.norm(state)


class MaxVitTrunk(Trunk, models.MaxVit):
    """Tu et al., "MaxViT: Multi-Axis Vision Transformer", ECCV 2022."""

    CHAIN = ("stem", "blocks")
    LAST = "classifier.5"

    @property
    def fixed_size(self) -> tuple[int, ...] | None:
        """Twice the first block's input, in pixels: windows are laid out when it is built."""
        grid = self.blocks[0].grid_size
        return (4 * grid[0], 4 * grid[1])

    def _pool(self, state: Any) -> Tensor:
        return self._head(state)


class VisionTransformerTrunk(Trunk, models.VisionTransformer):
    """Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021; the vector is the class token."""

    CHAIN = ("encoder.layers",)
    HEAD = "heads"
    LAST = "heads.head"
    EVERY_STEP: ClassVar[bool] = True

    @property
    def fixed_size(self) -> tuple[int, ...] | None:
        """The size its position embedding was made for."""
        return (self.image_size, self.image_size)

    def _map_channels(self, width: int) -> int:
        return int(self.hidden_dim)

    def _start(self, x: Tensor) -> Any:
        patches = self.conv_proj(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(patches.shape[0], -1, -1), patches], dim=1)
        return self.encoder.dropout(tokens + self.encoder.pos_embedding)

    def _end(self, state: Any) -> Any:
        return self.encoder.ln(state)

    def _as_map(self, state: Any) -> Tensor:
        side = self.image_size // self.patch_size
        return torch.unflatten(state[:, 1:].transpose(1, 2), 2, (side, side))

    def _pool(self, state: Any) -> Tensor:
        return self._head(state[:, 0])
