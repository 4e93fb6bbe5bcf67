"""Tests of what only the TensorFlow backend has; another backend collects none of them."""

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # Two logical CPUs stand for two accelerators. They have to be there before the first tensor.
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
else:
    collect_ignore_glob = ["test_*.py"]
