"""WGAN (Arjovsky et al. 2017): a DCGAN with the Wasserstein loss and a clipped critic."""

import dataclasses

from zoo.config import GANConfig, hyperparameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """Hyperparameters of WGAN: those of the paper's Algorithm 1 and its DCGAN."""

    loss: str = "wasserstein"
    n_critic: int = 5
    optimizer: str = "rmsprop"
    generator_learning_rate: float = 5e-5
    discriminator_learning_rate: float = 5e-5
    clip: float = hyperparameter(
        0.01, "Bound c on the critic's weights, kept in [-c, c].", minimum=1e-6
    )
    clip_method: str = hyperparameter(
        "constraint",
        "How weights are clipped: by Keras constraints, in a loop after each critic update, or "
        "none at all, as a DCGAN's.",
        choices=("constraint", "loop", "none"),
    )
    critic_norm: str = hyperparameter(
        "batch", "Normalisation of the critic.", choices=("none", "batch", "layer")
    )

    def __post_init__(self):
        super().__post_init__()
        if self.clip_method == "none" and self.clip != Config.clip:
            raise ValueError("clip is a bound on weights that clip_method none does not clip.")
        if self.penalty_weight and self.critic_norm == "batch":
            raise ValueError(
                "A penalty is of each image's gradient, which batch normalisation mixes with the "
                "others': penalty_weight needs --critic_norm=none or layer."
            )
