// RUN: intaglio-opt -p fuse-few-bits %s --split-input-file | filecheck %s

// Weights (K, N) in blocks of 16 along K: turned, without signs.
// CHECK-LABEL: func.func @blocks
// CHECK:         %[[Y:.*]] = "fused.few_bits_matmul"(%x, %{{.*}}, %{{.*}}, %{{.*}}) <{bits = 8 : i64, block = 16 : i64
// CHECK-SAME:      (tensor<3x32xf32>, tensor<5x32xui8>, tensor<5x2xf32>, tensor<5x2xui8>)
// CHECK-NEXT:    func.return %[[Y]]
func.func @blocks(%x: tensor<3x32xf32>) -> tensor<3x5xf32> {
  %w = "onnx.Constant"() <{value = dense<3> : tensor<32x5xi8>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<32x5xi8>
  %s = "onnx.Constant"() <{value = dense<0.5> : tensor<2x5xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2x5xf32>
  %f = "onnx.DequantizeLinear"(%w, %s) <{axis = 0 : i64, block_size = 16 : i64, operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<32x5xi8>, tensor<2x5xf32>) -> tensor<32x5xf32>
  %y = "onnx.MatMul"(%x, %f) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<3x32xf32>, tensor<32x5xf32>) -> tensor<3x5xf32>
  func.return %y : tensor<3x5xf32>
}

// -----

// Blocks along the columns have no scale of their own within a sum.
// CHECK-LABEL: func.func @along_columns
// CHECK:         "onnx.MatMul"
func.func @along_columns(%x: tensor<3x5xf32>) -> tensor<3x32xf32> {
  %w = "onnx.Constant"() <{value = dense<3> : tensor<5x32xi8>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<5x32xi8>
  %s = "onnx.Constant"() <{value = dense<0.5> : tensor<5x2xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<5x2xf32>
  %f = "onnx.DequantizeLinear"(%w, %s) <{axis = 1 : i64, block_size = 16 : i64, operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<5x32xi8>, tensor<5x2xf32>) -> tensor<5x32xf32>
  %y = "onnx.MatMul"(%x, %f) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<3x5xf32>, tensor<5x32xf32>) -> tensor<3x32xf32>
  func.return %y : tensor<3x32xf32>
}
