"""Cards, curves and the table of models say all there is to say."""

import huggingface_hub
from PIL import Image
from published import NAME, row_of

from zoo import card_text, curves, files, overview, registry


def test_the_card_is_complete_and_the_hub_reads_it(measured):
    metadata = files.read_json(measured / "metadata.json")
    assert card_text.missing(metadata) == []
    text = (measured / "README.md").read_text(encoding="utf-8")
    for heading in ("Intended use", "Limits", "Training data", "Training", "Metrics"):
        assert f"\n## {heading}\n" in text
    row = row_of(metadata, "test", "kid")
    line = f"| KID | {row['value']:.4g} ± {row['standard_error']:.2g} | {row['floor']:.4g} |"
    assert f"{line} quarters | 60 | fashion_mnist test, 100 | 0, 1, 2 |" in text

    card = huggingface_hub.ModelCard(text)
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "keras"
    assert card.data.datasets == ["zalando-datasets/fashion_mnist"]
    values = [(r.metric_type, r.dataset_split, r.metric_value) for r in card.data.eval_results]
    stated = [(r["name"], r["split"], round(r["value"], 4)) for r in metadata["metrics"]]
    assert sorted(values) == sorted(stated)

    overview = (measured.parent.parent / "MODEL_CARDS.md").read_text(encoding="utf-8")
    for picture in ("samples", "curves", "neighbours"):
        assert (measured / f"{picture}.png").is_file()
        assert f"](checkpoints/{NAME}/{picture}.png)" in overview
    assert "---\nlicense" not in overview


def test_a_card_says_what_verify_can_measure_again(measured):
    metadata = files.read_json(measured / "metadata.json")
    inception = f"`zoo verify {NAME}` measures those of 60 samples over Inception again"
    quick = f"`zoo verify {NAME} --quick` measures those of 40 samples over the classifier again"
    assert f"; {inception}, {quick}.\n" in card_text.body(metadata)
    rows = [row for row in metadata["metrics"] if row["protocol"] == "quick"]
    assert f"; {quick}.\n" in card_text.body(metadata | {"metrics": rows})


def test_a_divergence_is_on_the_card(measured):
    metadata = files.read_json(measured / "metadata.json")
    diverged = card_text.body(metadata | {"divergences": [{"step": 1234, "term": "penalty"}]})
    assert " minutes; diverged at step 1,234, learning rates halved |" in diverged
    assert "diverged" not in card_text.body(metadata)


def test_a_small_variant_says_so(measured):
    metadata = files.read_json(measured / "metadata.json")
    Config = registry.import_recipe("sngan").Config

    def variant(**widths):
        config = Config(**widths).to_dict()
        text = card_text.body(metadata | {"recipe": "sngan", "config": config})
        return [line for line in text.splitlines() if line.startswith("| Variant |")]

    assert variant() == []
    generator = "at full resolution 32 channels in the generator (the paper's has 256)"
    for bound in (0, 128, 256):  # of layers for smaller images
        assert variant(width=32, max_width=bound) == [f"| Variant | small: {generator} |"]
    both = f"{generator}, 64 channels in the discriminator (the paper's has 128)"
    assert variant(width=32, discriminator_width=64) == [f"| Variant | small: {both} |"]


def test_classes_are_named(measured):
    metadata = files.read_json(measured / "metadata.json")
    assert "(T-shirt/top, trouser, pullover, dress," in card_text.body(metadata)
    metadata |= {"dataset": "folder:mine"}
    assert "\nImages of `folder:mine`.\n" in card_text.body(metadata | {"images": {}})
    metadata |= {"images": {"count": 1_200}, "class_names": ["hat", "shoe"]}
    assert "\n1,200 images of `folder:mine` (hat, shoe).\n" in card_text.body(metadata)


def test_the_code_of_a_card_asks_for_a_class_that_there_is(measured):
    metadata = files.read_json(measured / "metadata.json")
    for classes, code in ((0, "seed=0)"), (2, "seed=0, labels=1)"), (10, "seed=0, labels=3)")):
        config = metadata["config"] | {"num_classes": classes}
        assert f".sample(64, {code}" in card_text.body(metadata | {"config": config})


def test_every_missing_fact_is_named(measured):
    metadata = files.read_json(measured / "metadata.json")
    for key in ("hardware", "command", "metrics", "neighbours", "licence", "minutes"):
        lacking = {k: v for k, v in metadata.items() if k != key}
        assert key in card_text.missing(lacking)
    few = metadata | {"metrics": [r for r in metadata["metrics"] if r["protocol"] != "train"]}
    assert card_text.missing(few) == ["metrics: train"]
    pictures = {k: v for k, v in metadata["files"].items() if k != "curves.png"}
    assert card_text.missing(metadata | {"files": pictures}) == ["curves.png"]


def test_the_table_of_models_states_every_fid():
    row = {"name": "fid", "standard_error": 0.02, "samples": 10_000, "extractor": "a_classifier"}
    inception = {"split": "test", "extractor": "inception_v3_2015_12_05"}
    rough = "inception_v3_2015_12_05_bfloat16"
    metadata = {
        "name": "dresses",
        "recipe": "cbn_resnet",
        "dataset": "fashion_mnist",
        "parameters": {"generator": 1234, "discriminator": 5},
        "files": {"samples.png": ""},
        "metrics": [
            row | {"protocol": "quick", "split": "test", "value": 0.5},
            row | inception | {"protocol": "test", "value": 9.71},
            row | {"protocol": "test", "split": "test", "value": 9.7, "extractor": rough},
            row | inception | {"protocol": "test", "name": "kid", "value": 0.004},
        ],
        "classes": {"accuracy": 0.9512},
    }
    text = f"above\n{overview.BEGIN}\nold\n{overview.END}\nbelow\n"
    found = overview.with_models(text, [metadata])
    assert found.splitlines()[5].split(" | ")[2:5] == [
        "Fashion-MNIST",
        "generator 1,234",
        "FID over a_classifier 0.5 ± 0.02 (10,000 samples, test)<br>"
        f"FID 9.71 ± 0.02 (10,000 samples, test)<br>FID over {rough} 9.7 ± 0.02 (10,000 samples, "
        "test)<br>95.1% recognised as their class",
    ]
    assert "checkpoints/dresses/samples.png" in found
    assert "old" not in found
    assert overview.with_models(found, [metadata]) == found
    assert overview.with_models("no marks", [metadata]) == "no marks"


def test_curves_have_a_panel_for_each_kind_of_number(tmp_path):
    rows = [
        {"step": i, "minutes": i, "d_loss": 1.0, "g_loss": 2.0, "real_score": 0.0, "fid_x": value}
        for i, value in enumerate(["", 3.0, "", 2.0])
    ]
    curves.save_curves(tmp_path / "curves.png", rows)
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (1200, 260)
    assert [curves.panel(name) for name in ("loss", "val_loss", "val_accuracy", "accuracy")] == [
        *("losses", "losses", "accuracy", "accuracy")
    ]
