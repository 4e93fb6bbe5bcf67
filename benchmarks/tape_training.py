"""WGAN-GP in the style of keras.io's example: a `keras.Model` whose `train_step` has the tapes.

Networks, batch size and updates per step are the recipe's. Unlike the example, every critic update
has real images of its own, so that an image costs the same here and there.
"""

import keras
import tensorflow as tf


class TapeWGANGP(keras.Model):
    """Trains the networks of a `zoo.GAN` of the recipe `wgan_gp` by gradient tapes."""

    def __init__(self, gan):
        super().__init__()
        self.settings = gan.config
        self.generator = gan.build_network("generator")
        self.critic = gan.build_network("discriminator")

    def compile(self, **kwargs):
        super().compile(**kwargs)
        rates = self.settings.generator_learning_rate, self.settings.discriminator_learning_rate
        betas = {"beta_1": self.settings.beta_1, "beta_2": self.settings.beta_2}
        self.g_optimizer, self.c_optimizer = (keras.optimizers.Adam(r, **betas) for r in rates)

    def penalty(self, real, fake):
        mix = tf.random.uniform((tf.shape(real)[0], 1, 1, 1))
        between = real + mix * (fake - real)
        with tf.GradientTape() as tape:
            tape.watch(between)
            scores = self.critic(between, training=True)
        slopes = tape.gradient(scores, between)
        norm = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=[1, 2, 3]) + 1e-12)
        return tf.reduce_mean(tf.square(norm - 1.0))

    def train_step(self, images):
        size = self.settings.batch_size
        for real in tf.split(images, self.settings.n_critic):
            latents = tf.random.normal((size, self.settings.latent_size))
            with tf.GradientTape() as tape:
                fake = self.generator(latents, training=True)
                gap = self.critic(fake, training=True) - self.critic(real, training=True)
                penalty = self.penalty(real, fake)
                c_loss = tf.reduce_mean(gap) + self.settings.penalty_weight * penalty
            weights = self.critic.trainable_variables
            self.c_optimizer.apply_gradients(zip(tape.gradient(c_loss, weights), weights))
        with tf.GradientTape() as tape:
            latents = tf.random.normal((size, self.settings.latent_size))
            g_loss = -tf.reduce_mean(self.critic(self.generator(latents, training=True)))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights))
        return {"c_loss": c_loss, "g_loss": g_loss}


def fit(gan, images, callback):
    """Trains on uint8 images (N, H, W, C) until the callback stops it."""
    keras.utils.set_random_seed(gan.config.seed)
    model = TapeWGANGP(gan)
    model.compile(**gan.compile_defaults, steps_per_execution=gan.config.steps_per_execution)
    pixels = images.astype("float32") / 127.5 - 1.0
    batches = tf.data.Dataset.from_tensor_slices(pixels).shuffle(len(images)).repeat()
    batches = batches.batch(gan.images_per_step, drop_remainder=True).prefetch(2)
    model.fit(batches, steps_per_epoch=10**6, verbose=0, callbacks=[callback])
