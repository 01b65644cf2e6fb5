"""Helpers without any knowledge of models: names, settings, folders, atomic files, plain data."""
