"""WGAN-GP (Gulrajani et al. 2017): a DCGAN with the Wasserstein loss and gradient penalty."""

import dataclasses

from zoo.config import GANConfig, hyperparameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """Hyperparameters of WGAN-GP: Adam(0, 0.9) and 5 critic updates, as in the paper."""

    loss: str = "wasserstein"
    penalty_weight: float = 10.0
    n_critic: int = 5
    critic_norm: str = hyperparameter(
        "none",
        "Normalisation of the critic; not batch norm, which would tie the penalty's samples.",
        choices=("none", "layer", "instance", "group"),
    )
