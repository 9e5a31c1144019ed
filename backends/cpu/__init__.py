"""Programs for the CPU: the device and the C API emitted into the module, run in process or saved as a library, object or archive."""

from .program import CpuProgram, build, c_prefix
from .variants import Variants

__all__ = ["CpuProgram", "Variants", "build", "c_prefix"]
