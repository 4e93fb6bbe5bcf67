"""Class-conditional ResNet GAN: conditional batch norm and a projection discriminator."""

import dataclasses

from zoo.config import ResNetConfig, hyperparameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ResNetConfig):
    """Hyperparameters of the projection GAN: those of its authors for 32x32 images."""

    num_classes: int = hyperparameter(10, "Classes of the images.", minimum=1)
