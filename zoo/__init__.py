"""A Keras 3 model zoo of generative adversarial networks with pretrained checkpoints."""
