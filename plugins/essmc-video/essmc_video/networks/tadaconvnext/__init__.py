"""TAdaConvNeXtV2: ConvNeXt whose depthwise convolutions adapt to every frame."""
