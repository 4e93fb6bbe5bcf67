"""The models that come along: complete, measured, and what their cards show."""

import itertools

import pytest

import zoo
from zoo import card_text, cards, files, measurement, registry, verification
from zoo.metrics import extractors

CHECKPOINTS = registry.bundled_checkpoints()


@pytest.mark.parametrize("name", zoo.list_models())
def test_every_published_card_is_complete_and_measured(name):
    folder = CHECKPOINTS / name
    metadata = files.read_json(folder / "metadata.json")
    assert card_text.missing(metadata) == []
    if zoo.load(folder).kind == "GAN":
        measurement.check(folder, metadata)


@pytest.mark.parametrize(
    "path", sorted(CHECKPOINTS.glob("*/samples.png")), ids=lambda path: path.parent.name
)
def test_a_published_model_draws_the_picture_of_its_card(path):
    """The same seed gives the images that it gave when the model was published."""
    checks = itertools.islice(verification.verify(path.parent, quick=True, progress=False), 3)
    found = {check.name: check.holds for check in checks}
    assert found == {"files": True, "card": True, "samples": True}


def test_what_a_classifier_measured_the_published_one_did():
    """A classifier that is published anew measures the models of its data set anew."""
    digests = {name: extractors.get(name).digest for name in extractors.classifiers()}
    for metadata in map(files.read_json, sorted(CHECKPOINTS.glob("*/metadata.json"))):
        if "neighbours" not in metadata:
            continue
        found = {(row["extractor"], row["extractor_digest"]) for row in metadata["metrics"]}
        found.add((metadata["neighbours"]["space"], metadata["neighbours"]["digest"]))
        if "classes" in metadata:
            found.add((metadata["classes"]["classifier"], metadata["classes"]["digest"]))
        assert len(found) == 2, metadata["name"]  # Inception's, and one classifier's
        assert len(found & digests.items()) == 1, metadata["name"]


def test_the_cards_are_what_their_facts_generate():
    for path, text in cards.generated(CHECKPOINTS).items():
        assert path.read_text(encoding="utf-8") == text, path
