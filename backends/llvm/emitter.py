"""The emitter that every handler writes through: names, types, blocks and declarations of one LLVM module, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from xdsl.dialects import func
from xdsl.dialects.builtin import IndexType, IntegerType, MemRefType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from ...passes.verify import check_dominance
from .types import EmissionError, MemRef, Number, argument_memref, arithmetic_type, value_type

Handler = Callable[["Emitter", Any], None]
"""Writes one operation of the type it is registered under."""

# Beyond this, scratch belongs in a buffer: worker threads have small stacks.
STACK_LIMIT = 1 << 20


@dataclass(frozen=True)
class TargetAttributes:
    """What the module and each function say of their target; empty fields say nothing.

    triple, data_layout: LLVM's own strings; cpu, features: as `target-cpu` and `target-features`;
    vector_width: bits of the vectors that the loop vectoriser should prefer, 0 for LLVM's choice;
    half: what the target does with f16 in hardware: "arithmetic", "conversion" to and from f32, or "none";
    dot: by the number of sums, what it has for dot products of bytes: "vnni" of unsigned by signed ones, "sdot" of signed ones, "pairs"
    of products of 16 bits.
    """

    triple: str = ""
    data_layout: str = ""
    cpu: str = ""
    features: str = ""
    vector_width: int = 0
    half: str = "conversion"
    dot: Mapping[int, str] = field(default_factory=dict)

    def function_attributes(self) -> str:
        pairs = {"target-cpu": self.cpu, "target-features": self.features, "prefer-vector-width": str(self.vector_width or "")}
        return " ".join(["nounwind", *(f'"{key}"="{value}"' for key, value in pairs.items() if value)])


class Emitter:
    """Writes one LLVM module.

    A handler reads operands with `value`, `typed` or `memref`, writes lines, and binds each result with `assign` (a new
    instruction), `bind` (a text that is known already) or `bind_memref`. `block` is the label of the basic block that is being
    written; only `label` starts another.
    """

    def __init__(self, handlers: Mapping[type[Operation], Handler], target: TargetAttributes | None = None) -> None:
        self.handlers = handlers
        self.target = target or TargetAttributes()
        self.block = "entry"
        self.function: func.FuncOp | None = None
        self._sections: list[str] = []
        self._declarations: dict[str, str] = {}
        self._defined: set[str] = set()
        self._intrinsics: dict[tuple[str, str], str] = {}
        self._shared: dict[str, str] = {}
        self._nodes: list[str] = []
        self._types: dict[int, tuple[Attribute, str]] = {}
        self._arithmetic_types: dict[int, tuple[Attribute, str]] = {}
        self._begin()

    # Module level

    def module_line(self, text: str) -> None:
        """Adds a line outside of any function: a global, a type, inline assembly."""
        self._sections.append(text)

    def declare(self, result: str, name: str, parameters: Iterable[str]) -> str:
        """Declares an external function or intrinsic once; returns its name as `@name`.

        result and parameters are LLVM types. A second declaration of one name must agree with the first.
        """
        text = f"declare {result} @{name}({', '.join(parameters)})"
        if self._declarations.setdefault(name, text) != text:
            raise EmissionError(f"@{name} is declared twice, as `{self._declarations[name]}` and as `{text}`", subject=name)
        return f"@{name}"

    def intrinsic(self, base: str, t: str, count: int, *, result: str | None = None, extra: tuple[str, ...] = ()) -> str:
        """Declares the intrinsic `llvm.<base>` overloaded on LLVM type `t`: `count` operands of it, then `extra` ones."""
        if (name := self._intrinsics.get((base, t))) is None:
            name = self.declare(result or t, f"llvm.{base}.{mangled(t)}", (*([t] * count), *extra))
            self._intrinsics[base, t] = name
        return name

    def metadata(self, body: str) -> str:
        """A shared metadata node `!{body}`; returns its reference."""
        if (reference := self._shared.get(body)) is None:
            reference = self._shared[body] = self._node(f"!{{{body}}}")
        return reference

    def distinct_metadata(self, *operands: str) -> str:
        """A node of its own whose first operand is itself, as the identity of a loop or an alias scope must be."""
        own = f"!{len(self._nodes)}"
        return self._node(f"distinct !{{{', '.join([own, *operands])}}}")

    def _node(self, text: str) -> str:
        self._nodes.append(f"!{len(self._nodes)} = {text}")
        return f"!{len(self._nodes) - 1}"

    def finish(self) -> str:
        """The module's text. Nothing may be written after."""
        head = []
        if self.target.data_layout:
            head.append(f'target datalayout = "{self.target.data_layout}"')
        if self.target.triple:
            head.append(f'target triple = "{self.target.triple}"')
        declarations = [text for name, text in self._declarations.items() if name not in self._defined]
        attributes = f"attributes #0 = {{ {self.target.function_attributes()} }}"
        return "\n".join([*head, *self._sections, *declarations, attributes, *self._nodes, ""])

    # Values

    def type(self, t: Attribute) -> str:
        """The LLVM type of values of type `t`."""
        try:
            return self._types[id(t)][1]
        except KeyError:
            text = value_type(t)
            # The attribute is kept so that its id stays its own.
            self._types[id(t)] = (t, text)
            return text

    def arithmetic_type(self, t: Attribute) -> str:
        """The LLVM type that values of type `t` stand for: `type`, but bfloat for what an i16 carries."""
        try:
            return self._arithmetic_types[id(t)][1]
        except KeyError:
            text = arithmetic_type(t)
            self._arithmetic_types[id(t)] = (t, text)
            return text

    def value(self, ssa: SSAValue) -> str:
        """The text of a value: a name or a constant."""
        try:
            return self._values[id(ssa)]
        except KeyError:
            self._undefined(ssa)

    def typed(self, ssa: SSAValue) -> str:
        """`type value`, as calls and stores spell operands."""
        return f"{self.type(ssa.type)} {self.value(ssa)}"

    def number(self, ssa: SSAValue) -> Number:
        """An index as a number where it is known while emitting, else its text."""
        text = self.value(ssa)
        return int(text) if text[0] != "%" else text

    def memref(self, ssa: SSAValue) -> MemRef:
        try:
            return self._memrefs[id(ssa)]
        except KeyError:
            self._undefined(ssa)

    def fresh(self, hint: str | None = None) -> str:
        """A name, `%` included, that this function does not have yet."""
        self._counter += 1
        return f"%{hint}.{self._counter}" if hint else f"%v{self._counter}"

    def fresh_label(self, hint: str) -> str:
        """A block label that this function does not have yet, without `%`."""
        self._counter += 1
        return f"{hint}.{self._counter}"

    def bind(self, ssa: SSAValue, text: str) -> None:
        self._values[id(ssa)] = text

    def bind_memref(self, ssa: SSAValue, memref: MemRef) -> None:
        self._memrefs[id(ssa)] = memref

    def assign(self, ssa: SSAValue, instruction: str) -> str:
        """Writes `name = instruction` and binds `ssa` to the name, which it returns."""
        self._counter = counter = self._counter + 1
        hint = ssa._name  # pyright: ignore[reportPrivateUsage]  # name_hint, without the property's cost
        name = f"%{hint}.{counter}" if hint else f"%v{counter}"
        self.lines.append(f"  {name} = {instruction}")
        self._values[id(ssa)] = name
        return name

    def let(self, instruction: str, hint: str | None = None) -> str:
        """Writes `name = instruction` for a value that no SSA value stands for; returns the name."""
        name = self.fresh(hint)
        self.lines.append(f"  {name} = {instruction}")
        return name

    def binary(self, opcode: str, t: str, a: Number, b: Number) -> str:
        """`let` of an instruction with two operands of LLVM type `t`."""
        return self.let(f"{opcode} {t} {a}, {b}")

    def convert(self, opcode: str, t: str, text: str, to: str) -> str:
        """`let` of a conversion from LLVM type `t` to `to`."""
        return self.let(f"{opcode} {t} {text} to {to}")

    # Lines and blocks

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def label(self, label: str) -> None:
        """Starts the basic block `label`; the one before must have been ended by a terminator."""
        self.lines.append(f"{label}:")
        self.block = label

    def hole(self) -> int:
        """Keeps a line's place for a phi whose operands are not known yet; `fill` writes it."""
        self.lines.append("")
        return len(self.lines) - 1

    def fill(self, hole: int, text: str) -> None:
        self.lines[hole] = "  " + text

    def alloca(self, t: str, count: int, alignment: int, hint: str | None = None) -> str:
        """Stack space for `count` elements of LLVM type `t`, taken once, in the entry block; returns the pointer."""
        name = self.fresh(hint or "stack")
        size = f", i64 {count}" if count != 1 else ""
        self._allocas.append(f"  {name} = alloca {t}{size}, align {alignment}")
        return name

    def ops(self, block: Block) -> Operation | None:
        """Writes a block's operations in order, all but its terminator, which it returns for the caller to place."""
        handlers = self.handlers
        op = block.first_op
        while op is not None:
            following = op.next_op
            if following is None and type(op) not in handlers:
                return op
            try:
                handler = handlers[type(op)]
            except KeyError:
                self.fail(op, "has no LLVM form here", hint="Lower it before emission, or pass a handler for it.")
            handler(self, op)
            op = following
        return None

    def region(self, region: Region, terminator: type[Operation]) -> Operation:
        """Writes a single-block region and returns its terminator, which must be of the type given."""
        block = region.first_block
        if block is None or block.next_block is not None:
            self.fail(region.parent_op(), "has a region that is not one block")
        last = self.ops(block)
        if not isinstance(last, terminator):
            self.fail(last or region.parent_op(), f"stands where the region needs {terminator.name}")
        return last

    # Arithmetic on indices

    def add(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.let(f"add nsw i64 {a}, {b}")

    def mul(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a == 0 or b == 0:
            return 0
        if a == 1 or b == 1:
            return b if a == 1 else a
        return self.let(f"mul nsw i64 {a}, {b}")

    def address(self, memref: MemRef, indices: Iterable[Number]) -> str:
        """The address of one element."""
        linear: Number = 0
        known = 0
        for index, stride in zip(indices, memref.strides, strict=True):
            term = index if stride == 1 else self.mul(index, stride)
            if isinstance(term, int):
                known += term
            else:
                linear = self.add(linear, term)
        return self.offset(memref.pointer, memref.storage, self.add(linear, known))

    def offset(self, pointer: str, t: str, elements: Number) -> str:
        """`pointer` moved by a count of elements of LLVM type `t`."""
        return pointer if elements == 0 else self.let(f"getelementptr inbounds {t}, ptr {pointer}, i64 {elements}", "p")

    # Functions

    def emit_function(self, op: func.FuncOp, *, linkage: str = "", name: str | None = None, noinline: bool = False) -> None:
        """Writes one function: `define` with its body, or `declare` if it has none.

        linkage: LLVM's words before the result type ("internal", "hidden", ..); name: in place of the function's own.
        A memref argument is a pointer to its first element; `noalias` on the FuncOp (UnitAttr) makes each of them noalias.
        Raises EmissionError (ITG4001) for what has no LLVM form, IntaglioError (ITG4003) for a use that no definition dominates.
        """
        check_dominance(op)
        self.function = op
        name = name or op.sym_name.data
        ftype = op.function_type
        body = op.body.first_block
        if body is None:
            self.declare(self.result_type(ftype.outputs), name, [self.parameter_type(t) for t in ftype.inputs])
            return
        self._begin()
        alias = "noalias " if "noalias" in op.attributes else ""
        parameters = ", ".join(self._parameter(argument, alias) for argument in body.args)
        self._defined.add(name)
        last = self.region(op.body, func.ReturnOp)
        self._return(last)
        words = f"{linkage} " if linkage else ""
        head = (
            f"define {words}{self.result_type(ftype.outputs)} @{quoted(name)}({parameters}) {'noinline ' if noinline else ''}#0 {{\nentry:"
        )
        self._sections.append("\n".join([head, *self._allocas, *self.lines, "}"]))
        self.function = None

    def emit_kernel(self, op: func.FuncOp, *, linkage: str = "hidden") -> None:
        """Writes a kernel: its body as an internal function and a wrapper of the kernel ABI under the kernel's name.

        op: takes 1-D memrefs, then indices of which the last two are `begin` and `end`; returns nothing.
        The wrapper is `void @k(ptr %buffers, ptr %constants, i64 %begin, i64 %end)`: buffers holds one pointer for each memref,
        constants one i64 for each other index, in the order of the arguments.
        """
        name = op.sym_name.data
        inputs = list(op.function_type.inputs)
        buffers = sum(isinstance(t, MemRefType) for t in inputs)
        if op.body.first_block is None or op.function_type.outputs or len(inputs) - buffers < 2:
            self.fail(op, "a kernel has a body, takes memrefs, indices, begin and end, and returns nothing")
        if not all(isinstance(t, MemRefType) for t in inputs[:buffers]) or not all(_is_i64(t) for t in inputs[buffers:]):
            self.fail(op, f"a kernel takes memrefs first, then indices, not {op.function_type}")
        self.emit_function(op, linkage="internal", name=f"{name}.body", noinline=True)
        self._begin()
        arguments = [f"ptr {self._field('%buffers', 'ptr', i)}" for i in range(buffers)]
        arguments += [f"i64 {self._field('%constants', 'i64', i)}" for i in range(len(inputs) - buffers - 2)]
        call = f"call void @{quoted(name + '.body')}({', '.join([*arguments, 'i64 %begin', 'i64 %end'])})"
        words = f"{linkage} " if linkage else ""
        head = f"define {words}void @{quoted(name)}(ptr %buffers, ptr %constants, i64 %begin, i64 %end) #0 {{\nentry:"
        self._defined.add(name)
        self._sections.append("\n".join([head, *self.lines, f"  {call}", "  ret void", "}"]))

    def result_type(self, types: Iterable[Attribute]) -> str:
        """void, the type, or a struct of several."""
        texts = [self.type(output) for output in types]
        if len(texts) <= 1:
            return texts[0] if texts else "void"
        return f"{{ {', '.join(texts)} }}"

    def parameter_type(self, t: Attribute) -> str:
        return "ptr" if isinstance(t, MemRefType) else self.type(t)

    def fail(self, op: Operation | None, message: str, *, hint: str = "") -> NoReturn:
        """Raises ITG4001 about `op`, naming the function it stands in."""
        function = self.function.sym_name.data if self.function is not None else None
        raise EmissionError(message, subject=op.name if op is not None else "", node=function, hint=hint)

    def _begin(self) -> None:
        self.lines: list[str] = []
        self.block = "entry"
        self._values: dict[int, str] = {}
        self._memrefs: dict[int, MemRef] = {}
        self._allocas: list[str] = []
        self._counter = 0

    def _parameter(self, argument: SSAValue, alias: str) -> str:
        name = self.fresh(argument.name_hint or "arg")
        if isinstance(t := argument.type, MemRefType):
            self.bind_memref(argument, argument_memref(name, t))
            return f"ptr {alias}captures(none) {name}"
        self.bind(argument, name)
        return f"{self.type(argument.type)} {name}"

    def _return(self, op: Operation) -> None:
        values = [self.typed(value) for value in op.operands]
        if not values:
            self.line("ret void")
            return
        if len(values) == 1:
            self.line(f"ret {values[0]}")
            return
        struct_type = self.result_type(value.type for value in op.operands)
        aggregate = "poison"
        for i, value in enumerate(values):
            aggregate = self.let(f"insertvalue {struct_type} {aggregate}, {value}, {i}")
        self.line(f"ret {struct_type} {aggregate}")

    def _field(self, array: str, t: str, i: int) -> str:
        return self.let(f"load {t}, ptr {self.offset(array, t, i)}, align 8")

    def _undefined(self, ssa: SSAValue) -> NoReturn:
        owner = ssa.owner
        name = f"%{ssa.name_hint}" if ssa.name_hint else f"a {ssa.type}"
        defined = f"the result of {owner.name}" if isinstance(owner, Operation) else "a block argument"
        kind = "is used before it is defined"
        if id(ssa) in self._memrefs or id(ssa) in self._values:
            kind = f"of type {ssa.type} stands where only {'values' if id(ssa) in self._memrefs else 'memrefs'} are supported"
        function = self.function.sym_name.data if self.function is not None else None
        raise EmissionError(f"{name} ({defined}) {kind}", node=function)


def mangled(t: str) -> str:
    """An LLVM type as overloaded intrinsics spell it in their names: `<8 x float>` is `v8f32`."""
    if t[0] == "<":
        count, element = t[1:-1].split(" x ")
        return f"v{count}{mangled(element)}"
    return {"half": "f16", "float": "f32", "double": "f64", "ptr": "p0"}.get(t, t)


def quoted(name: str) -> str:
    """A symbol as LLVM reads it: in quotes unless plain."""
    plain = name.replace("_", "a").replace(".", "a").replace("$", "a")
    return name if plain.isascii() and plain.isalnum() and not name[0].isdigit() else '"' + name.replace('"', "\\22") + '"'


def _is_i64(t: Attribute) -> bool:
    return isinstance(t, IndexType) or (isinstance(t, IntegerType) and t.width.data == 64)
