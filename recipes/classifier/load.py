"""Loads a classifier and measures it: `python -m recipes.classifier.load [NAME]`."""

import sys

import zoo
from zoo import console, labelled, starting


def load(name="classifier_fmnist"):
    """Returns the `zoo.Classifier` of a name, a run's `model` folder or an `hf://` address."""
    return zoo.load(name)


def main(name="classifier_fmnist"):
    """Prints the accuracy on the test images of the model's own data set."""
    with console.user_errors():
        console.import_keras()
        model = load(name)
        images = labelled.test_images(model.config, starting.class_names(name))
        accuracy = model.evaluate(images)["accuracy"]
        print(f"{name}: accuracy {accuracy:.2%} on {len(images):,} test images")


if __name__ == "__main__":
    main(*sys.argv[1:2])
