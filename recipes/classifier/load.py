"""Loads a classifier and measures it: `python -m recipes.classifier.load [NAME]`."""

import argparse

import zoo
from zoo import console


def load(name="classifier_fmnist"):
    """Returns the `zoo.Classifier` of a name, a run's `model` folder or an `hf://` address."""
    return zoo.load(name)


def main(name="classifier_fmnist"):
    """Prints the accuracy on the test images of the model's own data set."""
    with console.user_errors():
        console.import_keras()
        from zoo import labelled, starting

        model = load(name)
        if not isinstance(model, zoo.Classifier):
            raise ValueError(f"{name!r} is a {model.kind}, not a classifier.")
        images = labelled.test_images(model.config, starting.stated(name, "class_names") or ())
        accuracy = model.evaluate(images)["accuracy"]
        print(f"{name}: accuracy {accuracy:.2%} on {len(images):,} test images")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measures a classifier on its test images.")
    parser.add_argument("name", nargs="?", default="classifier_fmnist", help="as for zoo.load")
    main(parser.parse_args().name)
