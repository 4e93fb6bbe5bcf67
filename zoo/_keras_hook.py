"""Makes `keras.saving.load_model` know the zoo's classes without importing Keras early.

Keras finds a saved model's class only among classes already registered, and `import zoo` must not
import Keras. So they are registered right after whoever imports Keras has imported it: the layers
themselves, and in place of the models' classes stand-ins, which import them when one is loaded. A
module of the zoo that is just being imported may be what imports Keras: the classes would need it.
"""

import importlib
import importlib.abc
import importlib.util
import sys

from zoo import registry


class _RegisterAfterKeras(importlib.abc.MetaPathFinder):
    looking = False  # whether the other finders are being asked

    def find_spec(self, name, path=None, target=None):
        if name != "keras" or self.looking:
            return None
        self.looking = True
        try:
            spec = importlib.util.find_spec("keras")
        finally:
            self.looking = False
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module):
                execute(module)  # if it fails, the next import comes by again
                if self in sys.meta_path:  # another spec of Keras may have been run already
                    sys.meta_path.remove(self)
                _register()

            spec.loader.exec_module = execute_and_register
        return spec


def _register():
    known = sys.modules["keras"].saving.get_custom_objects()
    for name in registry.CLASSES:
        known.setdefault(f"zoo>{name}", _stand_in(name))
    for module in ("layers", "constraints", "optimizers"):
        importlib.import_module(f"zoo.{module}")


def _stand_in(name):
    """Returns what Keras sees of a class of `registry.CLASSES` until its module is imported."""

    def from_config(config):
        return registry.import_class(name).from_config(config)

    return type(name, (), {"from_config": staticmethod(from_config)})


def install():
    """Registers the classes now if Keras is imported, else as soon as it is."""
    if "keras" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _RegisterAfterKeras())
