"""A pack with nothing wrong."""
