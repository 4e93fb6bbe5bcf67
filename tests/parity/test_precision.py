"""Samples and features are float32 where a GPU would use TF32; training is left alone."""

import pytest
from processes import python

pytestmark = pytest.mark.parity
ALLOWS_TF32 = {
    "tensorflow": """
import tensorflow as tf
allows = tf.config.experimental.tensor_float_32_execution_enabled
""",
    "jax": """
import jax
allows = lambda: jax.config.jax_default_matmul_precision != "highest"
""",
    "torch": """
import torch
torch.backends.cuda.matmul.allow_tf32 = True  # as a script around the zoo may want it
allows = lambda: torch.backends.cudnn.allow_tf32 and torch.backends.cuda.matmul.allow_tf32
""",
}
SCRIPT = """
import keras
import numpy as np
import zoo
from zoo import sampling
from zoo.metrics import features

class Network:
    seen = []

    def predict_on_batch(self, x):
        self.seen.append(allows())
        return np.zeros((len(x), 2, 2, 1), np.float32)

    def __call__(self, images):
        return self.predict_on_batch(images).reshape(len(images), -1)

images = sampling.generate(Network(), np.zeros((3, 4), np.float32))
list(features.extract(Network(), images, progress=None))
assert Network.seen == [False, False], Network.seen

class Probe(keras.layers.Layer):
    def call(self, x):
        Network.seen.append(allows())
        return x

small = {"width": 8, "image_size": 8, "num_classes": 2}
classifier, gan = zoo.Classifier("classifier", small), zoo.GAN("wgan_gp", {"image_size": 8})
pictures = np.zeros((4, 8, 8, 1), np.uint8)
for model, network in ((classifier, "classifier"), (gan, "discriminator")):
    inner = getattr(model, network)
    inputs = keras.Input(inner.input_shape[1:])
    setattr(model, network, keras.Model(inputs, inner(Probe()(inputs))))
Network.seen.clear()
classifier.evaluate(pictures, np.arange(4) % 2)
assert Network.seen and not any(Network.seen), Network.seen
Network.seen.clear()
gan.scores(pictures)
assert Network.seen and not any(Network.seen), Network.seen
assert allows(), "training may use it"
"""


@pytest.mark.parametrize("backend", ALLOWS_TF32)
def test_measuring_does_not_round_to_tf32(backend):
    python("-c", ALLOWS_TF32[backend] + SCRIPT, KERAS_BACKEND=backend)
