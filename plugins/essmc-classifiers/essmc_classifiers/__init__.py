"""Classifiers of images and videos, and the necks, heads, losses and metrics they are made of."""
