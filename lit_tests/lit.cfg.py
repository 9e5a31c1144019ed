"""How lit runs this folder: `lit lit_tests` in the environment that Intaglio is installed in; tests/test_lit.py does the same."""

import os
import sys

import lit.formats

config.name = "Intaglio"  # type: ignore[name-defined] # noqa: F821 - lit defines `config`
config.test_format = lit.formats.ShTest(execute_external=False)  # type: ignore[name-defined] # noqa: F821
config.suffixes = [".mlir"]  # type: ignore[name-defined] # noqa: F821
config.test_source_root = os.path.dirname(__file__)  # type: ignore[name-defined] # noqa: F821

# intaglio-opt, filecheck and not are scripts beside the interpreter; a shell that has not activated the environment lacks them.
beside = os.path.dirname(sys.executable)
config.environment["PATH"] = os.pathsep.join((beside, config.environment["PATH"]))  # type: ignore[name-defined] # noqa: F821
# Where PYTHONPATH names another checkout than the one installed, that is the one to test.
if "PYTHONPATH" in os.environ:
    config.environment["PYTHONPATH"] = os.environ["PYTHONPATH"]  # type: ignore[name-defined] # noqa: F821
