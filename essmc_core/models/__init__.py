"""Whole models: building by name, prediction, export, measurement."""
