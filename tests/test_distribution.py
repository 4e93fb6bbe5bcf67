"""`fit` under `tf.distribute`, in a process of its own: devices are set before it starts."""

import pathlib
import subprocess
import sys

SCRIPT = """
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import zoo

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    small = {"width": 8, "image_size": 8, "latent_size": 6, "batch_size": 4, "n_critic": 2}
    gan = zoo.GAN("wgan_gp", small)
    gan.compile()
before = gan.generator.get_weights()
images = np.random.default_rng(0).integers(0, 255, (24, 8, 8, 1)).astype("uint8")
history = gan.fit(images, steps_per_epoch=3, verbose=0).history

assert gan.step == 3
assert np.isfinite(history["d_loss"]).all()
for variable in gan.weights + gan.optimizer.variables:
    first, second = (copy.numpy() for copy in variable.value.values)
    np.testing.assert_array_equal(first, second, err_msg=variable.path)
assert all((a != b).any() for a, b in zip(before, gan.generator.get_weights()))
assert gan.sample(3, seed=0).shape == (3, 8, 8, 1)
print("replicas are equal")
"""


def test_two_replicas_stay_equal():
    root = pathlib.Path(__file__).parent.parent
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=root, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "replicas are equal" in run.stdout
