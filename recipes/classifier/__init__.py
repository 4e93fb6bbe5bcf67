"""A small residual classifier that takes any of five normalisations (Wu & He 2018)."""

import dataclasses

from zoo.config import ClassifierConfig, hyperparameter

NORMS = ("batch", "group", "instance", "layer", "none")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ClassifierConfig):
    """Hyperparameters of the classifier; by default of the one for Fashion-MNIST."""

    width: int = hyperparameter(32, "Channels of the first stage; each doubles them.", minimum=1)
    blocks: int = hyperparameter(1, "Residual blocks of each of the three stages.", minimum=1)
    stem_strides: int = hyperparameter(
        2,
        "Of the first convolution: 2 halves the images, at a quarter of the cost.",
        choices=(1, 2),
    )
    norm: str = hyperparameter("batch", "Normalisation of all layers.", choices=NORMS)
    groups: int = hyperparameter(
        8, "Groups of channels of group normalisation; a divisor of width.", minimum=1
    )
    norm_init: str = hyperparameter(
        "identity",
        "Initial gamma and beta: 1 and 0, or both uniform in [-0.05, 0.05].",
        choices=("identity", "random_uniform"),
    )
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    flip: bool = True
    shift: int = 2
    steps: int = 12_000
    save_every: int = 500
