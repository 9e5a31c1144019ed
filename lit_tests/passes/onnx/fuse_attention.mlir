// RUN: intaglio-opt -p fuse-attention %s --split-input-file | filecheck %s

// A scale and a bias go with the scores.
// CHECK-LABEL: func.func @scaled_and_biased
// CHECK-NEXT:    "onnx.Constant"
// CHECK-NEXT:    %[[Y:.*]] = "fused.attention"(%q, %k, %v, %bias) <{
// CHECK-SAME:      scale = 5.000000e-01 : f32
// CHECK-SAME:      cleaned = 0 : i64
// CHECK-NEXT:    func.return %[[Y]]
func.func @scaled_and_biased(%q: tensor<2x8x4xf32>, %k: tensor<2x4x9xf32>, %v: tensor<2x9x3xf32>, %bias: tensor<8x9xf32>) -> tensor<2x8x3xf32> {
  %half = "onnx.Constant"() <{value = dense<0.5> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x4xf32>, tensor<2x4x9xf32>) -> tensor<2x8x9xf32>
  %s = "onnx.Mul"(%p, %half) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>, tensor<f32>) -> tensor<2x8x9xf32>
  %b = "onnx.Add"(%s, %bias) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>, tensor<8x9xf32>) -> tensor<2x8x9xf32>
  %w = "onnx.Softmax"(%b) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>) -> tensor<2x8x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>, tensor<2x9x3xf32>) -> tensor<2x8x3xf32>
  func.return %y : tensor<2x8x3xf32>
}

// -----

// Rows that see nothing, made zeros as PyTorch's exporter does.
// CHECK-LABEL: func.func @cleaned
// CHECK-NEXT:    "onnx.Constant"
// CHECK-NEXT:    "fused.attention"(%q, %k, %v) <{
// CHECK-SAME:      cleaned = 1 : i64
func.func @cleaned(%q: tensor<8x4xf32>, %k: tensor<4x9xf32>, %v: tensor<9x3xf32>) -> tensor<8x3xf32> {
  %zero = "onnx.Constant"() <{value = dense<0.0> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4xf32>, tensor<4x9xf32>) -> tensor<8x9xf32>
  %w = "onnx.Softmax"(%p) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>) -> tensor<8x9xf32>
  %nan = "onnx.IsNaN"(%w) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>) -> tensor<8x9xi1>
  %c = "onnx.Where"(%nan, %zero, %w) <{operandSegmentSizes = array<i32: 1, 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xi1>, tensor<f32>, tensor<8x9xf32>) -> tensor<8x9xf32>
  %y = "onnx.MatMul"(%c, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>, tensor<9x3xf32>) -> tensor<8x3xf32>
  func.return %y : tensor<8x3xf32>
}

// -----

// Scores that a mask replaces by a number: where it is 0, in the order of masks and biases. One that says where they go is turned over.
// CHECK-LABEL: func.func @masked
// CHECK:         %[[FILL:.*]] = "onnx.Constant"() <{value = dense<-1.000000e+04>
// CHECK:         %[[NOT:.*]] = "onnx.Not"(%mask)
// CHECK:         %[[MASK:.*]] = "onnx.Cast"(%[[NOT]])
// CHECK:         "fused.attention"(%q, %k, %v, %[[MASK]], %bias, %[[FILL]]) <{
// CHECK-SAME:      masks = array<i64: 0>
func.func @masked(%q: tensor<8x4xf32>, %k: tensor<4x9xf32>, %v: tensor<9x3xf32>, %mask: tensor<1x9xi1>, %bias: tensor<8x9xf32>) -> tensor<8x3xf32> {
  %fill = "onnx.Constant"() <{value = dense<-1.0e4> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4xf32>, tensor<4x9xf32>) -> tensor<8x9xf32>
  %m = "onnx.Where"(%mask, %fill, %p) <{operandSegmentSizes = array<i32: 1, 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x9xi1>, tensor<f32>, tensor<8x9xf32>) -> tensor<8x9xf32>
  %b = "onnx.Add"(%m, %bias) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>, tensor<8x9xf32>) -> tensor<8x9xf32>
  %w = "onnx.Softmax"(%b) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>) -> tensor<8x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>, tensor<9x3xf32>) -> tensor<8x3xf32>
  func.return %y : tensor<8x3xf32>
}

// A mask whose other number the run tells, or each place its own, stays as it is.
// CHECK-LABEL: func.func @open_fill
// CHECK-NOT:     fused.attention
func.func @open_fill(%q: tensor<8x4xf32>, %k: tensor<4x9xf32>, %v: tensor<9x3xf32>, %mask: tensor<1x9xi1>, %fill: tensor<f32>) -> tensor<8x3xf32> {
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4xf32>, tensor<4x9xf32>) -> tensor<8x9xf32>
  %m = "onnx.Where"(%mask, %p, %fill) <{operandSegmentSizes = array<i32: 1, 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x9xi1>, tensor<8x9xf32>, tensor<f32>) -> tensor<8x9xf32>
  %w = "onnx.Softmax"(%m) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>) -> tensor<8x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>, tensor<9x3xf32>) -> tensor<8x3xf32>
  func.return %y : tensor<8x3xf32>
}

// -----

// Weights that somebody else reads are computed.
// CHECK-LABEL: func.func @weights_shown
// CHECK-NOT:     fused.attention
func.func @weights_shown(%q: tensor<8x4xf32>, %k: tensor<4x9xf32>, %v: tensor<9x3xf32>) -> (tensor<8x3xf32>, tensor<8x9xf32>) {
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4xf32>, tensor<4x9xf32>) -> tensor<8x9xf32>
  %w = "onnx.Softmax"(%p) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>) -> tensor<8x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>, tensor<9x3xf32>) -> tensor<8x3xf32>
  func.return %y, %w : tensor<8x3xf32>, tensor<8x9xf32>
}

// -----

// A softmax of columns, and a bias that widens the scores, are something else.
// CHECK-LABEL: func.func @columns
// CHECK-NOT:     fused.attention
func.func @columns(%q: tensor<8x4xf32>, %k: tensor<4x9xf32>, %v: tensor<9x3xf32>) -> tensor<8x3xf32> {
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4xf32>, tensor<4x9xf32>) -> tensor<8x9xf32>
  %w = "onnx.Softmax"(%p) <{axis = 0 : i64, operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>) -> tensor<8x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>, tensor<9x3xf32>) -> tensor<8x3xf32>
  func.return %y : tensor<8x3xf32>
}

// CHECK-LABEL: func.func @widened
// CHECK-NOT:     fused.attention
func.func @widened(%q: tensor<8x4xf32>, %k: tensor<4x9xf32>, %v: tensor<9x3xf32>, %bias: tensor<2x8x9xf32>) -> tensor<2x8x3xf32> {
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4xf32>, tensor<4x9xf32>) -> tensor<8x9xf32>
  %b = "onnx.Add"(%p, %bias) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>, tensor<2x8x9xf32>) -> tensor<2x8x9xf32>
  %w = "onnx.Softmax"(%b) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>) -> tensor<2x8x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>, tensor<9x3xf32>) -> tensor<2x8x3xf32>
  func.return %y : tensor<2x8x3xf32>
}

// -----

// A scale of the queries goes with the scores, and so does a mask of windows, an axis that the scores have for it alone.
// CHECK-LABEL: func.func @windows
// CHECK:         %[[Q:.*]] = "onnx.Reshape"(%q, %{{.*}}) {{.*}} -> tensor<1x4x3x9x8xf32>
// CHECK:         %[[K:.*]] = "onnx.Reshape"(%k, %{{.*}}) {{.*}} -> tensor<1x4x3x8x9xf32>
// CHECK:         %[[V:.*]] = "onnx.Reshape"(%v, %{{.*}}) {{.*}} -> tensor<1x4x3x9x8xf32>
// CHECK:         %[[B:.*]] = "onnx.Reshape"(%bias, %{{.*}}) {{.*}} -> tensor<1x1x3x9x9xf32>
// CHECK:         %[[Y:.*]] = "fused.attention"(%[[Q]], %[[K]], %[[V]], %[[B]], %mask) <{
// CHECK-SAME:      scale = 5.000000e-01 : f32
// CHECK:         %[[R:.*]] = "onnx.Reshape"(%[[Y]], %{{.*}}) {{.*}} -> tensor<4x3x9x8xf32>
// CHECK-NEXT:    func.return %[[R]]
func.func @windows(%q: tensor<4x3x9x8xf32>, %k: tensor<4x3x8x9xf32>, %v: tensor<4x3x9x8xf32>, %bias: tensor<1x3x9x9xf32>, %mask: tensor<1x4x1x9x9xf32>) -> tensor<4x3x9x8xf32> {
  %half = "onnx.Constant"() <{value = dense<0.5> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %split = "onnx.Constant"() <{value = dense<[1, 4, 3, 9, 9]> : tensor<5xi64>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<5xi64>
  %joined = "onnx.Constant"() <{value = dense<[-1, 3, 9, 9]> : tensor<4xi64>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<4xi64>
  %s = "onnx.Mul"(%q, %half) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4x3x9x8xf32>, tensor<f32>) -> tensor<4x3x9x8xf32>
  %p = "onnx.MatMul"(%s, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4x3x9x8xf32>, tensor<4x3x8x9xf32>) -> tensor<4x3x9x9xf32>
  %b = "onnx.Add"(%p, %bias) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4x3x9x9xf32>, tensor<1x3x9x9xf32>) -> tensor<4x3x9x9xf32>
  %r = "onnx.Reshape"(%b, %split) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4x3x9x9xf32>, tensor<5xi64>) -> tensor<1x4x3x9x9xf32>
  %m = "onnx.Add"(%r, %mask) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x3x9x9xf32>, tensor<1x4x1x9x9xf32>) -> tensor<1x4x3x9x9xf32>
  %t = "onnx.Reshape"(%m, %joined) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x3x9x9xf32>, tensor<4xi64>) -> tensor<4x3x9x9xf32>
  %w = "onnx.Softmax"(%t) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4x3x9x9xf32>) -> tensor<4x3x9x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4x3x9x9xf32>, tensor<4x3x9x8xf32>) -> tensor<4x3x9x8xf32>
  func.return %y : tensor<4x3x9x8xf32>
}

// -----

// A view that mixes queries with the batch is none of its axes.
// CHECK-LABEL: func.func @mixed
// CHECK-NOT:     fused.attention
func.func @mixed(%q: tensor<4x8x4xf32>, %k: tensor<4x4x9xf32>, %v: tensor<8x9x3xf32>) -> tensor<8x4x3xf32> {
  %shape = "onnx.Constant"() <{value = dense<[8, 4, 9]> : tensor<3xi64>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<3xi64>
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4x8x4xf32>, tensor<4x4x9xf32>) -> tensor<4x8x9xf32>
  %r = "onnx.Reshape"(%p, %shape) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<4x8x9xf32>, tensor<3xi64>) -> tensor<8x4x9xf32>
  %w = "onnx.Softmax"(%r) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4x9xf32>) -> tensor<8x4x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4x9xf32>, tensor<8x9x3xf32>) -> tensor<8x4x3xf32>
  func.return %y : tensor<8x4x3xf32>
}
