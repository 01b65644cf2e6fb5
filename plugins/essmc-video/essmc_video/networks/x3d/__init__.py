"""X3D: networks grown from a tiny 2D one along time, space, width and depth."""
