"""Checks of the sections of a configuration before anything is built."""
