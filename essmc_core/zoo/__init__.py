"""Models by name, and everything that a configuration of one may say."""
