"""EfficientNet-Lite zoo entries whose weights are installed with this pack."""
