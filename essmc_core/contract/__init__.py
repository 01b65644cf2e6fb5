"""What models, backbones and heads agree on, and the annotations by which packs say so."""
