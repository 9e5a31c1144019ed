"""Compiles the statements of a kernel: assignments, control flow, calls of inline helpers; the third layer of the compiler.

A variable that changes is a memref of no dimensions; LLVM turns those into registers. Jumps clear flags: what follows a statement
that may have jumped stands under `if live`, and a loop that may be left early is an scf.while that tests `go`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from typing_extensions import override
from xdsl.dialects import arith, memref, scf
from xdsl.dialects.builtin import IndexType
from xdsl.ir import Block, Operation, Region, SSAValue

from ..dispatch import UnitsOp
from .analysis import assignments, binds_names_only, block_local_names, jumps, loop_names, may_break, may_jump
from .expressions import Expressions, Frame, Loop
from .parse import Inline, Source, check_signature
from .types import BOOL, INT, vector_type
from .values import ArrayRef, Cell, Const, FlatRef, Group, Scalar, Thing, TypeRef, Value, WordRef
from .words import WORDS

_DEPTH = 32  # of inline calls
_UNROLLED = 256  # rounds of one loop written out

Flow = tuple[set[str], bool]
"""What control knows at a point: the names that have a value, and whether it gets there."""


class Statements(Expressions):
    """Compiles statements; `function` is the way in.

    bounds: the first of the units to do and the one behind the last, where there are units; divided: whether the function keeps to them.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.bounds: tuple[SSAValue, SSAValue] | None = None
        self.divided = False
        self._depth = 0

    def function(self, source: Source, bound: dict[str, Thing]) -> Frame:
        """Compiles a function's body with its parameters bound, here and now; the frame tells what it returned."""
        tree = source.tree
        frame = Frame(source, assignments(tree), block_local_names(tree), loop_names(tree), self.ops)
        outer = getattr(self, "frame", None)
        self.frame, self.source = frame, source
        for name, thing in bound.items():
            self._bind_parameter(name, thing)
        live = self._flag_cell("live") if any(jump is not tree.body[-1] for jump in jumps(tree.body)) else None
        frame.loops.append(Loop(live))
        self.block(tree.body)
        if outer is not None:
            self.frame, self.source = outer, outer.source
        return frame

    def block(self, statements: Sequence[ast.stmt]) -> None:
        for position, statement in enumerate(statements):
            if not self.frame.reachable:
                return
            rest = statements[position + 1 :]
            if isinstance(statement, ast.If):
                if self._if(statement, rest):
                    return
                continue
            self._statement(statement)
            if rest and self.frame.reachable and may_jump([statement]):
                self._guarded(rest)
                return

    def _statement(self, node: ast.stmt) -> None:
        handler = self._STATEMENTS.get(type(node))
        if handler is None:
            hint = "Kernels have assignments, if, for .. in range, while, break, continue, return, pass and calls of check."
            self.fail("ITG6003", node, f"{type(node).__name__} statements are not in the language", hint)
        handler(self, node)

    # Assignments

    def _assign(self, node: ast.Assign) -> None:
        thing = self.expression(node.value)
        for target in node.targets:
            self._assign_to(target, thing, node)

    def _assign_to(self, target: ast.expr, thing: Thing, node: ast.stmt) -> None:
        if isinstance(target, ast.Name):
            self._assign_name(target.id, thing, node)
        elif isinstance(target, ast.Subscript):
            self._store(target, thing, node)
        elif isinstance(target, ast.Tuple):
            items = self.items(thing)
            if items is None or len(items) != len(target.elts):
                self.fail("ITG6005", node, f"{thing} is no tuple of {len(target.elts)}")
            for part, item in zip(target.elts, items, strict=True):
                self._assign_to(part, item, node)
        else:
            self.fail("ITG6003", node, f"assignment to {ast.unparse(target)}", "Assign to names, elements such as y[i], tuples of them.")

    def _assign_name(self, name: str, thing: Thing, node: ast.stmt) -> None:
        frame = self.frame
        if name in frame.loop_names:
            self.fail("ITG6004", node, f"{name} counts a loop and cannot be assigned", "Use another name.")
        once = frame.counts[name] == 1
        scalar = isinstance(thing, Value) or (isinstance(thing, Const) and isinstance(thing.value, bool | int | float))
        if not scalar and not once and name in frame.names:
            self.fail("ITG6005", node, f"{name} is assigned again, now {thing}", "Only scalars can change.")
        if not scalar or (once and (isinstance(thing, Const) or name in frame.block_local)):
            frame.names[name] = thing
        else:
            self._set_cell(name, thing, node)
        frame.assigned.add(name)

    def _set_cell(self, name: str, thing: Thing, node: ast.AST) -> None:
        cell = self.frame.names.get(name)
        if not isinstance(cell, Cell):
            if cell is not None:
                self.fail("ITG6005", node, f"{name} is {cell} and cannot change", "Use another name.")
            type = self.value(thing, node).type
            if type.lanes:
                self.fail("ITG6005", node, f"{name} is a vector and cannot change", "Keep those that change in an array.")
            cell = self.frame.names[name] = Cell(self.cell(type, name), type)
        value = self.coerce(thing, cell.type, node, f"variable {name}")
        self.ops.append(memref.StoreOp.get(value.ssa, cell.memref, []))

    def _store(self, target: ast.Subscript, thing: Thing, node: ast.stmt) -> None:
        base = self._written(target)
        ref, indices, element = self.place(base, target.slice)
        if isinstance(thing, Value) and thing.type.lanes:
            element = vector_type(element, thing.type.lanes)
        self.store(self.coerce(thing, element, node, f"{ast.unparse(target.value)}[..]"), ref, indices)

    def _written(self, target: ast.Subscript) -> ArrayRef | FlatRef:
        base = self.expression(target.value)
        array = base.array if isinstance(base, FlatRef) else base
        if not isinstance(array, ArrayRef) or not array.written:
            self.fail("ITG6005", target, f"{ast.unparse(target.value)} cannot be stored to", "Annotate the parameter Out or InOut.")
        return base if isinstance(base, FlatRef) else array

    def _augmented(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            before = self.expression(ast.copy_location(ast.Name(node.target.id, ast.Load()), node))
            self._assign_name(node.target.id, self.binary(node.op, before, self.expression(node.value), node), node)
        elif isinstance(node.target, ast.Subscript):
            ref, indices, element = self.place(self._written(node.target), node.target.slice)
            thing = self.expression(node.value)
            changed = self.binary(node.op, self.load(ref, indices, element), thing, node)
            self.store(self.coerce(changed, element, node, f"{ast.unparse(node.target.value)}[..]"), ref, indices)
        else:
            self.fail("ITG6003", node, f"assignment to {ast.unparse(node.target)}", "Assign to names or elements.")

    def _annotated(self, node: ast.AnnAssign) -> None:
        type = self.expression(node.annotation)
        if not isinstance(type, TypeRef) or node.value is None or not isinstance(node.target, ast.Name):
            self.fail("ITG6003", node, "a typed assignment is name: type = value", "As in total: f32 = 0.")
        value = self.coerce(self.expression(node.value), type.type, node, node.target.id)
        self._assign_name(node.target.id, value, node)

    def _bare(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return
        if not isinstance(node.value, ast.Call):
            self.fail("ITG6003", node, "an expression alone does nothing", "Assign it, or remove it.")
        self.expression(node.value)

    def _nothing(self, node: ast.Pass) -> None:
        pass

    # Branches

    def _if(self, node: ast.If, rest: Sequence[ast.stmt]) -> bool:
        """Compiles an if; says whether it took care of `rest`, the statements after it, as well.

        A condition known while compiling leaves one branch, and the other is never looked at.
        """
        condition = self.condition(node.test)
        if isinstance(condition, bool):
            self.block([*(node.body if condition else node.orelse), *rest])
            return True
        before = self._flow()
        branches: list[tuple[list[Operation], Flow, list[ast.stmt]]] = []
        for statements in (node.body, node.orelse):
            ops: list[Operation] = []
            self._resume(before)
            with self.region(ops):
                self.block(statements)
            branches.append((ops, self._flow(), statements))
        going = [i for i in (0, 1) if branches[i][1][1]]
        taken = bool(rest) and len(going) == 1
        if taken:  # the other branch jumped: what follows the if belongs to this one
            ops, flow, statements = branches[going[0]]
            self._resume(flow)
            with self.region(ops):
                self._guarded(rest) if may_jump(statements) else self.block(rest)
            branches[going[0]] = ops, self._flow(), statements
        self._emit_if(condition, branches[0][0], branches[1][0])
        self._resume(_merged(branches[0][1], branches[1][1]))
        if taken:
            return True
        if rest and self.frame.reachable and may_jump([node]):
            self._guarded(rest)
            return True
        return False

    def _emit_if(self, condition: SSAValue, then: list[Operation], otherwise: Sequence[Operation] = ()) -> None:
        regions = [Region(Block([*ops, scf.YieldOp()])) for ops in (then, otherwise)]
        self.ops.append(scf.IfOp(condition, [], regions[0], regions[1] if otherwise else None))

    def _guarded(self, rest: Sequence[ast.stmt]) -> None:
        """Statements that run unless a jump was taken."""
        live = self.frame.loops[-1].live
        assert live is not None, "a statement that may jump has flags around it"
        ops: list[Operation] = []
        condition = self.emit(memref.LoadOp.get(live, []))
        with self.region(ops):
            self.block(rest)
        self._emit_if(condition, ops)

    def _flow(self) -> Flow:
        return set(self.frame.assigned), self.frame.reachable

    def _resume(self, flow: Flow) -> None:
        self.frame.assigned, self.frame.reachable = set(flow[0]), flow[1]

    # Loops

    def _for(self, node: ast.For) -> None:
        if node.orelse:
            self.fail("ITG6003", node, "loops have no else", "Use a flag.")
        if not isinstance(node.target, ast.Name) and not isinstance(node.target, ast.Tuple):
            self.fail("ITG6003", node, f"a loop counts with a name, not {ast.unparse(node.target)}")
        for name in ast.walk(node.target):
            if isinstance(name, ast.Name) and name.id in self.frame.assigned:
                self.fail("ITG6004", node, f"{name.id} already has a value here", "A loop counts with a name of its own.")
        if isinstance(node.iter, ast.Call):
            word = self.expression(node.iter.func)
            if isinstance(word, WordRef) and word.name in ("range", "unroll", "parallel") and not node.iter.keywords:
                arguments = [self.scalar(argument) for argument in node.iter.args]
                if word.name == "parallel":
                    self._parallel(node, arguments)
                    return
                if not 1 <= len(arguments) <= 3:
                    self.fail("ITG6007", node, f"{word.name} takes one to three arguments, not {len(arguments)}")
                if word.name == "unroll":
                    self._unrolled(node, [Const(i) for i in self._constant_range(node, arguments)])
                else:
                    self._counted(node, arguments)
                return
        items = self.items(self.expression(node.iter))
        if items is None:
            self.fail("ITG6003", node, f"cannot loop over {ast.unparse(node.iter)}", "Loop over range(..), unroll(..) or a tuple.")
        self._unrolled(node, items)

    def _constant_range(self, node: ast.For, arguments: Sequence[Scalar]) -> range:
        numbers = [a.value for a in arguments if isinstance(a, Const) and isinstance(a.value, int)]
        if len(numbers) < len(arguments):
            self.fail("ITG6008", node, "unroll(..) takes integers known while compiling", "Use range(..) for run-time bounds.")
        if len(numbers) == 3 and not numbers[2]:
            self.fail("ITG6008", node, "a step of 0")
        return range(*numbers)

    def _unrolled(self, node: ast.For, items: Sequence[Thing]) -> None:
        if len(items) > _UNROLLED:
            self.fail("ITG6008", node, f"{len(items)} rounds are too many to write out", f"At most {_UNROLLED}; use range(..).")
        if not may_jump(node.body):
            for item in items:
                self._bind_counter(node.target, item, node)
                self.block(node.body)
            self._forget_counter(node.target)
            return
        loop = Loop(self._flag_cell("live"), self._flag_cell("go") if may_break(node.body) else None)
        before = self._flow()
        for position, item in enumerate(items):
            ops: list[Operation] = []
            condition = self.emit(memref.LoadOp.get(loop.go, [])) if position and loop.go is not None else None
            with self.region(self.ops if condition is None else ops):
                self._round(node.body, loop, lambda item=item: self._bind_counter(node.target, item, node))
            if condition is not None:
                self._emit_if(condition, ops)
            self._resume(before)

    def _bind_counter(self, target: ast.expr, thing: Thing, node: ast.AST) -> None:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        items = self.items(thing) if isinstance(target, ast.Tuple) else (thing,)
        if items is None or len(items) != len(names) or not all(isinstance(name, ast.Name) for name in names):
            self.fail("ITG6005", node, f"{thing} does not unpack into {ast.unparse(target)}")
        for name, item in zip(names, items, strict=True):
            if isinstance(name, ast.Name):
                self.frame.names[name.id] = item
                self.frame.assigned.add(name.id)

    def _forget_counter(self, target: ast.expr) -> None:
        self.frame.assigned -= {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}

    def _counted(self, node: ast.For, arguments: Sequence[Scalar]) -> None:
        """for .. in range(..): an scf.for, or an scf.while if it may be left early."""
        if not isinstance(node.target, ast.Name):
            self.fail("ITG6003", node, "range counts with one name")
        low, high = (Const(0), arguments[0]) if len(arguments) == 1 else arguments[:2]
        step = arguments[2] if len(arguments) == 3 else Const(1)
        if isinstance(step, Const) and (type(step.value) is not int or step.value == 0):
            self.fail("ITG6008", node, f"a step of {step}", "Steps are integers other than 0.")
        bounds = [self.coerce(bound, INT, node, "range(..)") for bound in (low, high, step)]
        down = isinstance(step, Const) and step.value < 0
        if may_break(node.body):
            self._counted_while(node, bounds, down)
            return
        first, last, stride = bounds
        if down:  # counted upwards: i = low - k * stride
            stride = self.value(self.negate(step, node), node, INT)
            last = self.value(self.binary(ast.Sub(), first, last, node), node)
            first = Value(self.index(0), INT)
        self._rounds(node, first.ssa, last.ssa, stride.ssa, bounds[0] if down else None)

    def _rounds(self, node: ast.For, first: SSAValue, last: SSAValue, step: SSAValue, top: Value | None = None) -> None:
        """An scf.for; counts down from `top` where that is given."""
        assert isinstance(node.target, ast.Name)
        loop = Loop(self._flag_cell("live") if may_jump(node.body) else None)
        block = Block(arg_types=[IndexType()])
        block.args[0].name_hint = node.target.id
        counter = Value(block.args[0], INT)
        ops: list[Operation] = []
        with self._body(ops):
            if top is not None:
                counter = self.value(self.binary(ast.Sub(), top, counter, node), node)
            self._round(node.body, loop, lambda: self._bind_counter(node.target, counter, node))
        block.add_ops([*ops, scf.YieldOp()])
        self.ops.append(scf.ForOp(first, last, step, [], Region(block)))

    def _parallel(self, node: ast.For, arguments: Sequence[Scalar]) -> None:
        """for .. in parallel(n, cost): the rounds that this call of the kernel is for. `dispatch.units` tells how many there are."""
        if len(arguments) != 2:
            self.fail("ITG6007", node, f"parallel takes 2 arguments, not {len(arguments)}", "How many rounds, and what one costs.")
        *before, last = self.frame.source.tree.body
        if last is not node or not all(map(binds_names_only, before)) or may_break(node.body) or self._depth or self.bounds is None:
            hint = "It is the last statement of a kernel, behind assignments to names alone, and goes through all its rounds."
            self.fail("ITG6003", node, "parallel(..) cannot stand here", hint)
        count, cost = (self.coerce(argument, INT, node, "parallel(..)").ssa for argument in arguments)
        if not (_of_sizes(count) and _of_sizes(cost)):
            hint = "Make them of shapes, Size parameters and constants, by integer arithmetic."
            self.fail("ITG6008", node, "what parallel(..) is given does not follow from sizes alone", hint)
        self.ops.append(UnitsOp(count, cost))
        self.divided = True
        self._rounds(node, *self.bounds, self.index(1))

    def _counted_while(self, node: ast.For, bounds: Sequence[Value], down: bool) -> None:
        first, last, step = bounds
        loop = Loop(self._flag_cell("live"), self._flag_cell("go"))
        assert isinstance(node.target, ast.Name) and loop.go is not None
        cell = self.cell(INT, node.target.id)
        self.ops.append(memref.StoreOp.get(first.ssa, cell, []))
        test: list[Operation] = []
        with self.region(test):
            inside = self.compare(ast.Gt() if down else ast.Lt(), Value(self.emit(memref.LoadOp.get(cell, [])), INT), last, node)
            going = self.emit(arith.AndIOp(self.emit(memref.LoadOp.get(loop.go, [])), self.value(inside, node).ssa))
        ops: list[Operation] = []
        with self._body(ops):
            counter = Value(self.emit(memref.LoadOp.get(cell, [])), INT)
            self._round(node.body, loop, lambda: self._bind_counter(node.target, counter, node))
            following = self.emit(arith.AddiOp(counter.ssa, step.ssa))
            self.ops.append(memref.StoreOp.get(following, cell, []))
        self._emit_while(test, going, ops)

    def _while(self, node: ast.While) -> None:
        if node.orelse:
            self.fail("ITG6003", node, "loops have no else", "Use a flag.")
        breaks = may_break(node.body)
        loop = Loop(self._flag_cell("live") if may_jump(node.body) or breaks else None, self._flag_cell("go") if breaks else None)
        test: list[Operation] = []
        with self.region(test):
            condition = self.condition(node.test)
        if condition is False:
            return
        if condition is True and not breaks:
            self.fail("ITG6003", node, "this loop never ends", "Leave it by break or return.")
        going = self._while_test(test, condition, loop)
        ops: list[Operation] = []
        with self._body(ops):
            self._round(node.body, loop, lambda: None)
        self._emit_while(*going, ops)
        if condition is True and not any(isinstance(jump, ast.Break) for jump in jumps(node.body)):
            self.frame.reachable = False

    def _while_test(self, test: list[Operation], condition: SSAValue | bool, loop: Loop) -> tuple[list[Operation], SSAValue]:
        """The operations of a loop's condition, and the condition: not computed once a break was taken."""
        if loop.go is None:
            assert isinstance(condition, SSAValue)
            return test, condition
        ops: list[Operation] = []
        with self.region(ops):
            go = self.emit(memref.LoadOp.get(loop.go, []))
            if isinstance(condition, SSAValue):
                go = self.choose(go, test, Value(condition, BOOL), [], Value(self.flag(False), BOOL)).ssa
        return ops, go

    def _emit_while(self, test: list[Operation], going: SSAValue, body: list[Operation]) -> None:
        before = Region(Block([*test, scf.ConditionOp(going)]))
        self.ops.append(scf.WhileOp([], [], before, Region(Block([*body, scf.YieldOp()]))))

    @contextmanager
    def _body(self, ops: list[Operation]):
        """The body of a loop that may run any number of times: what it assigns is not known to have a value afterwards."""
        before = self._flow()
        with self.region(ops):
            yield
        self._resume(before)

    def _round(self, body: Sequence[ast.stmt], loop: Loop, bind: Callable[[], None]) -> None:
        """One round of a loop."""
        if loop.live is not None:
            self.ops.append(memref.StoreOp.get(self.flag(True), loop.live, []))
        bind()
        self.frame.loops.append(loop)
        self.block(body)
        self.frame.loops.pop()

    def _flag_cell(self, hint: str) -> SSAValue:
        """A flag, set here."""
        cell = self.cell(BOOL, hint)
        self.ops.append(memref.StoreOp.get(self.flag(True), cell, []))
        return cell

    # Jumps

    def _break_or_continue(self, node: ast.Break | ast.Continue) -> None:
        loop = self.frame.loops[-1]
        self._clear(loop.live)
        if isinstance(node, ast.Break):
            self._clear(loop.go)
        self.frame.reachable = False

    def _return(self, node: ast.Return) -> None:
        if node.value is not None:
            self._return_value(node, self.expression(node.value))
        for loop in self.frame.loops:
            self._clear(loop.live)
            self._clear(loop.go)
        self.frame.reachable = False

    def _return_value(self, node: ast.Return, thing: Thing) -> None:
        frame = self.frame
        if self._depth == 0:
            self.fail("ITG6003", node, "a kernel returns nothing", "Store its results into Out parameters.")
        if self.ops is frame.top and frame.results is None:
            frame.direct = thing
            return
        items = self.items(thing) or (thing,)
        if frame.results is None:
            types = [self.value(item, node).type for item in items]
            frame.results = [Cell(self.cell(type, f"{frame.source.name}_result"), type) for type in types]
        if len(items) != len(frame.results):
            self.fail("ITG6005", node, f"returns {len(items)} values, and elsewhere {len(frame.results)}")
        for cell, item in zip(frame.results, items, strict=True):
            value = self.coerce(item, cell.type, node, "the first value returned")
            self.ops.append(memref.StoreOp.get(value.ssa, cell.memref, []))

    def _clear(self, flag: SSAValue | None) -> None:
        if flag is not None:
            self.ops.append(memref.StoreOp.get(self.flag(False), flag, []))

    # Calls

    @override
    def call_word(self, name: str, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
        return WORDS[name](self, node, arguments)

    @override
    def call_inline(self, inline: Inline, arguments: Sequence[Thing], node: ast.AST) -> Thing:
        """Compiles a helper's body here, with its parameters standing for the arguments."""
        check_signature(inline.source)
        parameters = [argument.arg for argument in (*inline.source.tree.args.posonlyargs, *inline.source.tree.args.args)]
        defaults = inline.source.function.__defaults__ or ()
        missing = len(parameters) - len(arguments)
        if not 0 <= missing <= len(defaults):
            self.fail("ITG6007", node, f"{inline.name} takes {len(parameters)} arguments, not {len(arguments)}")
        if self._depth == _DEPTH:
            self.fail("ITG6007", node, f"{inline.name} is {_DEPTH} calls deep", "Inline functions cannot be recursive.")
        filled = [self.classify(default, inline.name, node) for default in defaults[len(defaults) - missing :]]
        self._depth += 1
        frame = self.function(inline.source, dict(zip(parameters, [*arguments, *filled], strict=True)))
        self._depth -= 1
        return self._result(frame, inline, node)

    def _result(self, frame: Frame, inline: Inline, node: ast.AST) -> Thing:
        if frame.direct is not None:
            return frame.direct
        if frame.results is None:
            return Const(None)
        if frame.reachable:
            self.fail("ITG6003", node, f"{inline.name} may end without returning a value", "Return one on every path.")
        values = tuple(Value(self.emit(memref.LoadOp.get(cell.memref, [])), cell.type) for cell in frame.results)
        return values[0] if len(values) == 1 else Group(values)

    def _bind_parameter(self, name: str, thing: Thing) -> None:
        """A parameter that the function assigns is a variable of its own."""
        frame = self.frame
        if frame.counts[name] > 1 and isinstance(thing, Value | Const):
            self._set_cell(name, thing, frame.source.tree)
        else:
            frame.names[name] = thing
        frame.assigned.add(name)

    _STATEMENTS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ast.Assign: _assign,
        ast.AugAssign: _augmented,
        ast.AnnAssign: _annotated,
        ast.Expr: _bare,
        ast.Pass: _nothing,
        ast.For: _for,
        ast.While: _while,
        ast.Break: _break_or_continue,
        ast.Continue: _break_or_continue,
        ast.Return: _return,
    }


def _of_sizes(value: SSAValue) -> bool:
    """Whether arithmetic alone makes the value of a function's arguments."""
    owner = value.owner
    return isinstance(owner, Block) or (owner.name.startswith("arith.") and all(map(_of_sizes, owner.operands)))


def _merged(a: Flow, b: Flow) -> Flow:
    """What is known after both branches."""
    if a[1] and b[1]:
        return a[0] & b[0], True
    return (a if a[1] else b)[0], a[1] or b[1]
