"""The contract of models, backbones and heads, and the annotations by which packs declare it."""
