// RUN: intaglio-opt -p choose-layouts %s --split-input-file | filecheck %s

// Convolutions, and what is elementwise between them, run on blocks of channels; one pack in front, one unpack behind.
// CHECK-LABEL: func.func @between_convolutions
// CHECK:         %[[P:.*]] = "blocked.pack"(%x)
// CHECK-NEXT:    %[[A:.*]] = "blocked.conv"(%[[P]], %w)
// CHECK-NOT:     blocked.pack
// CHECK:         %[[R:.*]] = "onnx.Relu"(%[[A]])
// CHECK-NOT:     blocked.pack
// CHECK:         %[[B:.*]] = "blocked.conv"(%[[R]], %v)
// CHECK-NEXT:    %[[Y:.*]] = "blocked.unpack"(%[[B]])
// CHECK:         func.return %[[Y]]
func.func @between_convolutions(%x: tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<32x16x1x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<32x16x1x1xf32>
  %v = "onnx.Constant"() <{value = dense<2.0> : tensor<16x32x1x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<16x32x1x1xf32>
  %a = "onnx.Conv"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x16x4x4xf32>, tensor<32x16x1x1xf32>) -> tensor<1x32x4x4xf32>
  %r = "onnx.Relu"(%a) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x32x4x4xf32>) -> tensor<1x32x4x4xf32>
  %b = "onnx.Conv"(%r, %v) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x32x4x4xf32>, tensor<16x32x1x1xf32>) -> tensor<1x16x4x4xf32>
  func.return %b : tensor<1x16x4x4xf32>
}

// -----

// Grouped convolutions (but depthwise ones), filters that come with the run and other ranks keep ONNX's layout.
// CHECK-LABEL: func.func @plain
// CHECK-NOT:     blocked
// CHECK:         func.return
func.func @plain(%x: tensor<1x16x4x4xf32>, %w: tensor<8x16x1x1xf32>, %s: tensor<1x4x9xf32>) -> (tensor<1x16x4x4xf32>, tensor<1x8x4x4xf32>, tensor<1x2x9xf32>) {
  %g = "onnx.Constant"() <{value = dense<2.0> : tensor<16x8x1x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<16x8x1x1xf32>
  %v = "onnx.Constant"() <{value = dense<2.0> : tensor<2x4x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2x4x1xf32>
  %a = "onnx.Conv"(%x, %g) <{group = 2 : i64, operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x16x4x4xf32>, tensor<16x8x1x1xf32>) -> tensor<1x16x4x4xf32>
  %b = "onnx.Conv"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x16x4x4xf32>, tensor<8x16x1x1xf32>) -> tensor<1x8x4x4xf32>
  %c = "onnx.Conv"(%s, %v) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x4x9xf32>, tensor<2x4x1xf32>) -> tensor<1x2x9xf32>
  func.return %a, %b, %c : tensor<1x16x4x4xf32>, tensor<1x8x4x4xf32>, tensor<1x2x9xf32>
}

// -----

// A factor for each channel, as squeeze and excitation make it, scales the filters instead of the plane.
// CHECK-LABEL: func.func @scaled
// CHECK:         %[[A:.*]] = "blocked.conv"(%{{.*}}, %w)
// CHECK:         %[[M:.*]] = "onnx.ReduceMean"(%[[A]], %{{.*}})
// CHECK:         "blocked.conv"(%[[A]], %v, %[[M]])
// CHECK-SAME:    operandSegmentSizes = array<i32: 1, 1, 0, 1>
func.func @scaled(%x: tensor<1x16x4x4xf32>) -> tensor<1x8x4x4xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<16x16x1x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<16x16x1x1xf32>
  %v = "onnx.Constant"() <{value = dense<2.0> : tensor<8x16x1x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<8x16x1x1xf32>
  %a = "onnx.Conv"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x16x4x4xf32>, tensor<16x16x1x1xf32>) -> tensor<1x16x4x4xf32>
  %m = "onnx.GlobalAveragePool"(%a) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x16x4x4xf32>) -> tensor<1x16x1x1xf32>
  %p = "onnx.Mul"(%a, %m) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x16x4x4xf32>, tensor<1x16x1x1xf32>) -> tensor<1x16x4x4xf32>
  %y = "onnx.Conv"(%p, %v) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x16x4x4xf32>, tensor<8x16x1x1xf32>) -> tensor<1x8x4x4xf32>
  func.return %y : tensor<1x8x4x4xf32>
}

// -----

// A convolution that stands alone is not worth packing, nor is what is elementwise after it; one whose rows leave lanes unused is.
// CHECK-LABEL: func.func @alone
// CHECK-NOT:     blocked
// CHECK:         "onnx.Conv"(%x, %w)
// CHECK:         "blocked.pack"(%s)
func.func @alone(%x: tensor<1x16x4x4xf32>, %s: tensor<1x16x3x3xf32>) -> (tensor<1x32x4x4xf32>, tensor<1x32x3x3xf32>) {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<32x16x1x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<32x16x1x1xf32>
  %a = "onnx.Conv"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x16x4x4xf32>, tensor<32x16x1x1xf32>) -> tensor<1x32x4x4xf32>
  %r = "onnx.Relu"(%a) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x32x4x4xf32>) -> tensor<1x32x4x4xf32>
  %b = "onnx.Conv"(%s, %w) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x16x3x3xf32>, tensor<32x16x1x1xf32>) -> tensor<1x32x3x3xf32>
  func.return %r, %b : tensor<1x32x4x4xf32>, tensor<1x32x3x3xf32>
}

// -----

// Convolutions of bytes: few channels in blocks of four, as dot products take them; quantised ones stay in blocks.
// CHECK-LABEL: func.func @bytes
// CHECK:         %[[P:.*]] = "blocked.pack"(%x) <{block = 4 : i64
// CHECK:         %[[A:.*]] = "blocked.qlinear_conv"(%[[P]], %s, %z, %w, %s, %k, %s, %z)
// CHECK:         %[[B:.*]] = "blocked.conv_integer"(%[[A]], %v, %z)
// CHECK-NEXT:    "blocked.unpack"(%[[B]])
func.func @bytes(%x: tensor<1x3x4x4xui8>, %s: tensor<f32>, %z: tensor<ui8>) -> tensor<1x16x4x4xi32> {
  %w = "onnx.Constant"() <{value = dense<2> : tensor<32x3x1x1xi8>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<32x3x1x1xi8>
  %v = "onnx.Constant"() <{value = dense<2> : tensor<16x32x1x1xi8>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<16x32x1x1xi8>
  %k = "onnx.Constant"() <{value = dense<0> : tensor<i8>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<i8>
  %a = "onnx.QLinearConv"(%x, %s, %z, %w, %s, %k, %s, %z) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x3x4x4xui8>, tensor<f32>, tensor<ui8>, tensor<32x3x1x1xi8>, tensor<f32>, tensor<i8>, tensor<f32>, tensor<ui8>) -> tensor<1x32x4x4xui8>
  %b = "onnx.ConvInteger"(%a, %v, %z) <{operandSegmentSizes = array<i32: 1, 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x32x4x4xui8>, tensor<16x32x1x1xi8>, tensor<ui8>) -> tensor<1x16x4x4xi32>
  func.return %b : tensor<1x16x4x4xi32>
}
