// RUN: intaglio-opt -p onnx-to-linalg %s --split-input-file | filecheck %s

// A matrix product is one contraction, with nothing yet between its sum and its store.
// CHECK:       func.func @main
// CHECK:         "dispatch.contract"{{.*}}kind = "matmul"
// CHECK:         ^bb0(%[[ACC:.*]]: f32):
// CHECK-NEXT:      "dispatch.yield"(%[[ACC]])
// CHECK:         -> tensor<4x6xf32>
func.func @main(%x: tensor<4x8xf32>, %y: tensor<8x6xf32>) -> tensor<4x6xf32> {
  %z = "onnx.MatMul"(%x, %y) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  func.return %z : tensor<4x6xf32>
}

// -----

// Softmax is two reductions over rows and what is elementwise between and after them.
// CHECK:       func.func @main
// CHECK:         %[[MAX:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK:           arith.maximumf
// CHECK:         %[[EXP:.*]] = linalg.generic {{.*}}ins(%x, %[[MAX]]
// CHECK:           arith.subf
// CHECK-NEXT:      math.exp
// CHECK:         linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]{{.*}} ins(%[[EXP]]
// CHECK:           arith.addf
// CHECK:         linalg.generic {{.*}}doc = "Softmax"} ins(%[[EXP]]
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = "onnx.Softmax"(%x) <{axis = -1 : i64, operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// -----

// A transposition is a map, and a broadcast operand of size 1 a constant place in it.
// CHECK:       func.func @main
// CHECK:         linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>]
// CHECK:         linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, 0)>, affine_map<(d0, d1) -> (d0, d1)>]{{.*}}ins(%{{.*}}, %b
func.func @main(%x: tensor<4x8xf32>, %b: tensor<8x1xf32>) -> tensor<8x4xf32> {
  %t = "onnx.Transpose"(%x) <{perm = array<i64: 1, 0>, operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %y = "onnx.Mul"(%t, %b) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4xf32>, tensor<8x1xf32>) -> tensor<8x4xf32>
  func.return %y : tensor<8x4xf32>
}

// -----

// Signedness lives in the operations: below the onnx level integers have none.
// CHECK:       func.func @main(%x: tensor<4xi8>, %y: tensor<4xi8>
// CHECK:         arith.divui
func.func @main(%x: tensor<4xui8>, %y: tensor<4xui8>) -> tensor<4xui8> {
  %z = "onnx.Div"(%x, %y) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xui8>
  func.return %z : tensor<4xui8>
}

// -----

// Two inputs that name one dimension are held to it when the program runs.
// CHECK:       func.func @main
// CHECK:         %[[A:.*]] = tensor.dim %x
// CHECK:         %[[B:.*]] = tensor.dim %y
// CHECK:         %[[SAME:.*]] = arith.cmpi eq, %[[B]], %[[A]] : index
// CHECK-NEXT:    "dispatch.require"(%[[SAME]], %[[B]], %[[A]]) <{code = "ITG5003", message = "dimension 0 of input y is {}, but must equal N, {}"
func.func @main(%x: tensor<?xf32> {onnx.name = "x", onnx.dims = ["N"]}, %y: tensor<?xf32> {onnx.name = "y", onnx.dims = ["N"]}) -> tensor<?xf32> {
  %z = "onnx.Add"(%x, %y) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  func.return %z : tensor<?xf32>
}
