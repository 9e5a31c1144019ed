"""The recording of one body: indices as affine expressions while they can be, operand accesses as indexing maps while they can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from xdsl.dialects import tensor
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr

from ...dialects.onnx.dims import Dim, Shape
from ...dialects.onnx.types import ElementType
from ..scalar import INDEX, Scalar, ScalarBuilder, storage

if TYPE_CHECKING:
    from .builder import Lowering, Tensor

Idx: TypeAlias = "int | Index | Scalar"


@dataclass(frozen=True, eq=False)
class Index:
    """An index inside a body: `constant + sum coefficient * loop index` while affine, else an SSA index value."""

    trace: Trace
    coefficients: tuple[tuple[int, int], ...] = ()
    constant: int = 0
    dynamic: Scalar | None = None

    @staticmethod
    def value(trace: Trace, value: SSAValue) -> Index:
        return Index(trace, dynamic=trace.scalars.wrap(value, INDEX))

    def to_scalar(self, b: ScalarBuilder | None = None) -> Scalar:
        """The index as a scalar of type index."""
        return self.trace.index_scalar(self)

    def __add__(self, o: Any) -> Any:
        if isinstance(o, int):
            return self._affine(dict(self.coefficients), self.constant + o) if self.dynamic is None else self.to_scalar() + o
        if isinstance(o, Index) and self.dynamic is None and o.dynamic is None:
            total = dict(self.coefficients)
            for k, c in o.coefficients:
                total[k] = total.get(k, 0) + c
            return self._affine(total, self.constant + o.constant)
        return self.to_scalar() + o

    __radd__ = __add__

    def __mul__(self, o: Any) -> Any:
        if isinstance(o, int) and self.dynamic is None:
            return self._affine({k: c * o for k, c in self.coefficients}, self.constant * o)
        return self.to_scalar() * o

    __rmul__ = __mul__

    def __neg__(self) -> Any:
        return self * -1

    def __sub__(self, o: Any) -> Any:
        return self + (-o)

    def __rsub__(self, o: Any) -> Any:
        return (-self) + o

    def __floordiv__(self, o: Any) -> Any:
        return self if o == 1 and isinstance(o, int) else self.to_scalar() // o

    def __mod__(self, o: Any) -> Any:
        return 0 if o == 1 and isinstance(o, int) else self.to_scalar() % o

    def __lt__(self, o: Any) -> Scalar:
        return self.to_scalar() < o

    def __le__(self, o: Any) -> Scalar:
        return self.to_scalar() <= o

    def __gt__(self, o: Any) -> Scalar:
        return self.to_scalar() > o

    def __ge__(self, o: Any) -> Scalar:
        return self.to_scalar() >= o

    def equals(self, o: Any) -> Scalar:
        return self.to_scalar().equals(o)

    def differs(self, o: Any) -> Scalar:
        return self.to_scalar().differs(o)

    def _affine(self, coefficients: dict[int, int], constant: int) -> Index:
        return Index(self.trace, tuple(sorted((k, c) for k, c in coefficients.items() if c)), constant)


class Trace:
    """One body under construction: its block, operands and maps, in the order of first access; outputs come last."""

    def __init__(self, lowering: Lowering, extents: Shape) -> None:
        self.lowering = lowering
        self.extents = tuple(extents)
        self.block = Block()
        self.scalars = ScalarBuilder(self.block)
        self.indices = tuple(Index(self, ((k, 1),)) for k in range(len(extents)))
        self.operands: list[SSAValue] = []
        self.maps: list[tuple[AffineExpr, ...]] = []
        self.told: dict[int, set[Dim]] = {}
        """What the operands' sizes say of each loop's extent, where they are indexed by it alone."""
        self._arguments: dict[tuple[SSAValue, str], Scalar] = {}
        self._loop_indices: dict[int, Scalar] = {}

    def add_output(self, ir: Attribute, type: ElementType) -> Scalar:
        """A block argument for an output's running value; outputs stay behind all inputs."""
        return self.scalars.wrap(self.block.insert_arg(ir, len(self.block.args)), type)

    def add_operand(self, value: SSAValue, map: tuple[AffineExpr, ...], type: ElementType) -> Scalar:
        argument = self.block.insert_arg(storage(type), len(self.operands))
        self.operands.append(value)
        self.maps.append(map)
        return self.scalars.wrap(argument, type)

    def access(self, x: Tensor, indices: tuple[Any, ...]) -> Scalar:
        if len(indices) != x.rank:
            raise IndexError(f"{len(indices)} indices into a tensor of rank {x.rank}")
        if x.constant is not None and x.constant.size == 1:
            return self.scalars.const(x.constant.reshape(-1)[0].item(), x.type)
        exprs = [self._affine(i) for i in indices]
        if any(e is None for e in exprs):
            return self._extract(x, indices)
        map = tuple(e for e in exprs if e is not None)
        key = (x.value, ",".join(map_text for map_text in (str(e) for e in map)))
        if key not in self._arguments:
            self._arguments[key] = self.add_operand(x.value, map, x.type)
            for e, size in zip(map, x.shape, strict=True):
                if isinstance(e, AffineDimExpr):
                    self.told.setdefault(e.position, set()).add(size)
        return self._arguments[key]

    def extents_of(self, i: Any) -> tuple[Dim, ...]:
        """The extent of the loop that an index runs over, if it is just that loop's index."""
        if isinstance(i, Index) and i.dynamic is None and len(i.coefficients) == 1 and i.constant == 0 and i.coefficients[0][1] == 1:
            return (self.extents[i.coefficients[0][0]],)
        return ()

    def index_scalar(self, i: Index) -> Scalar:
        if i.dynamic is not None:
            return i.dynamic
        total: Any = None
        for k, c in i.coefficients:
            term = self._loop_index(k) if c == 1 else self._loop_index(k) * c
            total = term if total is None else total + term
        if total is None:
            return self.scalars.const(i.constant, INDEX)
        return total + i.constant if i.constant else total

    def _loop_index(self, k: int) -> Scalar:
        if k not in self._loop_indices:
            self._loop_indices[k] = self.scalars.wrap(self.scalars.emit(linalg.IndexOp(k)), INDEX)
        return self._loop_indices[k]

    def _affine(self, i: Any) -> AffineExpr | None:
        if isinstance(i, int):
            return AffineExpr.constant(i)
        if not isinstance(i, Index) or i.dynamic is not None:
            return None
        total: AffineExpr | None = None
        for k, c in i.coefficients:
            term = AffineExpr.dimension(k) if c == 1 else AffineExpr.dimension(k) * c
            total = term if total is None else total + term
        if total is None:
            return AffineExpr.constant(i.constant)
        return total + i.constant if i.constant else total

    def _extract(self, x: Tensor, indices: tuple[Any, ...]) -> Scalar:
        at = [self.scalars.cast(self.scalars.operand(i, INDEX), INDEX).value for i in indices]
        return self.scalars.wrap(self.scalars.emit(tensor.ExtractOp(x.value, at, storage(x.type))), x.type)
