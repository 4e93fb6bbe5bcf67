"""The DCGAN of WGAN, whose critic has its weights clipped."""

from zoo import dcgan
from zoo.constraints import WeightClip, clip_weights


def build_generator(config):
    """Maps latents (N, latent_size) to float32 images (N, H, W, C) in [-1, 1]."""
    return dcgan.generator(config)


def build_discriminator(config):
    """Maps images (N, H, W, C) in [-1, 1] to float32 scores (N, 1)."""
    constraint = WeightClip(config.clip) if config.clip_method == "constraint" else None
    return dcgan.discriminator(config, config.critic_norm, constraint)


def after_discriminator_update(gan):
    """Clips the critic's trainable weights where no constraint does (Algorithm 1, line 7)."""
    if gan.config.clip_method == "loop":
        clip_weights(gan.discriminator, gan.config.clip)
