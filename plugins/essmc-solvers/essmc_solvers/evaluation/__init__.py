"""Evaluation: one pass over data, and metrics over all of it."""
