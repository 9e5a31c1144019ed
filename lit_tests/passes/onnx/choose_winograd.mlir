// RUN: intaglio-opt -p choose-winograd %s --split-input-file | filecheck %s

// A plane of whole tiles and enough channels: tiles of 4 x 4 outputs take a quarter of the products.
// CHECK-LABEL: func.func @large
// CHECK:         "blocked.conv"(%x, %w) <{{.*}}winograd = 4 : i64
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

// Strides, dilations, other kernels, depthwise convolutions, and planes whose size the run tells stay as they are.
// CHECK-LABEL: func.func @others
// CHECK-NOT:     winograd
// CHECK:         func.return
func.func @others(%x: tensor<1x4x56x56x16xf32>, %d: tensor<1x4x?x?x16xf32>) {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<64x64x3x3xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<64x64x3x3xf32>
  %v = "onnx.Constant"() <{value = dense<2.0> : tensor<64x64x3x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<64x64x3x1xf32>
  %t = "onnx.Constant"() <{value = dense<2.0> : tensor<64x1x3x3xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<64x1x3x3xf32>
  %a = "blocked.conv"(%x, %w) <{kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x56x56x16xf32>, tensor<64x64x3x3xf32>) -> tensor<1x4x28x56x16xf32>
  %b = "blocked.conv"(%x, %w) <{kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 2>, pads = array<i64: 1, 2, 1, 2>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x56x56x16xf32>, tensor<64x64x3x3xf32>) -> tensor<1x4x56x56x16xf32>
  %c = "blocked.conv"(%x, %v) <{kernel_shape = array<i64: 3, 1>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 0, 1, 0>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x56x56x16xf32>, tensor<64x64x3x1xf32>) -> tensor<1x4x56x56x16xf32>
  %e = "blocked.conv"(%x, %t) <{kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, depthwise = 1 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x56x56x16xf32>, tensor<64x1x3x3xf32>) -> tensor<1x4x56x56x16xf32>
  %f = "blocked.conv"(%d, %w) <{kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, depthwise = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x?x?x16xf32>, tensor<64x64x3x3xf32>) -> tensor<1x4x?x?x16xf32>
  func.return
}
