"""Operations that PyTorch's CPU kernels compute slowly or wrongly, and the route taken instead: one table.

``table`` holds one row per route, whose condition the layers of packs evaluate; ``conditions`` defines the conditions.
``python benchmarks/cpu_routes.py`` compares every route with PyTorch's own kernels.
"""
