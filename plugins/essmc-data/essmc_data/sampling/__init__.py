"""Sampling: which frames of a video, which items of a data set, and the random numbers of each item."""
