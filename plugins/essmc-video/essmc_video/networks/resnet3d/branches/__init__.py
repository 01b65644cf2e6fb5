"""Residual branches: what runs beside the shortcut of a block."""
