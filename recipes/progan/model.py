"""The growing networks of ProGAN (Karras et al. 2018, Table 2).

Both networks speak of images at full resolution at every stage: a generator of 8x8 pixels enlarges
what it made, and a discriminator of 8x8 pixels shrinks what it is given. Their shapes then never
change, distances between images mean the same at every stage, and how far a network has grown is
one number among its weights, saved and averaged with them.
"""

import functools
import math

import keras
from keras import layers, ops

from recipes.progan import Config
from zoo import backend, resnet
from zoo.layers import (
    EqualizedConv2D,
    EqualizedDense,
    EqualizedDownsampleConv2D,
    EqualizedUpsampleConv2D,
    MinibatchStddev,
    PixelNorm,
)

BACKGROUND = -1.0  # black, around images whose size is no power of two


def build_generator(config):
    """Maps latents (N, latent_size) to float32 images (N, H, W, C), about or quite in [-1, 1]."""
    latents = keras.Input((config.latent_size,), name="latents")
    images = GrowingGenerator(config, name="growing")(latents)
    images = layers.Activation("linear", dtype="float32", name="images")(images)
    if config.output == "clipped":
        # The discriminator sees what a person does: beyond black there is nothing to tell apart,
        # and a background need not hit -1 exactly to be as flat as a real one.
        images = ops.clip(images, -1.0, 1.0)
    return keras.Model(latents, images, name="generator")


def build_discriminator(config):
    """Maps images (N, H, W, C) in [-1, 1] to float32 scores (N, 1)."""
    images = keras.Input(config.image_shape, name="images")
    scores = GrowingDiscriminator(config, name="growing")(images)
    scores = layers.Activation("linear", dtype="float32", name="scores")(scores)
    return keras.Model(images, scores, name="discriminator")


def before_step(gan):
    """Grows both networks as far as the schedule says; a grown model stays so when fine-tuned."""
    scheduled = schedule(gan.config, gan.optimizer.iterations)
    for network in (gan.training_generator, gan.discriminator):
        progress = network.get_layer("growing").progress
        backend.assign(progress, ops.maximum(ops.convert_to_tensor(progress), scheduled))


def prepare_real(gan, real):
    """Fades details into real images (N, H, W, C) as the generator does into its own (Figure 2)."""
    growing = gan.discriminator.get_layer("growing")

    def fade(stage, images, alpha):
        if stage == 0:
            return images
        factor = 2 * growing.factor(stage)
        coarse = growing.crop(enlarge(shrink(growing.pad(images), factor), factor))
        return coarse + ops.cast(alpha, images.dtype) * (images - coarse)

    return growing.at_stage(fade, real)


def schedule(config, step):
    """Returns how far the networks have grown after `step` generator steps.

    Args:
        config: The recipe's `Config`.
        step: Generator steps taken, a number or scalar tensor.

    Returns:
        A float32 scalar: 0 at 4x4 pixels; from s - 1 to s while the s-th doubling fades in,
        linearly over `stage_steps`; s for as many steps more.
    """
    time = ops.cast(step, "float32") / config.stage_steps
    doublings = range(1, last_stage(config) + 1)
    return sum((ops.clip(time - (2 * s - 1), 0.0, 1.0) for s in doublings), ops.zeros(()))


def last_stage(config):
    """Returns the number of doublings from 4x4 pixels to a size that holds the images."""
    return max(math.ceil(math.log2(config.image_size)) - 2, 0)


def enlarge(images, factor):
    """Repeats every pixel of images (N, H, W, C) `factor` x `factor` times."""
    return ops.repeat(ops.repeat(images, factor, axis=1), factor, axis=2)


def shrink(images, factor):
    """Averages images (N, H, W, C) over squares of `factor` x `factor` pixels."""
    _, height, width, channels = images.shape
    squares = (-1, height // factor, factor, width // factor, factor, channels)
    return ops.mean(ops.reshape(images, squares), axis=(2, 4))


class Growing(layers.Layer):
    """What both networks share: how far they have grown, and the frame around the images.

    Args:
        config: The recipe's `Config`, or a dict of its fields.
    """

    network = None  # its place in the config's `widths` and `bounds`

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        config = config if isinstance(config, Config) else Config.from_dict(config)
        self.config = config
        self.last = last_stage(config)
        self.image_size, self.image_channels = config.image_size, config.channels
        width, bound = config.widths[self.network], config.bounds[self.network]
        self.widths = [
            resnet.channels(width, self.last - stage, bound) for stage in range(self.last + 1)
        ]
        self.progress = self.add_weight(
            shape=(), initializer="zeros", trainable=False, autocast=False, name="progress"
        )

    def get_config(self):
        return super().get_config() | {"config": self.config.to_dict()}

    def factor(self, stage):
        """Returns how many pixels of the full resolution one pixel of a stage is wide."""
        return 2 ** (self.last - stage)

    def at_stage(self, function, x):
        """Returns `function(stage, x, alpha)`, only that stage being computed.

        `alpha` says how far the stage has faded in, from 0 to 1.
        """
        progress = ops.convert_to_tensor(self.progress)
        stage = ops.ceil(progress)
        alpha = 1.0 + progress - stage
        branches = [functools.partial(function, stage) for stage in range(self.last + 1)]
        return ops.switch(ops.cast(stage, "int32"), branches, x, alpha)

    def pad(self, images):
        """Frames images (N, H, W, C) up to the power of two that the networks double up to."""
        missing = 4 * 2**self.last - self.image_size
        frame = (missing // 2, missing - missing // 2)
        return ops.pad(images, ((0, 0), frame, frame, (0, 0)), constant_values=BACKGROUND)

    def crop(self, images):
        """Takes the frame of `pad` off again."""
        start = (4 * 2**self.last - self.image_size) // 2
        inside = slice(start, start + self.image_size)
        return images[:, inside, inside]


@keras.saving.register_keras_serializable("progan")
class GrowingGenerator(Growing):
    """Latents (N, latent_size) to images (N, H, W, C)."""

    network = 0

    def build(self, input_shape):
        first, *others = self.widths
        # 1/4 of the rectifier's gain, as in the authors' code.
        dense = EqualizedDense(16 * first, gain=math.sqrt(2) / 4, dtype=self.dtype_policy)
        start = [PixelNorm(dtype=self.dtype_policy), dense, layers.Reshape((4, 4, first))]
        self.blocks = [keras.Sequential([*start, *self._activate(), *self._convolve(first)])]
        for width in others:
            upsample = self._convolve(width, EqualizedUpsampleConv2D)
            self.blocks.append(keras.Sequential([*upsample, *self._convolve(width)]))
        self.to_image = [
            EqualizedConv2D(self.image_channels, 1, gain=1.0, dtype="float32") for _ in self.widths
        ]
        shape = input_shape
        for block, to_image in zip(self.blocks, self.to_image):
            block.build(shape)
            shape = block.compute_output_shape(shape)
            to_image.build(shape)

    def _activate(self):
        return [
            layers.LeakyReLU(0.2, dtype=self.dtype_policy),
            PixelNorm(dtype=self.dtype_policy),
        ]

    def _convolve(self, width, kind=EqualizedConv2D):
        return [kind(width, 3, padding="same", dtype=self.dtype_policy), *self._activate()]

    def call(self, latents):
        return self.at_stage(self._images, latents)

    def _images(self, stage, latents, alpha):
        x = latents
        for block in self.blocks[: stage + 1]:
            coarse, x = x, block(x)
        images = self.to_image[stage](x)
        if stage:
            coarse = enlarge(self.to_image[stage - 1](coarse), 2)
            images = coarse + ops.cast(alpha, images.dtype) * (images - coarse)
        return self.crop(enlarge(images, self.factor(stage)))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.image_size, self.image_size, self.image_channels)


@keras.saving.register_keras_serializable("progan")
class GrowingDiscriminator(Growing):
    """Images (N, H, W, C) to scores (N, 1)."""

    network = 1

    def build(self, input_shape):
        first, *others = self.widths
        dense = [
            layers.Flatten(dtype=self.dtype_policy),
            EqualizedDense(first, dtype=self.dtype_policy),
            self._activation(),
            EqualizedDense(1, gain=1.0, dtype="float32"),
        ]
        stddev = MinibatchStddev(dtype=self.dtype_policy)
        self.blocks = [keras.Sequential([stddev, *self._convolve(first), *dense])]
        self.blocks[0].build((None, 4, 4, first))
        for stage, width in enumerate(others, start=1):
            downsample = self._convolve(self.widths[stage - 1], EqualizedDownsampleConv2D)
            block = keras.Sequential([*self._convolve(width), *downsample])
            block.build((None, 4 * 2**stage, 4 * 2**stage, width))
            self.blocks.append(block)
        self.from_image = []
        for width in self.widths:
            convolution = EqualizedConv2D(width, 1, dtype=self.dtype_policy)
            block = keras.Sequential([convolution, self._activation()])
            block.build((None, None, None, self.image_channels))
            self.from_image.append(block)

    def _activation(self):
        return layers.LeakyReLU(0.2, dtype=self.dtype_policy)

    def _convolve(self, width, kind=EqualizedConv2D):
        return [kind(width, 3, padding="same", dtype=self.dtype_policy), self._activation()]

    def call(self, images):
        return self.at_stage(self._scores, images)

    def _scores(self, stage, images, alpha):
        images = shrink(self.pad(images), self.factor(stage))
        x = self.from_image[stage](images)
        if stage:
            coarse = self.from_image[stage - 1](shrink(images, 2))
            x = coarse + ops.cast(alpha, x.dtype) * (self.blocks[stage](x) - coarse)
        for block in reversed(self.blocks[: max(stage, 1)]):
            x = block(x)
        return x

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 1)
