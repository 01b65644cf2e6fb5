"""Tools for authors of packs: `essmc check`, `essmc new-pack`, and tests to inherit."""
