"""A module at the hal level to a program for the CPU: its LLVM IR, its object, what it is saved as; the driver calls `build`."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import IntegerAttr, ModuleOp

from ...dialects import hal, texts
from ...dialects.dispatch import PROFILE, kernel_attributes
from ...dialects.onnx.types import BY_NUMBER
from ...errors import IntaglioError, UnsupportedError
from ..abi import IMAGE_FORMAT, KINDS, MODULE, MODULE_SYMBOL, STRUCTS, VERSION, Field
from ..llvm import Machine
from ..llvm.emitter import quoted
from ..llvm.machine import Optimised
from ..session import HostedDevice, Session
from . import device, images, instance, profile
from .device import constant_text, cpu_device
from .header import header
from .host import PROFILED, HostEmitter, Site
from .instance import EXPORTS, Extent, instance_functions, instance_types
from .link import Artifact, save_archive, save_object, save_shared
from .threads import thread_functions, thread_libc
from .weights import Layout, lay_out, placeholder, weights_elsewhere

(_KERNEL,) = kernel_attributes()
DEFAULT_PREFIX = "intaglio"


@dataclass(frozen=True)
class Variant:
    """One of several programs in an artifact, which exports nothing itself, see `variants`: the names of its module table and of all
    weights, and the layout of the variants before it."""

    module: str
    weights: str
    after: Layout | None


def build(
    module: ModuleOp,
    weights: Mapping[str, np.ndarray],
    *,
    machine: Machine | None = None,
    prefix: str = DEFAULT_PREFIX,
    defaults: Mapping[str, np.ndarray] | None = None,
    variant: Variant | None = None,
) -> CpuProgram:
    """Compiles a module at the hal level.

    module: kernels and @main, see dialects/hal.py. weights: by id, more than are used may be there; each is kept until the program
    goes. machine: what to compile for, this host at full optimisation by default. prefix: of the exported C functions, see
    `c_prefix`. defaults: values of inputs that may be left out, by name. variant: where this is one of several.

    Raises IntaglioError: ITG4001 and ITG4003 for IR that has no LLVM form, ITG7001 for weights that have no form in memory,
    ITG7003 for a default that does not fit its input.
    """
    machine = machine or Machine()
    main, kernels = _parts(module)
    inputs, outputs = hal.ports(main)
    _check_elements((*inputs, *outputs), pool=texts.COUNT in main.attributes)
    defaults = dict(defaults or {})
    _check_defaults(inputs, defaults)
    used = dict.fromkeys(op.id.data for op in main.walk() if isinstance(op, hal.WeightOp))
    if texts.COUNT in main.attributes:
        used |= dict.fromkeys((texts.OFFSETS, texts.BYTES))
    if missing := [key for key in used if key not in weights]:
        raise IntaglioError("ITG4001", f"the program uses weights that the store has not: {', '.join(missing)}", subject="hal.weight")
    arrays = [(key, weights[key]) for key in used] + [(f"default:{name}", array) for name, array in defaults.items()]
    layout = lay_out(arrays, variant.after if variant is not None else None)
    ir = _Text(machine, prefix, inputs, outputs, layout, defaults, variant).module(main, kernels)
    return CpuProgram(machine, prefix, inputs, outputs, layout, ir)


def c_prefix(name: str) -> str:
    """`name` made a C identifier: what is neither letter nor digit becomes `_`."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or DEFAULT_PREFIX
    return f"m_{text}" if text[0].isdigit() or keyword.iskeyword(text) else text


@dataclass(frozen=True, eq=False)
class CpuProgram:
    """A compiled program; code is generated when it is first asked for, once."""

    machine: Machine
    prefix: str
    inputs: tuple[hal.Port, ...]
    outputs: tuple[hal.Port, ...]
    layout: Layout
    unoptimised: str

    def session(self, *, num_threads: int = 0, device: HostedDevice | None = None) -> Session:
        """The program in this process, on the CPU or on a device given. Raises IntaglioError (ITG4002) for another machine's code."""
        library = self.machine.load([self.object])
        weights = self.layout.blob() if self.layout.bytes else None
        return Session(library.address(MODULE_SYMBOL), keep=(library, weights), weights=weights, device=device, num_threads=num_threads)

    def save(self, path: str | Path) -> Path:
        """Writes a shared library (.so), object (.o) or archive (.a), by the suffix, and the C header beside it.

        Returns the path. Raises IntaglioError: ITG7004 for another suffix, ITG7010 where a .so is wanted and no linker is there,
        ITG7011 if the linker fails, ITG7002 for weights in an object that is not ELF.
        """
        path = Path(path)
        savers = {".so": save_shared, ".o": save_object, ".a": save_archive}
        if (saver := savers.get(path.suffix)) is None:
            hint = f"The suffix says what to write: {', '.join(savers)}."
            raise IntaglioError("ITG7004", f'no artifact has the suffix "{path.suffix}"', subject=str(path), hint=hint)
        exports = (*(f"{self.prefix}_{name}" for name in EXPORTS), MODULE_SYMBOL)
        saver(Artifact(self.object, self.layout, self.machine.attributes.triple, exports), path)
        path.with_suffix(".h").write_text(header(self.prefix, self.inputs, self.outputs), encoding="utf-8")
        return path

    def header(self) -> str:
        """The C header that `save` writes."""
        return header(self.prefix, self.inputs, self.outputs)

    def llvm_ir(self, *, optimised: bool = False) -> str:
        """LLVM IR text, before LLVM's passes or after."""
        return self.optimised.ir if optimised else self.unoptimised

    def assembly(self) -> str:
        return self.optimised.assembly()

    @cached_property
    def optimised(self) -> Optimised:
        return self.machine.optimise(self.unoptimised)

    @property
    def stored_bytes(self) -> int:
        """What `stored.write_program` writes, about."""
        return self.layout.bytes + len(self.object) + len(self.unoptimised) // 4

    @cached_property
    def object(self) -> bytes:
        """A relocatable object without the weights."""
        return self.optimised.object()


def _parts(module: ModuleOp) -> tuple[func.FuncOp, list[func.FuncOp]]:
    main: func.FuncOp | None = None
    kernels: list[func.FuncOp] = []
    for op in module.ops:
        if isinstance(op, func.FuncOp) and _KERNEL in op.attributes:
            kernels.append(op)
        elif isinstance(op, func.FuncOp) and op.sym_name.data == "main":
            main = op
        else:
            named = f" @{op.sym_name.data}" if isinstance(op, func.FuncOp) else ""
            raise IntaglioError("ITG4001", f"{op.name}{named} is neither a kernel nor @main", subject="hal module")
    if main is None:
        raise IntaglioError("ITG4001", "there is no @main", subject="hal module")
    return main, kernels


def _known_texts(main: func.FuncOp) -> int:
    """How many texts the model names, 0 where there is no pool."""
    count = main.attributes.get(texts.COUNT)
    return count.value.data if isinstance(count, IntegerAttr) else 0


def _check_elements(ports: Sequence[hal.Port], *, pool: bool) -> None:
    for port in ports:
        _check_elements(port.items, pool=pool)
        if port.is_list:
            continue
        if (kind := BY_NUMBER.get(port.element)) is None:
            message = f"elements of type number {port.element} cannot cross the program's border"
            raise UnsupportedError("ITG3020", message, subject="port", node=port.name)
        if kind.numpy.hasobject and not pool:
            message = f"elements of type {kind.name} need a pool of texts, @main has no {texts.COUNT}"
            raise UnsupportedError("ITG3020", message, subject="port", node=port.name)


def _element_bytes(port: hal.Port) -> int:
    """Bytes of an element in the caller's memory; a string is a pointer and a length there."""
    if port.is_list:
        return 0
    kind = BY_NUMBER[port.element]
    return 16 if kind.numpy.hasobject else kind.numpy.itemsize


def _check_defaults(inputs: Sequence[hal.Port], defaults: Mapping[str, np.ndarray]) -> None:
    ports = {port.name: port for port in inputs}
    for name, array in defaults.items():
        if (port := ports.get(name)) is None:
            raise IntaglioError("ITG7003", "there is no such input to have a default", subject="default", node=name)
        fits = len(port.sizes) == array.ndim and all(isinstance(d, str) or d == n for d, n in zip(port.sizes, array.shape, strict=True))
        if not fits or BY_NUMBER[port.element].stored != array.dtype:
            expected = f"{BY_NUMBER[port.element].name}{list(port.sizes)}"
            raise IntaglioError("ITG7003", f"is {array.dtype}{list(array.shape)}, the input {expected}", subject="default", node=name)


class _Text:
    """Writes the LLVM module: types, tables, the device, kernels, the host program, the instance."""

    def __init__(
        self,
        machine: Machine,
        prefix: str,
        inputs: Sequence[hal.Port],
        outputs: Sequence[hal.Port],
        layout: Layout,
        defaults: Mapping[str, np.ndarray],
        variant: Variant | None = None,
    ) -> None:
        self.machine = machine
        self.prefix = prefix
        self.inputs = inputs
        self.outputs = outputs
        self.layout = layout
        self.defaults = defaults
        self.variant = variant
        self.symbols = {d: i for i, d in enumerate(dict.fromkeys(d for port in inputs for d in port.sizes if isinstance(d, str)))}
        self._tables: list[str] = []
        self._texts: dict[str, str] = {}

    def module(self, main: func.FuncOp, kernels: Sequence[func.FuncOp]) -> str:
        names = [kernel.sym_name.data for kernel in kernels]
        extent = Extent(
            prefix=self.prefix if self.variant is None else "",
            inputs=len(self.inputs),
            outputs=len(self.outputs),
            result_dims=sum(len(port.sizes) for port in self.outputs),
            symbols=len(self.symbols),
            weight_bytes=self.layout.bytes,
            texts=_known_texts(main),
            text_offsets=self.layout.offsets.get(texts.OFFSETS, 0),
            text_bytes=self.layout.offsets.get(texts.BYTES, 0),
            numbers=any(isinstance(op, texts.NumberOp | texts.DecimalOp) for op in main.walk()),
            sites=sum(isinstance(op, PROFILED) for op in main.walk()) if PROFILE in main.attributes else 0,
            lists=any(port.is_list for port in (*self.inputs, *self.outputs)) or any(op.name.startswith("list.") for op in main.walk()),
        )
        e = HostEmitter(self.machine.attributes, names, self.layout.offsets)
        triple = self.machine.attributes.triple
        clock = profile.LIBC if extent.sites else ()
        for declaration in (*device.LIBC, *instance.LIBC, *thread_libc(triple), *clock):
            self._declare(e, declaration)
        for struct in STRUCTS:
            e.module_line(struct.llvm())
        e.module_line(instance_types(extent))
        e.module_line(cpu_device())
        e.module_line(thread_functions(triple))
        elsewhere = self.variant.weights if self.variant is not None and self.layout.bytes else ""
        e.module_line(weights_elsewhere(elsewhere) if elsewhere else placeholder(self.layout.bytes, triple))
        for kernel in kernels:
            e.emit_kernel(kernel, linkage="internal")
        e.emit_main(main)
        e.module_line(instance_functions(extent))
        if any(isinstance(op, hal.DecodeImageOp) for op in main.walk()):
            for declaration in images.LIBC:
                self._declare(e, declaration)
            e.module_line(images.image_functions())
        self._image(names)
        self._ports("inputs", self.inputs)
        self._ports("outputs", self.outputs)
        self._sites(e.sites)
        self._module_table(len(e.sites))
        e.module_line("\n".join([*(constant_text(name, text) for text, name in self._texts.items()), *self._tables]))
        # Steps and the host program are run once a dispatch at most: they are kept small, the kernels fast.
        return e.finish() + "attributes #1 = { nounwind optsize }\n"

    @staticmethod
    def _declare(e: HostEmitter, declaration: str) -> None:
        match = re.fullmatch(r"declare (.+) @([\w.]+)\((.*)\)", declaration)
        assert match is not None
        e.declare(match.group(1), match.group(2), match.group(3).split(", "))

    def _image(self, names: Sequence[str]) -> None:
        functions = ", ".join(f"ptr @{quoted(name)}" for name in names)
        texts = ", ".join(f"ptr {self._text(name)}" for name in names)
        self._tables += [
            f"@kernels = internal constant [{len(names)} x ptr] [{functions}], align 8",
            f"@kernel.names = internal constant [{len(names)} x ptr] [{texts}], align 8",
            f"@image = internal constant %image {{ ptr {self._text(IMAGE_FORMAT)}, ptr @kernels, i64 {8 * len(names)}, "
            f"ptr @kernel.names, i32 {len(names)} }}, align 8",
        ]

    def _ports(self, kind: str, ports: Sequence[hal.Port]) -> None:
        rows = [self._port(port, f"{kind}.{i}", port.name in self.defaults and kind == "inputs") for i, port in enumerate(ports)]
        self._table(kind, "%port", rows)
        if kind == "inputs":
            tables = [self._array(f"symbols.{i}", "i32", self._symbols(port)) for i, port in enumerate(ports)]
            self._tables.append(f"@input.symbols = internal constant [{len(tables)} x ptr] [{', '.join(tables)}], align 8")

    def _symbols(self, port: hal.Port) -> list[int]:
        return [self.symbols[d] if isinstance(d, str) else -1 for d in port.sizes]

    def _port(self, port: hal.Port, table: str, has_default: bool) -> str:
        dims = self._array(f"{table}.dims", "i64", [d if isinstance(d, int) else -1 for d in port.sizes])
        names = [self._text(d) if isinstance(d, str) else "null" for d in port.sizes]
        items = [self._port(item, f"{table}.{i}", False) for i, item in enumerate(port.items)]
        default = self.defaults[port.name] if has_default else None
        values = [
            f"ptr {self._text(port.name)}",
            f"ptr {self._text(port.type_name if port.is_list else BY_NUMBER[port.element].name)}",
            f"i32 {port.element}",
            f"i32 {_element_bytes(port)}",
            f"i32 {-1 if port.dims is None else len(port.dims)}",
            f"i32 {int(has_default)}",
            dims,
            self._array(f"{table}.names", "ptr", names),
            f"i64 {self.layout.offsets[f'default:{port.name}'] if has_default else -1}",
            self._array(f"{table}.default", "i64", default.shape) if default is not None else "ptr null",
            f"i32 {KINDS.index(port.kind)}",
            f"i32 {len(items)}",
            self._table(f"{table}.items", "%port", items) if items else "ptr null",
        ]
        return f"%port {{ {', '.join(values)} }}"

    def _sites(self, sites: Sequence[Site]) -> None:
        rows = []
        for i, site in enumerate(sites):
            nodes = self._array(f"sites.{i}", "ptr", [self._text(node) for node in site.nodes])
            rows.append(f"%site {{ ptr {self._text(site.name)}, i32 {int(site.counts)}, i32 {len(site.nodes)}, {nodes} }}")
        self._table("sites", "%site", rows)

    def _module_table(self, sites: int) -> None:
        values: dict[str, Any] = {
            "version": VERSION,
            "prefix": self._text(self.prefix),
            "input_count": len(self.inputs),
            "output_count": len(self.outputs),
            "inputs": "@inputs",
            "outputs": "@outputs",
            "image": "@image",
            "device": "@cpu.device",
            "weight_bytes": self.layout.bytes,
            "site_count": sites,
            "sites": "@sites",
        }
        rows = []
        for member in MODULE.members:
            value = values.get(member.name, f"@api.{member.name}")
            width = {"int32_t": "i32", "int64_t": "i64"}.get(member.ctype.strip(), "ptr") if isinstance(member, Field) else "ptr"
            rows.append(f"{width} {value}")
        if self.variant is not None:
            self._tables.append(f'@"{self.variant.module}" = hidden constant %module {{ {", ".join(rows)} }}, align 8')
            return
        # Weak, since a program may link several models; found by name only in a library of its own.
        self._tables.append(f"@{MODULE_SYMBOL} = weak constant %module {{ {', '.join(rows)} }}, align 8")

    def _array(self, name: str, t: str, values: Sequence[object]) -> str:
        """A table of its own, as `ptr @name`."""
        return self._table(name, t, [f"{t} {value}" for value in values])

    def _table(self, name: str, t: str, values: Sequence[str]) -> str:
        elements = ", ".join(values)
        self._tables.append(f"@{name} = internal constant [{len(values)} x {t}] [{elements}], align 8")
        return f"ptr @{name}"

    def _text(self, text: str) -> str:
        name = self._texts.setdefault(text, f"text.{len(self._texts)}")
        return f"@{name}"
