"""Gradients and the training step with PyTorch."""

import contextlib
import os

import keras
import torch

from zoo.backend import shared

COMPILES_GRADIENTS = False  # "aot_autograd does not currently support double backward"


def value_and_grad(fn, variables, state):
    with torch.enable_grad():
        loss, auxiliary = fn()
        # A variable of a branch not taken has the gradient 0, as on the other backends.
        gradients = torch.autograd.grad(
            loss, [v.value for v in variables], allow_unused=True, materialize_grads=True
        )
    detached = {k: v.detach() for k, v in auxiliary.items()}
    return (loss.detach(), detached), list(gradients)


def input_gradient(fn, x):
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        return torch.autograd.grad(fn(x).sum(), x, create_graph=True)[0]


def fused_batch_norm(x, gamma, beta, epsilon):
    count = x.shape[:-1].numel()  # the kernel refuses a single one
    if x.ndim != 4 or count == 1 or x.dtype not in (torch.float32, torch.bfloat16):
        return None
    # With a momentum of 1 the moving statistics are those of the batch, the variance unbiased.
    mean, unbiased = torch.zeros_like(gamma), torch.zeros_like(beta)
    y = torch.nn.functional.batch_norm(
        x.permute(0, 3, 1, 2), mean, unbiased, gamma, beta, True, 1.0, epsilon
    )
    return y.permute(0, 2, 3, 1), mean, unbiased * ((count - 1) / count)


def train_step(model, data):
    # Keras's loader leaves a batch in the CPU's memory, wherever the weights are.
    batch = keras.tree.map_structure(keras.ops.convert_to_tensor, data[0])
    # Only value_and_grad and input_gradient record gradients.
    with torch.no_grad():
        return model.adversarial_step(batch)


def assign(variable, value):
    variable.assign(value)


def sync(model):
    pass


def make_deterministic():
    if accelerators() and "CUBLAS_WORKSPACE_CONFIG" not in os.environ:
        raise ValueError(
            "--deterministic with PyTorch on a GPU needs CUBLAS_WORKSPACE_CONFIG=:4096:8 in the "
            "environment."
        )
    torch.use_deterministic_algorithms(True)


def is_out_of_memory(error):
    # Of a CPU it is a RuntimeError like any other.
    wanting = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return wanting or isinstance(error, torch.OutOfMemoryError)


def accelerators():
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


@contextlib.contextmanager
def strategy(name, batch_size):
    if name != "none":
        raise ValueError(
            f"With PyTorch a model trains on one device: strategy must be 'none', but is {name!r}; "
            "use KERAS_BACKEND=tensorflow or jax."
        )
    yield True, contextlib.nullcontext


def distribute(model, batches):
    return batches()


def distribute_evaluation(model, batches):
    return batches


undistributed = contextlib.nullcontext


@shared.WhileAny
@contextlib.contextmanager
def full_precision():
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    switches = [_rounding(cudnn, cudnn.conv), _rounding(matmul, matmul)]
    for of, name, _, exact in switches:
        setattr(of, name, exact)
    try:
        yield
    finally:
        for of, name, before, _ in switches:
            setattr(of, name, before)


def _rounding(old, new):
    """The switch of TF32 that is in use: (object, attribute, value, value of no rounding)."""
    try:
        return old, "allow_tf32", old.allow_tf32, False
    except RuntimeError:  # PyTorch refuses the older name once the newer one was set
        return new, "fp32_precision", new.fp32_precision, "ieee"
