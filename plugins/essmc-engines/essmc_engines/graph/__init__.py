"""A model's test mode as a graph of PyTorch's own operations, and what can be computed before it runs."""
