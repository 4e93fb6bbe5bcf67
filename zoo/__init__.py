"""A Keras 3 model zoo of generative adversarial networks with pretrained checkpoints.

>>> import zoo
>>> images = zoo.load("wgan_gp_fmnist").sample(64, seed=0)  # uint8, (64, 28, 28, 1)

Public names are loaded on first use: `import zoo` alone imports neither Keras nor a backend.
"""

import importlib

from zoo import _keras_hook, registry

__version__ = "0.1.0"

_NAMES = registry.CLASSES | {
    "load": "zoo.hub",
    "list_models": "zoo.registry",
    "list_recipes": "zoo.registry",
    "info": "zoo.registry",
    "evaluate": "zoo.evaluation",
    "compare": "zoo.evaluation",
}
_MODULES = (
    "augmentation",
    "callbacks",
    "constraints",
    "data",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "penalties",
    "training",
)
__all__ = sorted(_NAMES | dict.fromkeys(_MODULES))

_keras_hook.install()


def __getattr__(name):
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"zoo.{name}")
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
