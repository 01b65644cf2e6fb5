"""MViT: transformers whose tokens become fewer and wider with depth."""
