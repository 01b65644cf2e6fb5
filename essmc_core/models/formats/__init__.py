"""Formats of exported files: one file each, that writes and opens it."""
