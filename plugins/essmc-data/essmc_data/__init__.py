"""Readers, frame samplers, transforms and datasets; nothing is imported until it is named."""
