"""Programs for the CPU: the device and the C API emitted into the module, run in process or saved as a library, object or archive."""

from .program import CpuProgram, build, c_prefix

__all__ = ["CpuProgram", "build", "c_prefix"]
