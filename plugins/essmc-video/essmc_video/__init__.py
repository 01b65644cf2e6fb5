"""Video backbones and the bricks they are made of."""
