"""Metrics of generated images over a feature extractor.

`features` streams images through an extractor and `collect` keeps the results; `inception` is the
extractor of every published FID (`fetch` obtains its weights), `extractors` finds one by name.
`frechet` turns features into the FID, `extrapolation` follows it to infinitely many samples;
`kernel` is the KID, `precision_recall` also has density and coverage, `inception_score` needs a
classifier's probabilities. The submodules are imported by name, so that fetching weights or
comparing statistics does not wait for Keras.
"""
