"""Training hooks: what happens around iterations and epochs, one hook a file.

The hooks that packs implement, marked by `essmc_core.hookimpl`, are another kind: see ``plugin.py``.
"""
