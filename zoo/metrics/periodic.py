"""The FID during training, as a Keras callback."""

import pathlib

import keras

from zoo import files, subjects
from zoo.metrics import collect, extractors, frechet

RECORD = "fid.json"


class PeriodicFID(keras.callbacks.Callback):
    """Measures the FID of a `zoo.GAN` in training and keeps the best averaged generator.

    The number joins the epoch's logs as `fid_<extractor>`, and so `history.csv`, TensorBoard and
    the `History`; put this callback before those that write logs. It serves to follow and choose
    within one run. The best of many measurements is flattered by the choice: so the reference is
    the training split, and the numbers of a card are measured on the test split.

    Args:
        folder: where the best model so far is kept, as `GAN.save` writes it, with its number in
            `fid.json`; a resumed run goes on from there. None keeps none.
        every: epochs between measurements.
        samples: generated images of a measurement.
        seed: of the samples, the same each time: less noise between measurements.
        reference: "train", or anything `zoo.evaluate` accepts.
        extractor: "classifier", the one of the reference's data set, or as in `zoo.evaluate`.
    """

    def __init__(
        self,
        folder=None,
        every=1,
        samples=5000,
        seed=0,
        reference="train",
        extractor="classifier",
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"every, in epochs, must be at least 1, but is {every!r}.")
        if samples < 2:
            raise ValueError(f"samples must be at least 2, but is {samples!r}.")
        self.folder = None if folder is None else pathlib.Path(folder)
        self.every, self.samples, self.seed = every, samples, seed
        self.reference, self.extractor = reference, extractor
        self.best = None

    def on_train_begin(self, logs=None):
        opened = subjects.open_subject(self.model, self.samples, self.seed)
        reference = subjects.open_reference(self.reference, [opened])
        self.extractor = extractors.get(self.extractor, reference.source)
        real = collect.collect(self.extractor, reference.images, name=reference.name)
        self._real, self._root = real.statistics, frechet.covariance_root(real.statistics)
        self._how = {
            "extractor": self.extractor.name,
            "extractor_digest": self.extractor.digest,
            "samples": self.samples,
            "seed": self.seed,
            "reference": reference.source,
            "split": reference.split,
        }
        if self.folder and (self.folder / RECORD).is_file():
            record = files.read_json(self.folder / RECORD)
            if all(record.get(key) == value for key, value in self._how.items()):
                self.best = record["fid"]

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every:
            return
        opened = subjects.open_subject(self.model, self.samples, self.seed)
        fake = collect.collect(self.extractor, opened.stream, progress=None).statistics
        fid = frechet.frechet_distance(fake, self._real, self._root)
        logs[f"fid_{self.extractor.name}"] = fid
        if self.best is None or fid < self.best:
            self.best = fid
            if self.folder:
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                # Weights without a record are no best ones; never those of another record.
                (self.folder / RECORD).unlink(missing_ok=True)
                self.model.save(self.folder, zipped=False)
                record = {"fid": fid, "step": self.model.step} | self._how
                files.write_json(self.folder / RECORD, record)
