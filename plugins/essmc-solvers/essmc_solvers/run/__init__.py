"""A run as hooks see it, and how far it has come."""
