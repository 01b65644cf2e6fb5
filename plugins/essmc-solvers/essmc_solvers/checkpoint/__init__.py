"""Checkpoints: sealed files, what they hold, and which of them to trust."""
