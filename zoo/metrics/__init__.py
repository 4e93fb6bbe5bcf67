"""Metrics of generated images over a feature extractor.

`features` streams images through an extractor, `inception` is the one of every published FID
(`fetch` obtains its weights), `frechet` turns features into the FID. The submodules are imported
by name, so that fetching weights or comparing statistics does not wait for Keras.
"""
