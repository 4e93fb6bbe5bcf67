"""Hyperparameters, declared once: a dataclass that becomes absl flags, JSON, and back."""

import dataclasses
import difflib
import inspect
import math
import typing


def hyperparameter(default, help, choices=None, minimum=None, below=None, of_run=False):
    """Declares one field of a `RecipeConfig`.

    Args:
        default: Value when nothing else is said; its type is the field's annotation.
        help: One sentence for `--help`, with the unit where there is one.
        choices: The accepted values, or None for any.
        minimum: The smallest accepted number, or None for any.
        below: A number that all accepted ones are smaller than, or None.
        of_run: Whether it says how a run is done rather than what it does, and may so be another
            when the run goes on.
    """
    limits = {"choices": choices, "minimum": minimum, "below": below}
    return dataclasses.field(default=default, metadata={"help": help, "of_run": of_run} | limits)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecipeConfig:
    """A flat, frozen set of scalars. Wrong types and values are refused by name.

    Raises:
        ValueError: On construction, naming the field, what it was and what it accepts.
    """

    def __init_subclass__(cls):
        """A field that only changes a default keeps the help and limits of the inherited one."""
        for name in inspect.get_annotations(cls):
            inherited = getattr(cls.__base__, "__dataclass_fields__", {}).get(name)
            default = cls.__dict__.get(name)
            if inherited is not None and not isinstance(default, dataclasses.Field):
                field = dataclasses.field(default=default, metadata=inherited.metadata)
                setattr(cls, name, field)

    def __post_init__(self):
        types = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = _checked(field, types[field.name], getattr(self, field.name))
            object.__setattr__(self, field.name, value)

    @classmethod
    def from_dict(cls, values):
        """Builds a config from a dict; a key that is no hyperparameter is a `ValueError`."""
        if not isinstance(values, dict):
            raise ValueError(f"Hyperparameters are a dict by name, not {values!r}.")
        names = [field.name for field in dataclasses.fields(cls)]
        for key in values:
            if key not in names:
                near = difflib.get_close_matches(str(key), names, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else "."
                raise ValueError(f"Unknown hyperparameter {key!r}{hint} Known: {', '.join(names)}.")
        return cls(**values)

    def to_dict(self):
        """Returns the values as a plain dict of JSON scalars."""
        return dataclasses.asdict(self)

    def differing(self, other):
        """Returns the names of the fields that make two configs those of different runs."""
        return [
            field.name
            for field in dataclasses.fields(self)
            if not field.metadata["of_run"]
            and getattr(self, field.name) != getattr(other, field.name)
        ]


def _checked(field, kind, value):
    """Returns `value` as `kind`, or raises a `ValueError` that names the field."""
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ValueError(f"{field.name} must be of type {kind.__name__}, but is {value!r}.")
    if kind is float and not math.isfinite(value):
        raise ValueError(f"{field.name} must be a finite number, but is {value!r}.")
    choices, minimum = field.metadata.get("choices"), field.metadata.get("minimum")
    if choices is not None and value not in choices:
        accepted = ("one of " if len(choices) > 1 else "") + ", ".join(map(repr, choices))
        raise ValueError(f"{field.name} must be {accepted}, but is {value!r}.")
    if minimum is not None and not value >= minimum:
        raise ValueError(f"{field.name} must be at least {minimum}, but is {value!r}.")
    below = field.metadata.get("below")
    if below is not None and not value < below:
        raise ValueError(f"{field.name} must be less than {below}, but is {value!r}.")
    return value


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig(RecipeConfig):
    """What every recipe needs, whatever it trains.

    `kind` is the name of the class of its models, `zoo.GAN` for example.
    """

    kind = None

    dataset: str = hyperparameter(
        "fashion_mnist", "Training images: fashion_mnist, cifar10, folder:DIR or npz:FILE."
    )
    start_from: str = hyperparameter(
        "",
        "Model that the run starts from, for `zoo.load`, and whose hyperparameters are the "
        "defaults; random weights if empty.",
    )
    image_size: int = hyperparameter(28, "Height and width of the images, in pixels.", minimum=4)
    channels: int = hyperparameter(1, "1 for grey images, 3 for RGB.", choices=(1, 3))
    width: int = hyperparameter(64, "Channels of the layers at full resolution.", minimum=1)
    batch_size: int = hyperparameter(64, "Images per update, of all devices together.", minimum=1)
    decay_from: float = hyperparameter(
        1.0, "Fraction of the run after which learning rates fall linearly to 0.", minimum=0
    )
    steps: int = hyperparameter(50_000, "Steps of the whole run.", minimum=1, of_run=True)
    save_every: int = hyperparameter(1_000, "Steps between saves and log lines.", minimum=1)
    keep: int = hyperparameter(2, "How many saves are kept, the newest.", minimum=1, of_run=True)
    on_nan: str = hyperparameter(
        "stop",
        "When a number is not finite: stop, or go back to the last save and halve learning rates.",
        choices=("stop", "restore"),
        of_run=True,
    )
    restores: int = hyperparameter(
        3, "How often on_nan=restore goes back before it stops.", minimum=0, of_run=True
    )
    deterministic: bool = hyperparameter(
        False, "Only kernels that give the same bits every time.", of_run=True
    )
    prefetch: int = hyperparameter(
        2,
        "Batches made ahead by a thread, for pictures in folders above all.",
        minimum=0,
        of_run=True,
    )
    steps_per_execution: int = hyperparameter(
        1,
        "Steps in one call of the compiled program; divides save_every and steps.",
        minimum=1,
        of_run=True,
    )
    precision: str = hyperparameter(
        "float32",
        "Keras dtype policy of the hidden layers, of a run.",
        choices=("float32", "mixed_bfloat16"),
    )
    jit: str = hyperparameter(
        "auto",
        "XLA: auto is on with JAX, and with TensorFlow on one GPU.",
        choices=("auto", "on", "off"),
        of_run=True,
    )
    strategy: str = hyperparameter(
        "none",
        "Where to train: none is one device, mirrored all of this machine, multi_worker those of "
        "several machines.",
        choices=("none", "mirrored", "multi_worker"),
        of_run=True,
    )
    seed: int = hyperparameter(
        0,
        "Of everything random: data order, latents and, in a run, weights.",
        minimum=0,
        below=2**32,
    )

    @property
    def image_shape(self):
        """(height, width, channels) of the images."""
        return (self.image_size, self.image_size, self.channels)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GANConfig(ModelConfig):
    """What every GAN recipe needs; a recipe's `Config` changes defaults and adds its own.

    A step is one generator update, preceded by `n_critic` discriminator updates on `n_critic`
    fresh batches.
    """

    kind = "GAN"
    latents_on_sphere = False  # whether only the direction of a latent matters
    paper_widths = ()  # (network, channels at full resolution) of the paper, for images as small

    latent_size: int = hyperparameter(100, "Length of a latent vector.", minimum=1)
    num_classes: int = hyperparameter(
        0, "Classes of the images; 0 where the recipe is not conditional.", choices=(0,)
    )

    loss: str = hyperparameter(
        "wasserstein",
        "Adversarial loss of both networks.",
        choices=("wasserstein", "hinge", "non_saturating", "minimax", "relativistic"),
    )
    penalty: str = hyperparameter(
        "gradient_penalty",
        "Of the discriminator's gradient: gradient_penalty pulls its norm to penalty_target "
        "between real and fake images, r1 to 0 at real ones, r1_r2 at both. It takes a "
        "penalty_weight.",
        choices=("gradient_penalty", "r1", "r1_r2"),
    )
    penalty_target: float = hyperparameter(
        1.0, "Norm of the gradient that a gradient_penalty pulls to, in units of it.", minimum=1e-6
    )
    penalty_weight: float = hyperparameter(0.0, "Weight of the penalty; 0 turns it off.", minimum=0)
    penalty_every: int = hyperparameter(
        1,
        "Steps of which the first is penalised, with as many times the weight: the others are "
        "faster.",
        minimum=1,
    )
    drift_weight: float = hyperparameter(
        0.0, "Weight of the mean square of the scores of real images.", minimum=0
    )
    augment: str = hyperparameter(
        "",
        "Random changes of all that the discriminator sees, meant for sets of a few thousand "
        "images at most; none if empty.",
        choices=("", "translation", "translation,cutout", "color,translation,cutout"),
    )
    n_critic: int = hyperparameter(
        1, "Discriminator updates per generator update, each on a fresh batch.", minimum=1
    )
    optimizer: str = hyperparameter("adam", "Of both networks.", choices=("adam", "rmsprop"))
    generator_learning_rate: float = hyperparameter(2e-4, "Of the generator.", minimum=0)
    discriminator_learning_rate: float = hyperparameter(2e-4, "Of the discriminator.", minimum=0)
    beta_1: float = hyperparameter(0.0, "Adam's decay of the first moment.", minimum=0, below=1)
    beta_2: float = hyperparameter(0.9, "Adam's decay of the second moment.", minimum=0, below=1)
    ema_decay: float = hyperparameter(
        0.999,
        "Decay per step of the generator's moving average; 0 turns it off.",
        minimum=0,
        below=1,
    )
    fid_every: int = hyperparameter(
        0,
        "Saves, not steps, between FIDs over the data set's classifier, against the training "
        "images; the best weights are kept. 0 turns it off.",
        minimum=0,
        of_run=True,
    )

    def __post_init__(self):
        super().__post_init__()
        changed = {f.name for f in dataclasses.fields(self) if getattr(self, f.name) != f.default}
        for name in ("penalty", "penalty_target", "penalty_every"):
            if name in changed and not self.penalty_weight:
                raise ValueError(f"{name} needs a penalty_weight above 0.")
        for name in ("beta_1", "beta_2"):
            if name in changed and self.optimizer == "rmsprop":
                raise ValueError(f"{name} is Adam's, and the optimizer is rmsprop.")
        if "penalty_target" in changed and self.penalty != "gradient_penalty":
            raise ValueError(f"penalty_target needs the gradient_penalty, not {self.penalty}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResNetConfig(GANConfig):
    """What the recipes of residual networks with spectral norm need; see `zoo.resnet`.

    By default the networks and training of Miyato et al. 2018 for 32x32 images (Table 3). Their
    networks for 48x48 images are wider where the images are small (Table 4), as with `max_width`.
    """

    latent_size: int = 128
    width: int = hyperparameter(
        256, "Channels of the generator, of its last block where max_width is given.", minimum=1
    )
    max_width: int = hyperparameter(
        0,
        "Bound on the generator's channels, which double with every halving of the size; 0 for "
        "equal ones.",
        minimum=0,
    )
    discriminator_width: int = hyperparameter(
        128, "Channels of the discriminator, of its first block where a bound is given.", minimum=1
    )
    max_discriminator_width: int = hyperparameter(
        0,
        "Bound on the discriminator's channels, which double when the size is halved; 0 for equal "
        "ones.",
        minimum=0,
    )
    loss: str = "hinge"
    n_critic: int = 5

    paper_widths = (("generator", 256), ("discriminator", 128))

    @property
    def widths(self):
        """Channels at full resolution of the networks in `paper_widths`."""
        return self.width, self.discriminator_width


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierConfig(ModelConfig):
    """What every classifier recipe needs; a step is one update on one batch."""

    kind = "Classifier"

    num_classes: int = hyperparameter(10, "Classes of the images.", minimum=2)
    learning_rate: float = hyperparameter(1e-3, "Of AdamW, at the start.", minimum=0)
    weight_decay: float = hyperparameter(
        0.0, "AdamW's, times the learning rate; of kernels only.", minimum=0
    )
    decay_from: float = 0.0
    flip: bool = hyperparameter(False, "Whether to mirror half of the training images.")
    shift: int = hyperparameter(
        0, "Pixels by which training images are shifted at most, in each direction.", minimum=0
    )
    holdout: float = hyperparameter(
        0.05,
        "Fraction of the training images kept from training, for val_accuracy.",
        minimum=0,
        below=1,
    )
    test_dataset: str = hyperparameter(
        "",
        "Images that measure the accuracy in the end: empty for the test split of a named set.",
        of_run=True,
    )

    def __post_init__(self):
        super().__post_init__()
        if self.shift >= self.image_size:
            raise ValueError("shift must be smaller than image_size: nothing would be left to see.")
