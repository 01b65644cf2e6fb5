"""Datasets: items with ``meta``, ``img`` or ``video``, and ``gt_label``."""
