"""What is in the cache folder: listed, verified, pruned."""
