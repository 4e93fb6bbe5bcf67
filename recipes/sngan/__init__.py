"""SNGAN (Miyato et al. 2018): a residual GAN with a spectrally normalised discriminator."""

import dataclasses

from zoo.config import ResNetConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ResNetConfig):
    """Hyperparameters of SNGAN: those of the paper's residual networks for 32x32 images."""
