// RUN: intaglio-opt -p infer-shapes %s | filecheck %s

// What text leaves open is refined from the arguments.
// CHECK: "onnx.Add"(%x, %y) {{.*}} -> tensor<2x3xf32>
func.func @main(%x: tensor<2x1xf32>, %y: tensor<3xf32>) -> tensor<?x?xf32> {
  %z = "onnx.Add"(%x, %y) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x1xf32>, tensor<3xf32>) -> tensor<?x?xf32>
  func.return %z : tensor<?x?xf32>
}
