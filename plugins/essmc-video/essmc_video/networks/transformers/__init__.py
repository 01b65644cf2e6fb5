"""Video transformers: ViViT, TimeSformer, and the configurable encoders and bricks they are made of."""
