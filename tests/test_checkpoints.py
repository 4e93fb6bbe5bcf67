"""The models that come along: complete, measured, and what their cards show."""

import dataclasses
import itertools
import shlex

import pytest
from absl import flags

import zoo
from zoo import card_text, cards, cli, files, measurement, registry, verification
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


def test_the_index_has_every_model_that_came_along():
    assert registry.index() == {
        path.parent.name: cards.index_entry(path.parent) for path in cards._metadata(CHECKPOINTS)
    }


@pytest.mark.parametrize("name", zoo.list_models())
def test_the_commands_on_a_card_are_those_of_its_config(name):
    """A run that starts from a model keeps what no flag says."""
    config, metadata = zoo.load(CHECKPOINTS / name).config, zoo.info(name)
    commands = [run["command"] for run in metadata.get("before", ())] + [metadata["command"]]
    words = [word for command in commands for word in shlex.split(command)]
    assert words[:3] == ["python", "-m", f"recipes.{metadata['recipe']}.train"]
    own = [f"--{field.name}=" for field in dataclasses.fields(config) if field.name != "start_from"]
    values = flags.FlagValues()
    cli.define_flags(type(config), values)
    values(["train", *(word for word in words if word.startswith(tuple(own)))])
    said = type(config).from_dict({flag[2:-1]: values[flag[2:-1]].value for flag in own})
    assert set(config.differing(said)) <= {"start_from"}
    assert said.steps == config.steps == metadata["config"]["steps"]


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
