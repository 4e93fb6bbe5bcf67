"""The DCGAN of WGAN-GP, whose critic has no batch normalisation."""

from zoo import dcgan


def build_generator(config):
    """Maps latents (N, latent_size) to float32 images (N, H, W, C) in [-1, 1]."""
    return dcgan.generator(config)


def build_discriminator(config):
    """Maps images (N, H, W, C) in [-1, 1] to float32 scores (N, 1)."""
    return dcgan.discriminator(config, config.critic_norm)
