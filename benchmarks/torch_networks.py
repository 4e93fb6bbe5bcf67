"""The recipes' networks in plain PyTorch, as written there: NCHW, `nn.Module`s, nothing folded.

They have the parameters of the recipes', number for number; only strided convolutions pad both
sides alike, where Keras pads the right by one more.
"""

import math

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

RECTIFIER_GAIN = math.sqrt(2)


def build(recipe, config):
    """Returns a recipe's networks as a tuple in the recipe's order, or None if there are none here.

    Generators map latents (N, latent_size) to images (N, C, H, W), discriminators these to scores
    (N, 1); conditional ones take integer labels (N,), too. A classifier maps images to logits.
    """
    return NETWORKS[recipe](config) if recipe in NETWORKS else None


def normalization(norm, channels, groups=8):
    if norm == "none":
        return nn.Identity()
    if norm == "batch":
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
    groups = {"layer": 1, "instance": channels, "group": groups}[norm]
    return nn.GroupNorm(groups, channels, eps=1e-3)


# DCGAN


def dcgan(config):
    return dcgan_generator(config), dcgan_discriminator(config)


def dcgan_generator(config):
    size, width = config.image_size // 4, config.width
    start = nn.Linear(config.latent_size, 4 * width * size * size, bias=False)
    layers = [start, nn.Unflatten(1, (4 * width, size, size))]
    layers += [normalization("batch", 4 * width), nn.ReLU()]
    for channels in (2 * width, width):
        layers.append(nn.ConvTranspose2d(2 * channels, channels, 4, 2, 1, bias=False))
        layers += [normalization("batch", channels), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, config.channels, 5, padding=2), nn.Tanh())


def dcgan_discriminator(config):
    width, size = config.width, math.ceil(config.image_size / 8)
    layers = [nn.Conv2d(config.channels, width, 5, 2, 2), nn.LeakyReLU(0.2)]
    for channels in (2 * width, 4 * width):
        layers.append(nn.Conv2d(channels // 2, channels, 5, 2, 2))
        layers += [normalization(config.critic_norm, channels), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width * size * size, 1))


# Residual networks of SNGAN and its conditional successor


def resnet(config):
    return ResNetGenerator(config), ResNetDiscriminator(config)


class ConditionalBatchNorm(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.normalize = nn.BatchNorm2d(channels, eps=2e-5, affine=not classes)
        if classes:
            self.gamma, self.beta = (nn.Embedding(classes, channels) for _ in range(2))
            nn.init.ones_(self.gamma.weight)
            nn.init.zeros_(self.beta.weight)

    def forward(self, x, *labels):
        x = self.normalize(x)
        for y in labels:
            x = self.gamma(y)[:, :, None, None] * x + self.beta(y)[:, :, None, None]
        return x


class ResNetGeneratorBlock(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.norm_1, self.norm_2 = (ConditionalBatchNorm(width, classes) for _ in range(2))
        self.conv_1, self.conv_2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.skip = nn.Conv2d(width, width, 1)

    def forward(self, x, *labels):
        h = functional.interpolate(functional.relu(self.norm_1(x, *labels)), scale_factor=2)
        h = self.conv_2(functional.relu(self.norm_2(self.conv_1(h), *labels)))
        return h + functional.interpolate(self.skip(x), scale_factor=2)


class ResNetGenerator(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.size, width, blocks = config.image_size, config.width, 0
        while self.size > 7 and self.size % 2 == 0:
            self.size, blocks = self.size // 2, blocks + 1
        self.start = nn.Linear(config.latent_size, width * self.size**2)
        self.blocks = nn.ModuleList(
            ResNetGeneratorBlock(width, config.num_classes) for _ in range(blocks)
        )
        self.norm = nn.BatchNorm2d(width, eps=2e-5)
        self.to_image = nn.Conv2d(width, config.channels, 3, padding=1)

    def forward(self, latents, *labels):
        x = self.start(latents).unflatten(1, (-1, self.size, self.size))
        for block in self.blocks:
            x = block(x, *labels)
        return torch.tanh(self.to_image(functional.relu(self.norm(x))))


class ResNetDiscriminatorBlock(nn.Module):
    def __init__(self, channels, width, down, first=False):
        super().__init__()
        self.down, self.first = down, first
        self.conv_1 = spectral_norm(nn.Conv2d(channels, width, 3, padding=1))
        self.conv_2 = spectral_norm(nn.Conv2d(width, width, 3, padding=1))
        self.skip = spectral_norm(nn.Conv2d(channels, width, 1)) if down else nn.Identity()

    def forward(self, x):
        h = self.conv_2(functional.relu(self.conv_1(x if self.first else functional.relu(x))))
        if not self.down:
            return h + x
        return functional.avg_pool2d(h, 2) + self.skip(functional.avg_pool2d(x, 2))


class ResNetDiscriminator(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config.discriminator_width
        first = ResNetDiscriminatorBlock(config.channels, width, down=True, first=True)
        others = (ResNetDiscriminatorBlock(width, width, down) for down in (True, False, False))
        self.blocks = nn.Sequential(first, *others)
        self.scores = spectral_norm(nn.Linear(width, 1))
        if config.num_classes:
            self.embed = spectral_norm(nn.Embedding(config.num_classes, width))

    def forward(self, images, *labels):
        features = functional.relu(self.blocks(images)).sum((2, 3))
        scores = self.scores(features)
        for y in labels:
            scores = scores + (self.embed(y) * features).sum(1, keepdim=True)
        return scores


# ProGAN at its last stage; the other stages' convolutions from and to images wait unused


def progan(config):
    return ProGANGenerator(config), ProGANDiscriminator(config)


def progan_widths(config, network):
    last = math.ceil(math.log2(config.image_size)) - 2
    width, bound = config.widths[network], config.bounds[network]
    return [min(width * 2 ** (last - stage), bound) for stage in range(last + 1)]


class Equalized(nn.Module):
    def __init__(self, layer, gain=RECTIFIER_GAIN):
        super().__init__()
        nn.init.normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        self.layer, self.scale = layer, gain / math.sqrt(layer.weight[0].numel())

    def forward(self, x):
        return self.layer(x * self.scale)


def equalized_conv(inputs, outputs, size=3, gain=RECTIFIER_GAIN):
    return Equalized(nn.Conv2d(inputs, outputs, size, padding=size // 2), gain)


class PixelNorm(nn.Module):
    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class MinibatchStddev(nn.Module):
    def forward(self, x):
        n, _, height, width = x.shape
        groups = x.reshape(min(4, n), -1, *x.shape[1:])
        deviation = torch.sqrt(groups.var(0, unbiased=False) + 1e-8).mean((1, 2, 3))
        deviation = deviation.repeat(n // len(deviation))
        return torch.cat([x, deviation[:, None, None, None].expand(n, 1, height, width)], 1)


class ProGANGenerator(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.image_size = config.image_size
        first, *others = widths = progan_widths(config, 0)
        activate = [nn.LeakyReLU(0.2), PixelNorm()]
        dense = Equalized(nn.Linear(config.latent_size, 16 * first), math.sqrt(2) / 4)
        blocks = [PixelNorm(), dense, nn.Unflatten(1, (first, 4, 4)), *activate]
        blocks += [equalized_conv(first, first), *activate]
        for inputs, outputs in zip(widths, others):
            blocks += [nn.Upsample(scale_factor=2), equalized_conv(inputs, outputs), *activate]
            blocks += [equalized_conv(outputs, outputs), *activate]
        self.blocks = nn.Sequential(*blocks)
        self.to_image = nn.ModuleList(equalized_conv(w, config.channels, 1, 1.0) for w in widths)

    def forward(self, latents):
        images = self.to_image[-1](self.blocks(latents))
        start = (images.shape[-1] - self.image_size) // 2
        return images[..., start : start + self.image_size, start : start + self.image_size]


class ProGANDiscriminator(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths, activation = progan_widths(config, 1), nn.LeakyReLU(0.2)
        frame = 4 * 2 ** (len(widths) - 1) - config.image_size
        self.frame = (frame // 2, frame - frame // 2) * 2
        self.from_image = nn.ModuleList(
            nn.Sequential(equalized_conv(config.channels, width, 1), activation) for width in widths
        )
        blocks = []
        for outputs, inputs in reversed(list(zip(widths, widths[1:]))):
            blocks += [equalized_conv(inputs, inputs), activation]
            blocks += [equalized_conv(inputs, outputs), nn.AvgPool2d(2), activation]
        first = widths[0]
        blocks += [MinibatchStddev(), equalized_conv(first + 1, first), activation, nn.Flatten()]
        blocks += [Equalized(nn.Linear(16 * first, first)), activation]
        self.blocks = nn.Sequential(*blocks, Equalized(nn.Linear(first, 1), 1.0))

    def forward(self, images):
        return self.blocks(self.from_image[-1](functional.pad(images, self.frame, value=-1.0)))


# Classifier


def classifier(config):
    layers = [_convolution(config, config.channels, config.width, 5, config.stem_strides)]
    channels = config.width
    for stage in range(3):
        for block in range(config.blocks):
            outputs = config.width * 2**stage
            layers.append(
                ClassifierBlock(config, channels, outputs, 2 if stage and not block else 1)
            )
            channels = outputs
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return (nn.Sequential(*layers, *pool, nn.Linear(channels, config.num_classes)),)


class ClassifierBlock(nn.Module):
    def __init__(self, config, inputs, outputs, strides):
        super().__init__()
        self.skip = nn.Identity()
        if inputs != outputs or strides > 1:
            self.skip = _convolution(config, inputs, outputs, 1, strides, activate=False)
        self.convolutions = nn.Sequential(
            _convolution(config, inputs, outputs, 3, strides),
            _convolution(config, outputs, outputs, 3, activate=False),
        )

    def forward(self, x):
        return functional.relu(self.convolutions(x) + self.skip(x))


def _convolution(config, inputs, outputs, size, strides=1, activate=True):
    bias = config.norm == "none"
    convolution = nn.Conv2d(inputs, outputs, size, strides, size // 2, bias=bias)
    norm = normalization(config.norm, outputs, config.groups)
    return nn.Sequential(convolution, norm, nn.ReLU() if activate else nn.Identity())


NETWORKS = {
    "wgan": dcgan,
    "wgan_gp": dcgan,
    "sngan": resnet,
    "cbn_resnet": resnet,
    "progan": progan,
    "classifier": classifier,
}
