"""Feature extractors by name."""

import contextlib

from zoo import registry
from zoo.metrics import features

NAMES = ("inception", "classifier")
DTYPES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def get(name, dataset=None, dtype="float32", weights=None):
    """Returns an extractor.

    Args:
        name: "inception", "classifier" (the published classifier of `dataset`), the name of a
            published classifier, or an extractor, which is returned as it is.
        dataset: name of the data set that "classifier" is to know.
        dtype: "float32" or "bfloat16", of the Inception network only.
        weights: path of the Inception weights; see `zoo.metrics.inception.find_weights`.

    Raises:
        ValueError: there is no such extractor, or no classifier of that data set.
        FileNotFoundError: the Inception weights are missing.
    """
    if isinstance(name, features.Extractor):
        return name
    if name == "inception":
        from zoo.metrics import inception

        if dtype not in DTYPES:
            raise ValueError(f"dtype must be {' or '.join(DTYPES)}, but is {dtype!r}.")
        with _full_precision():
            return inception.Inception(weights, DTYPES[dtype])
    if dtype != "float32":
        raise ValueError("Only the inception extractor has another dtype than float32.")
    published = classifiers()
    if name == "classifier":
        name = next((model for model, of in published.items() if of == dataset), None)
        if name is None:
            known = ", ".join(sorted(set(published.values())))
            raise ValueError(
                f"There is no published classifier of {dataset!r}"
                + (f", only of {known}" if known else "")
                + ": use --extractor inception, and train without --fid_every."
            )
    if name not in published:
        accepted = ", ".join([*NAMES, *published])
        raise ValueError(f"There is no extractor {name!r}; accepted are {accepted}.")
    from zoo.metrics import classifier_features

    with _full_precision():
        return classifier_features.classifier_extractor(name)


@contextlib.contextmanager
def _full_precision():
    """Builds networks in float32: the policy of a training run must not change what is measured."""
    import keras

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def classifiers():
    """Returns {name: data set} of the published classifiers."""
    return {
        name: entry["dataset"]
        for name, entry in registry.index().items()
        if registry.import_recipe(entry["recipe"]).Config.kind == "Classifier"
    }
