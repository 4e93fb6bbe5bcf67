"""Makes `keras.saving.load_model` know the zoo's classes without importing Keras early.

Keras finds a saved model's class only among classes already registered, and `import zoo` must not
import Keras. So the classes are registered right after whoever imports Keras has imported it.
"""

import importlib
import importlib.abc
import importlib.util
import sys

from zoo import registry


class _RegisterAfterKeras(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("keras")
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module):
                execute(module)
                _register()

            spec.loader.exec_module = execute_and_register
        return spec


def _register():
    for module in registry.CLASSES.values():
        importlib.import_module(module)


def install():
    """Registers the classes now if Keras is imported, else as soon as it is."""
    if "keras" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _RegisterAfterKeras())
