"""What PyTorch's kernels for CPUs compute slowly or wrongly, and the way that is taken instead: one table of routes.

``table`` holds a row for each, which the layers of packs ask before they take it; ``conditions`` what the rows ask.
``python benchmarks/cpu_routes.py`` runs every row's way beside PyTorch's own.
"""
