"""Checks of a distribution's files and of its discovery."""
