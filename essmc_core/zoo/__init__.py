"""Models by name, and the sections of their configurations."""
