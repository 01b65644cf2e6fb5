"""Nine motions of handwritten digits: a small video model, its weights, and a clip to try them on."""
