// RUN: intaglio-opt -p form-dispatches,measure-work %s --split-input-file | filecheck %s

// Bytes, then operations: 32 numbers read and written, a product and a sum on each; the program is marked.
// CHECK:       func.func @main{{.*}} attributes {dispatch.profile}
// CHECK-DAG:     %[[BYTES:.*]] = arith.constant 256 : index
// CHECK-DAG:     %[[WORK:.*]] = arith.constant 64 : index
// CHECK:         "dispatch.call"(%x, %{{.*}}, %[[BYTES]], %[[WORK]]) <{{.*}}operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 2>
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.mulf %0, %0 : f32
    %3 = arith.addf %2, %0 : f32
    linalg.yield %3 : f32
  } -> tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// -----

// An open size is asked for when the program runs; choosing is no work.
// CHECK:       func.func @main
// CHECK:         %[[N:.*]] = tensor.dim
// CHECK:         arith.muli %[[N]], %{{.*}} : index
// CHECK:         %[[NONE:.*]] = arith.constant 0 : index
// CHECK:         "dispatch.call"({{.*}}, %[[NONE]])
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?xf32>
  %t = "dispatch.tie_shape"(%x, %n) : (tensor<?xf32>, index) -> tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%t : tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.cmpf olt, %0, %1 : f32
    %3 = arith.select %2, %0, %1 : f32
    linalg.yield %3 : f32
  } -> tensor<?xf32>
  func.return %y : tensor<?xf32>
}
