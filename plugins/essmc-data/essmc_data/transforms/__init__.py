"""Transforms: callables from item to item."""
