"""Training recipes: one folder each, with its architecture, script, loader and README."""
