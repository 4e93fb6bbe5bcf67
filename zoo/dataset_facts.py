"""What cards and pages say of the training images."""

NAMED = {
    "fashion_mnist": {
        "title": "Fashion-MNIST",
        "hub": "zalando-datasets/fashion_mnist",
        "licence": "MIT",
        "size": "60,000 grey images of 28x28 pixels",
        "source": "Xiao et al. 2017, https://github.com/zalandoresearch/fashion-mnist",
        "classes": (
            *("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker"),
            *("bag", "ankle boot"),
        ),
    },
    "cifar10": {
        "title": "CIFAR-10",
        "hub": "uoft-cs/cifar10",
        "licence": "none stated by its authors; research use with citation",
        "size": "50,000 RGB images of 32x32 pixels",
        "source": "Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
        "classes": (
            *("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship"),
            "truck",
        ),
    },
}


def of(metadata):
    """Returns the facts of a model's training data; `classes` are names, in the order of labels.

    Of a person's own images only the source, the number and perhaps the classes are known.
    """
    source = metadata["dataset"]
    if source in NAMED:
        return NAMED[source]
    count = metadata.get("images", {}).get("count")
    return {
        "title": source,
        "licence": "not stated",
        "size": f"{count:,} images" if count else "Images",
        "classes": tuple(metadata.get("class_names", ())),
    }
