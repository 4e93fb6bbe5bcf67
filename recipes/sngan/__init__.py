"""SNGAN (Miyato et al. 2018): a residual GAN with a spectrally normalised discriminator."""

import dataclasses

from zoo.config import GANConfig, hyperparameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """Hyperparameters of SNGAN: those of the paper's residual networks for 32x32 images."""

    latent_size: int = 128
    width: int = hyperparameter(256, "Channels of every layer of the generator.", minimum=1)
    discriminator_width: int = hyperparameter(
        128, "Channels of every layer of the discriminator.", minimum=1
    )
    loss: str = "hinge"
    n_critic: int = 5
