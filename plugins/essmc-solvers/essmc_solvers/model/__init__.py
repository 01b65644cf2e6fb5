"""A run's model: how it is called, what of it is frozen, which precision it needs."""
