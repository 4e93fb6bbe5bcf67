"""Class-conditional ResNet GAN: conditional batch norm and a projection discriminator."""

import dataclasses

from zoo.config import GANConfig, hyperparameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """Hyperparameters of the projection GAN: those of its authors for 32x32 images."""

    latent_size: int = 128
    num_classes: int = hyperparameter(10, "Classes of the images.", minimum=1)
    width: int = hyperparameter(256, "Channels of every layer of the generator.", minimum=1)
    discriminator_width: int = hyperparameter(
        128, "Channels of every layer of the discriminator.", minimum=1
    )
    loss: str = "hinge"
    n_critic: int = 5
