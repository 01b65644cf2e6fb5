"""Layouts of other projects' files, as data: which network a state dict belongs to, from its names and shapes."""
