"""Temporal shift: channels that look one frame ahead or back."""
