"""ProGAN (Karras et al. 2018): both networks grow from 4x4 pixels to full resolution."""

import dataclasses

from zoo.config import GANConfig, hyperparameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """Hyperparameters of ProGAN: those of the paper's Appendix A, for small images.

    These have other widths and latents. The paper's batches are of 16 images and its Adam's epsilon
    is 1e-8; here they are of 64 and Keras's 1e-7. `paper_widths` are those of the authors' networks
    for CIFAR-10.
    """

    latent_size: int = 256
    width: int = 128
    max_width: int = hyperparameter(
        256, "Bound on the channels, which double with every halving of the size.", minimum=1
    )
    discriminator_width: int = hyperparameter(
        0, "Channels of the discriminator at full resolution; 0 for the generator's.", minimum=0
    )
    max_discriminator_width: int = hyperparameter(
        0, "Bound on the discriminator's channels; 0 for the generator's.", minimum=0
    )
    stage_steps: int = hyperparameter(
        9_000,
        "Generator steps for which each resolution fades in, and for which it then trains "
        "before the next; the last trains to the end.",
        minimum=1,
    )
    output: str = hyperparameter(
        "linear",
        "Of the generator: linear, as the paper's, or clipped to [-1, 1], for images with a plain "
        "black or white background.",
        choices=("linear", "clipped"),
    )
    loss: str = "wasserstein"
    penalty_weight: float = 10.0
    drift_weight: float = 1e-3
    generator_learning_rate: float = 1e-3
    discriminator_learning_rate: float = 1e-3
    beta_2: float = 0.99
    steps: int = 100_000

    latents_on_sphere = True
    paper_widths = (("generator", 128), ("discriminator", 128))

    @property
    def widths(self):
        """Channels at full resolution of the networks in `paper_widths`."""
        return self.width, self.discriminator_width or self.width

    @property
    def bounds(self):
        """Bounds on the channels of these networks."""
        return self.max_width, self.max_discriminator_width or self.max_width
