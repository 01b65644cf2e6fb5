"""TAdaFormer: CLIP's image transformer with adaptive convolutions over time in every layer."""
