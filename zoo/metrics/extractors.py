"""Feature extractors by name."""

from zoo import data, registry
from zoo.metrics import features
from zoo.policy import dtype_policy

NAMES = ("inception", "classifier")
# Of the named sets, however many others are published: all numbers are to compare.
OWN = {"fashion_mnist": "classifier_fmnist", "cifar10": "classifier_cifar10"}


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

        with dtype_policy("float32"):  # that of a training run must not change what is measured
            return inception.Inception(weights, dtype)
    if dtype != "float32":
        raise ValueError("Only the inception extractor has another dtype than float32.")
    published = classifiers()
    if name == "classifier":
        found = [model for model, of in published.items() if of == dataset]
        if OWN.get(dataset) in found:
            found = [OWN[dataset]]
        if len(found) > 1:
            raise ValueError(
                f"{' and '.join(found)} are published classifiers of {dataset!r}: name one."
            )
        if not found:
            known = ", ".join(sorted(set(published.values())))
            raise ValueError(
                f"There is no published classifier of {dataset!r}"
                + (f", only of {known}" if known else "")
                + ": use --extractor inception, and train without --fid_every."
            )
        (name,) = found
    if name not in published:
        accepted = ", ".join([*NAMES, *published])
        raise ValueError(f"There is no extractor {name!r}; accepted are {accepted}.")
    from zoo.metrics import classifier_features

    with dtype_policy("float32"):
        return classifier_features.classifier_extractor(name)


def has_classifier(config):
    """Whether there is a published classifier for the images that models of a config generate."""
    native = config.image_shape == data.NAMED.get(config.dataset)
    return native and config.dataset in classifiers().values()


def classifiers():
    """Returns {name: data set} of the published classifiers."""
    return {
        name: entry["dataset"]
        for name, entry in registry.index().items()
        if registry.import_recipe(entry["recipe"]).Config.kind == "Classifier"
    }
