"""Measurements anyone can rerun; see the first lines of each script."""
