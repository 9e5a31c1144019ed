// RUN: intaglio-opt -p choose-winograd %s --split-input-file | filecheck %s

// A plane of whole tiles and enough channels: tiles of 4 x 7 outputs take a fifth of the products.
// CHECK-LABEL: func.func @large
// CHECK:         "blocked.conv"(%x, %w) <{{.*}}winograd = array<i64: 4, 7>
func.func @large(%x: tensor<1x4x56x56x16xf32>) -> tensor<1x4x56x56x16xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<64x64x3x3xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<64x64x3x3xf32>
  %y = "blocked.conv"(%x, %w) <{kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x56x56x16xf32>, tensor<64x64x3x3xf32>) -> tensor<1x4x56x56x16xf32>
  func.return %y : tensor<1x4x56x56x16xf32>
}

// -----

// A plane of one output has nothing to share between outputs.
// CHECK-LABEL: func.func @one_output
// CHECK-NOT:     winograd
// CHECK:         func.return
func.func @one_output(%x: tensor<1x4x3x3x16xf32>) -> tensor<1x4x1x1x16xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<64x64x3x3xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<64x64x3x3xf32>
  %y = "blocked.conv"(%x, %w) <{kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x3x3x16xf32>, tensor<64x64x3x3xf32>) -> tensor<1x4x1x1x16xf32>
  func.return %y : tensor<1x4x1x1x16xf32>
}

// -----

// Inputs of even and of odd places go through filters of two taps and of one: 9 x 15 products in place of 12 x 21.
// CHECK-LABEL: func.func @strided
// CHECK:         "blocked.conv"(%x, %w) <{{.*}}winograd = array<i64: 4, 7>
func.func @strided(%x: tensor<1x8x56x56x16xf32>) -> tensor<1x8x28x28x16xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<128x128x3x3xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<128x128x3x3xf32>
  %y = "blocked.conv"(%x, %w) <{kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x8x56x56x16xf32>, tensor<128x128x3x3xf32>) -> tensor<1x8x28x28x16xf32>
  func.return %y : tensor<1x8x28x28x16xf32>
}

// -----

// Of a row of taps, along the row only.
// CHECK-LABEL: func.func @row
// CHECK:         "blocked.conv"(%x, %w) <{{.*}}winograd = array<i64: 1, 7>
func.func @row(%x: tensor<1x8x28x28x16xf32>) -> tensor<1x8x28x28x16xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<128x128x1x3xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<128x128x1x3xf32>
  %y = "blocked.conv"(%x, %w) <{kernel_shape = array<i64: 1, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 1, 0, 1>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x8x28x28x16xf32>, tensor<128x128x1x3xf32>) -> tensor<1x8x28x28x16xf32>
  func.return %y : tensor<1x8x28x28x16xf32>
}

// -----

// Dilations, strides larger than kernels, single taps, depthwise convolutions, and planes whose size the run tells stay as they are.
// CHECK-LABEL: func.func @others
// CHECK-NOT:     winograd
// CHECK:         func.return
func.func @others(%x: tensor<1x4x56x56x16xf32>, %d: tensor<1x4x?x?x16xf32>) {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<64x64x3x3xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<64x64x3x3xf32>
  %v = "onnx.Constant"() <{value = dense<2.0> : tensor<64x64x1x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<64x64x1x1xf32>
  %t = "onnx.Constant"() <{value = dense<2.0> : tensor<64x1x3x3xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<64x1x3x3xf32>
  %a = "blocked.conv"(%x, %v) <{kernel_shape = array<i64: 1, 1>, strides = array<i64: 2, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x56x56x16xf32>, tensor<64x64x1x1xf32>) -> tensor<1x4x28x56x16xf32>
  %b = "blocked.conv"(%x, %w) <{kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 2>, pads = array<i64: 1, 2, 1, 2>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x56x56x16xf32>, tensor<64x64x3x3xf32>) -> tensor<1x4x56x56x16xf32>
  %c = "blocked.conv"(%x, %v) <{kernel_shape = array<i64: 1, 1>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x56x56x16xf32>, tensor<64x64x1x1xf32>) -> tensor<1x4x56x56x16xf32>
  %e = "blocked.conv"(%x, %t) <{kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, depthwise = 1 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x56x56x16xf32>, tensor<64x1x3x3xf32>) -> tensor<1x4x56x56x16xf32>
  %f = "blocked.conv"(%d, %w) <{kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x?x?x16xf32>, tensor<64x64x3x3xf32>) -> tensor<1x4x?x?x16xf32>
  func.return
}
