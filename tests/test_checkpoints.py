"""The models that come along: complete, measured, and what their cards show."""

import itertools

import pytest

import zoo
from zoo import card_text, cards, files, measurement, registry, verification

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
    checks = itertools.islice(verification.verify(path.parent, quick=True, progress=False), 2)
    found = {check.name: check.holds for check in checks}
    assert found == {"files": True, "samples": True}


def test_the_cards_are_what_their_facts_generate():
    for path, text in cards.generated(CHECKPOINTS).items():
        assert path.read_text(encoding="utf-8") == text, path
