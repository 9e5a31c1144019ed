// RUN: intaglio-opt -p widen-short-floats %s --split-input-file | filecheck %s

// A convolution of float16 computes in float32, on filters that are widened here.
// CHECK-LABEL: func.func @convolution
// CHECK-NEXT:    "onnx.Constant"() <{value = dense<
// CHECK-NEXT:    %[[X:.*]] = "onnx.Cast"(%x) <{to = 1 : i64
// CHECK-NEXT:    %[[W:.*]] = "onnx.Constant"() <{value = #onnx.weight<"wide
// CHECK-NEXT:    %[[Y:.*]] = "onnx.Conv"(%[[X]], %[[W]])
// CHECK-SAME:      pads = array<i64: 1, 1, 1, 1>
// CHECK-SAME:      (tensor<1x3x4x4xf32>, tensor<2x3x3x3xf32>) -> tensor<1x2x4x4xf32>
// CHECK-NEXT:    %[[R:.*]] = "onnx.Cast"(%[[Y]]) <{to = 10 : i64
// CHECK-NEXT:    func.return %[[R]] : tensor<1x2x4x4xf16>
func.func @convolution(%x: tensor<1x3x4x4xf16>) -> tensor<1x2x4x4xf16> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<2x3x3x3xf16>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2x3x3x3xf16>
  %y = "onnx.Conv"(%x, %w) <{pads = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x3x4x4xf16>, tensor<2x3x3x3xf16>) -> tensor<1x2x4x4xf16>
  func.return %y : tensor<1x2x4x4xf16>
}

// -----

// Filters that come with the run are widened in the run; so are those of bfloat16.
// CHECK-LABEL: func.func @filters_of_the_run
// CHECK-NEXT:    "onnx.Cast"(%x)
// CHECK-NEXT:    "onnx.Cast"(%w)
// CHECK-NEXT:    "onnx.Conv"
// CHECK-NEXT:    "onnx.Cast"({{.*}}) <{to = 16 : i64
func.func @filters_of_the_run(%x: tensor<1x3x4x4xbf16>, %w: tensor<2x3x1x1xbf16>) -> tensor<1x2x4x4xbf16> {
  %y = "onnx.Conv"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x3x4x4xbf16>, tensor<2x3x1x1xbf16>) -> tensor<1x2x4x4xbf16>
  func.return %y : tensor<1x2x4x4xbf16>
}

// -----

// Other types stay, and so does a pool that is asked where its largest elements lie.
// CHECK-LABEL: func.func @as_they_are
// CHECK-NOT:     onnx.Cast
// CHECK:         func.return
func.func @as_they_are(%x: tensor<1x3x4x4xf16>, %f: tensor<1x3x4x4xf32>) -> (tensor<1x3x3x3xf16>, tensor<1x3x3x3xi64>, tensor<1x3x3x3xf32>) {
  %y, %i = "onnx.MaxPool"(%x) <{kernel_shape = array<i64: 2, 2>, operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1, 1>}> : (tensor<1x3x4x4xf16>) -> (tensor<1x3x3x3xf16>, tensor<1x3x3x3xi64>)
  %z = "onnx.MaxPool"(%f) <{kernel_shape = array<i64: 2, 2>, operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1, 0>}> : (tensor<1x3x4x4xf32>) -> tensor<1x3x3x3xf32>
  func.return %y, %i, %z : tensor<1x3x3x3xf16>, tensor<1x3x3x3xi64>, tensor<1x3x3x3xf32>
}
