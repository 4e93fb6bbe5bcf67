"""A plain PyTorch training step for each of `torch_networks`, on the zoo's own batches."""

import torch
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks import torch_networks

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def make(recipe, config):
    """Returns the training of a recipe, with `step(batch)` and `parameters`; None without one."""
    networks = torch_networks.build(recipe, config)
    if networks is None:
        return None
    networks = [network.to(DEVICE) for network in networks]
    return (GANTraining if config.kind == "GAN" else ClassifierTraining)(config, *networks)


def matrix_product(size, dtype):
    """Returns a function that multiplies two matrices (size, size) and waits for the result."""
    x = torch.randn(size, size, device=DEVICE).to(getattr(torch, dtype))
    return lambda: float((x @ x)[0, 0])


def _images(array):
    """Maps uint8 images (..., H, W, C) to floats (..., C, H, W) in [-1, 1]."""
    return torch.from_numpy(array).to(DEVICE).movedim(-1, -3).float() / 127.5 - 1


def _count(*networks):
    return sum(p.numel() for network in networks for p in network.parameters())


class Training:
    def __init__(self, config, *networks):
        self.config, self.parameters = config, _count(*networks)

    def autocast(self):
        return torch.autocast(DEVICE, torch.bfloat16, self.config.precision == "mixed_bfloat16")

    def minimize(self, loss, network, optimizer):
        optimizer.zero_grad()
        loss.backward(inputs=list(network.parameters()))
        optimizer.step()
        return loss.detach()


class ClassifierTraining(Training):
    def __init__(self, config, network):
        super().__init__(config, network)
        self.network = network
        kernels = [p for p in network.parameters() if p.ndim > 1]
        others = [p for p in network.parameters() if p.ndim <= 1]
        groups = [{"params": kernels, "weight_decay": config.weight_decay}, {"params": others}]
        self.optimizer = torch.optim.AdamW(groups, config.learning_rate, weight_decay=0.0)

    def step(self, batch):
        """Takes one step on (images, labels); returns its loss, a float."""
        images, labels = _images(batch[0]), torch.from_numpy(batch[1]).to(DEVICE).long()
        with self.autocast():
            logits = self.network(images)
        loss = functional.cross_entropy(logits.float(), labels)
        return float(self.minimize(loss, self.network, self.optimizer))


class GANTraining(Training):
    def __init__(self, config, generator, discriminator):
        super().__init__(config, generator, discriminator)
        self.generator, self.discriminator = generator, discriminator
        self.g_optimizer = self._optimizer(generator, config.generator_learning_rate)
        self.d_optimizer = self._optimizer(discriminator, config.discriminator_learning_rate)
        average = get_ema_multi_avg_fn(config.ema_decay)
        self.average = AveragedModel(generator, multi_avg_fn=average)

    def _optimizer(self, network, learning_rate):
        parameters, config = network.parameters(), self.config
        if config.optimizer == "rmsprop":
            return torch.optim.RMSprop(parameters, learning_rate)
        return torch.optim.Adam(parameters, learning_rate, (config.beta_1, config.beta_2))

    def step(self, batch):
        """Takes one step on a 1-tuple of the dict of `zoo.batching.batches`; returns the losses."""
        arrays = dict(batch[0])
        real = _images(arrays.pop("real"))
        batch = {key: torch.from_numpy(array).to(DEVICE) for key, array in arrays.items()}
        real_labels, fake_labels = (
            [batch[key].long()] if key in batch else [] for key in ("real_labels", "fake_labels")
        )
        for k in range(self.config.n_critic):
            latents, mix = batch["latents"][:, k], batch["mix"][:, k]
            labels = [y[:, k] for y in real_labels], [y[:, k] for y in fake_labels]
            d_loss = self._update_discriminator(real[:, k], latents, mix, *labels)
        labels = [y[:, -1] for y in fake_labels]
        with self.autocast():
            scores = self.discriminator(self.generator(batch["latents"][:, -1], *labels), *labels)
        g_loss = self.minimize(-scores.float().mean(), self.generator, self.g_optimizer)
        self.average.update_parameters(self.generator)
        return float(d_loss), float(g_loss)

    def _update_discriminator(self, real, latents, mix, real_labels, fake_labels):
        config = self.config
        with self.autocast():
            with torch.no_grad():
                fake = self.generator(latents, *fake_labels).float()
            real_scores = self.discriminator(real, *real_labels).float()
            fake_scores = self.discriminator(fake, *fake_labels).float()
        if config.loss == "hinge":
            loss = functional.relu(1 - real_scores).mean() + functional.relu(1 + fake_scores).mean()
        else:
            loss = fake_scores.mean() - real_scores.mean()
        if config.penalty_weight:
            penalty = self._gradient_penalty(real, fake, mix, real_labels)
            loss = loss + config.penalty_weight * penalty
        if config.drift_weight:
            loss = loss + config.drift_weight * real_scores.square().mean()
        loss = self.minimize(loss, self.discriminator, self.d_optimizer)
        if "clip" in vars(config):
            with torch.no_grad():
                for parameter in self.discriminator.parameters():
                    parameter.clamp_(-config.clip, config.clip)
        return loss

    def _gradient_penalty(self, real, fake, mix, labels):
        x = torch.lerp(real, fake, mix[:, None, None, None]).requires_grad_()
        with self.autocast():
            scores = self.discriminator(x, *labels)
        (gradient,) = torch.autograd.grad(scores.float().sum(), x, create_graph=True)
        norm = torch.sqrt(gradient.square().sum((1, 2, 3)) + 1e-12)
        return (norm - 1).square().mean()
