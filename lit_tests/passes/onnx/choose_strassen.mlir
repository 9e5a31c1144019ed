// RUN: intaglio-opt -p choose-strassen %s --split-input-file | filecheck %s

// Enough rows, and weights that halve both ways.
// CHECK-LABEL: func.func @large
// CHECK:         "fused.strassen_matmul"(%x, %w)
func.func @large(%x: tensor<2x128x768xf32>) -> tensor<2x128x768xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<768x768xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<768x768xf32>
  %y = "onnx.MatMul"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x128x768xf32>, tensor<768x768xf32>) -> tensor<2x128x768xf32>
  func.return %y : tensor<2x128x768xf32>
}

// -----

// Open rows: the kernel looks how many there are.
// CHECK-LABEL: func.func @open_rows
// CHECK:         "fused.strassen_matmul"(%x, %w)
func.func @open_rows(%x: tensor<?x768xf32>) -> tensor<?x768xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<768x768xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<768x768xf32>
  %y = "onnx.MatMul"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<?x768xf32>, tensor<768x768xf32>) -> tensor<?x768xf32>
  func.return %y : tensor<?x768xf32>
}

// -----

// Few rows leave too little work for the sums of weights.
// CHECK-LABEL: func.func @few_rows
// CHECK:         "onnx.MatMul"
func.func @few_rows(%x: tensor<16x768xf32>) -> tensor<16x768xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<768x768xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<768x768xf32>
  %y = "onnx.MatMul"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<16x768xf32>, tensor<768x768xf32>) -> tensor<16x768xf32>
  func.return %y : tensor<16x768xf32>
}

// -----

// Halves that are no whole blocks of the reduced dimension (776), no pair of panels (784), a short reduced dimension, and a right operand
// that is no constant.
// CHECK-LABEL: func.func @others
// CHECK-NOT:     strassen
// CHECK:         func.return
func.func @others(%x: tensor<256x776xf32>, %z: tensor<256x768xf32>, %s: tensor<256x32xf32>, %r: tensor<768x768xf32>) {
  %0 = "onnx.Constant"() <{value = dense<2.0> : tensor<776x768xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<776x768xf32>
  %1 = "onnx.Constant"() <{value = dense<2.0> : tensor<768x784xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<768x784xf32>
  %2 = "onnx.Constant"() <{value = dense<2.0> : tensor<32x768xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<32x768xf32>
  %3 = "onnx.MatMul"(%x, %0) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<256x776xf32>, tensor<776x768xf32>) -> tensor<256x768xf32>
  %4 = "onnx.MatMul"(%z, %1) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<256x768xf32>, tensor<768x784xf32>) -> tensor<256x784xf32>
  %5 = "onnx.MatMul"(%s, %2) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<256x32xf32>, tensor<32x768xf32>) -> tensor<256x768xf32>
  %6 = "onnx.MatMul"(%z, %r) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<256x768xf32>, tensor<768x768xf32>) -> tensor<256x768xf32>
  func.return
}
