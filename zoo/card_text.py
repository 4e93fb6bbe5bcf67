"""The text of a card, made from `metadata.json` alone: the same facts give the same card."""

from zoo import card_numbers, dataset_facts, registry

REQUIRED = (
    *("name", "recipe", "dataset", "licence", "command", "config", "steps", "minutes"),
    *("hardware", "versions", "parameters", "files", "metrics"),
)


def card(metadata):
    """Returns the card of one model as Markdown, with front matter for the Hugging Face Hub."""
    return f"---\n{front_matter(metadata)}\n---\n\n{body(metadata)}"


def missing(metadata):
    """Returns the names of the facts that a complete card needs and `metadata` lacks, sorted."""
    kind = _kind(metadata)
    lacking = {key for key in (*REQUIRED, *kind.required) if metadata.get(key) in (None, "", [])}
    lacking |= {file for file in kind.files if file not in metadata.get("files", {})}
    return sorted(lacking | set(kind.missing_numbers(metadata)))


def absent(metadata):
    """Returns the names of facts without which there is no card; own pictures have no metrics."""
    return sorted({*REQUIRED} - {"metrics", *metadata})


def front_matter(metadata):
    """Returns the YAML that the Hub reads: licence, library, data, metrics."""
    from huggingface_hub import ModelCardData

    kind = _kind(metadata)
    results = kind.results(metadata)
    dataset = dataset_facts.of(metadata)
    facts = ModelCardData(
        license=metadata["licence"].lower(),
        library_name="keras",
        pipeline_tag=kind.task,
        tags=["keras-gan-zoo", *kind.tags, metadata["recipe"].replace("_", "-")],
        datasets=[dataset["hub"]] if "hub" in dataset else None,
        metrics=sorted({result.metric_type for result in results}) or None,
        model_name=metadata["name"] if results else None,
        eval_results=results or None,
    )
    return facts.to_yaml().strip()


def body(metadata):
    """Returns the card without its front matter."""
    kind, dataset, name = _kind(metadata), dataset_facts.of(metadata), metadata["name"]
    versions = ", ".join(f"{name} {version}" for name, version in metadata["versions"].items())
    sizes = [f"{network} {count:,}" for network, count in metadata["parameters"].items()]
    height = metadata["config"]["image_size"]
    plans = ", then ".join(f"{steps:,}" for steps in metadata.get("planned", ()))
    planned = f" first planned for {plans}," if plans else ""
    before = metadata.get("before", [])
    after = "".join(f"{run['steps']:,} + " for run in before)
    commands = "\n".join(run["command"] for run in (*before, metadata))
    minutes = f"{metadata['minutes']:,} minutes" + "".join(
        f"; diverged at step {divergence['step']:,}, learning rates halved"
        for divergence in metadata.get("divergences", ())
    )
    curves = f"\n![Training of {name}](curves.png)\n" if "curves.png" in metadata["files"] else ""
    return f"""# {name}

{kind.introduction(metadata)}

## Intended use

{kind.use}

## Limits

{kind.limits.format(size=f"{height}x{height}")}

## Training data

{_training_data(metadata)}

## Training

| | |
|---|---|
| Recipe | `recipes/{metadata["recipe"]}` |
| Licence | weights {metadata["licence"]}; training images: {dataset["licence"]} |
| Parameters | {", ".join(sizes)} |
| Training | {after}{metadata["steps"]:,} {kind.steps},{planned} {minutes} |
| Seed | {metadata["config"]["seed"]} |
| Hardware | {metadata["hardware"]} |
| Versions | {versions} |
{kind.row(metadata)}

```
{commands}
```
{curves}{kind.numbers(metadata)}"""


def _training_data(metadata):
    """Returns two lines on the training images: what they are, and their licence."""
    facts = dataset_facts.of(metadata)
    classes = f" ({', '.join(facts['classes'])})" if facts["classes"] else ""
    if "source" not in facts:
        return f"{facts['size']} of `{facts['title']}`{classes}.\nTheir licence is not stated."
    return (
        f"{facts['title']}, training split: {facts['size']}{classes}.\n"
        f"Licence of the images: {facts['licence']}. Source: {facts['source']}."
    )


def _kind(metadata):
    return KINDS[registry.import_recipe(metadata["recipe"]).Config.kind]


def _narrower(metadata):
    """Says how the networks of a GAN are narrower than its paper's; "" where they are not."""
    Config = registry.import_recipe(metadata["recipe"]).Config
    if not Config.paper_widths:
        return ""
    widths = Config.from_dict(metadata["config"]).widths
    narrower = [
        f"{width} channels in the {network} (the paper's has {paper})"
        for width, (network, paper) in zip(widths, Config.paper_widths, strict=True)
        if width < paper
    ]
    return f"at full resolution {', '.join(narrower)}" if narrower else ""


def _result(metadata, split, metric, value, title=None):
    """Returns one measured number as the Hub wants it."""
    from huggingface_hub import EvalResult

    dataset = dataset_facts.of(metadata)
    return EvalResult(
        task_type=_kind(metadata).task,
        dataset_type=dataset.get("hub", metadata["dataset"]),
        dataset_name=dataset["title"],
        dataset_split=split,
        metric_type=metric,
        metric_value=round(value, 4),
        metric_name=title,
    )


class GANText:
    """What is a GAN's own on its card."""

    steps = "generator steps"
    task = "unconditional-image-generation"
    tags = ("gan", "image-generation")
    required = ("sample_seed", "neighbours")
    files = (
        *("config.json", "model.weights.h5", "history.csv", "measurements.json"),
        *("samples.png", "curves.png", "neighbours.png"),
    )
    use = """\
Teaching, experiments with generative adversarial networks, a baseline to compare with, and a start
for fine-tuning on other small pictures. Say of its images that they were generated."""
    limits = """\
It draws {size} images of the kinds in its training data and nothing else. Some samples are
malformed, and they vary less than the data does: recall and coverage say how much, where they are
measured below. It keeps the bias of its data. Its images are no evidence of anything real."""

    @staticmethod
    def introduction(metadata):
        name = metadata["name"]
        classes = metadata["config"].get("num_classes")
        labels = f", labels={min(3, classes - 1)}" if classes else ""
        return f"""![64 samples of {name}](samples.png)

```python
import zoo

images = zoo.load("{metadata.get("address", name)}").sample(64, seed=0{labels})  # uint8, NHWC
```"""

    @staticmethod
    def row(metadata):
        row = f"| Picture | samples of seed {metadata['sample_seed']}, not selected |"
        if narrower := _narrower(metadata):
            row = f"| Variant | small: {narrower} |\n{row}"
        if chosen := metadata.get("chosen"):
            row += (
                f"\n| Weights | of the lowest FID over {chosen['extractor']} features of the run, "
                f"against the {chosen['split']} split |"
            )
        return row

    @staticmethod
    def missing_numbers(metadata):
        """The protocols of which a complete card has numbers."""
        stated = {row["protocol"] for row in metadata.get("metrics") or ()}
        missing = [f"metrics: {name}" for name in ("test", "train", "quick") if name not in stated]
        conditional = metadata.get("config", {}).get("num_classes")
        return ["classes", *missing] if conditional and "classes" not in metadata else missing

    @staticmethod
    def results(metadata):
        return [
            _result(metadata, row["split"], row["name"], row["value"], card_numbers.title(row))
            for row in metadata.get("metrics") or ()
        ]

    @staticmethod
    def numbers(metadata):
        sections = (card_numbers.metrics, card_numbers.classes, card_numbers.neighbours)
        return "".join(section(metadata) for section in sections)


class ClassifierText:
    """What is a classifier's own on its card."""

    steps = "steps"
    task = "image-classification"
    tags = ("image-classification",)
    required = ("test_images", "features")
    files = ("config.json", "model.weights.h5", "history.csv", "curves.png")
    use = """\
The zoo's second feature extractor, for metrics during training and in tests, and the comparison of
normalisations in `recipes/classifier`."""
    limits = """\
It knows {size} images of the classes in its training data and gives every other image one of these
classes, too. Distances between its features rank models otherwise than those between Inception's:
compare models by Inception."""

    @staticmethod
    def introduction(metadata):
        config = metadata["config"]
        image = ", ".join(str(config[key]) for key in ("image_size", "image_size", "channels"))
        address = metadata.get("address", metadata["name"])
        return f"""A classifier of images; its features also serve the zoo's metrics.

```python
import zoo

classifier = zoo.load("{address}")  # takes uint8 images, (N, {image})
probabilities = classifier.predict(images)  # float32, (N, {config["num_classes"]})
features = classifier.features(images)  # float32, (N, {metadata["features"]})
```"""

    @staticmethod
    def row(metadata):
        held_out = metadata["config"]["holdout"]
        return f"""| Held out | {held_out:.0%} of the training split, to choose settings by |
| Test accuracy | {metadata["metrics"]["test_accuracy"]:.2%} of {metadata["test_images"]:,} \
test images, which chose nothing |"""

    @staticmethod
    def missing_numbers(metadata):
        return [] if "test_accuracy" in (metadata.get("metrics") or {}) else ["test_accuracy"]

    @staticmethod
    def results(metadata):
        return [_result(metadata, "test", "accuracy", metadata["metrics"]["test_accuracy"])]

    @staticmethod
    def numbers(metadata):
        return ""


KINDS = {"GAN": GANText, "Classifier": ClassifierText}
