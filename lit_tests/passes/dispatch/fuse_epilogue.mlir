// RUN: intaglio-opt -p fuse-epilogue %s --split-input-file | filecheck %s

// A bias and the activation after it move into the contraction, before its one store.
// CHECK-LABEL: func.func @bias_and_activation
// CHECK:         %[[C:.*]] = "dispatch.contract"(%a, %b, %bias) <{kind = "matmul", {{.*}}extra_maps = [affine_map<(d0, d1) -> (d1)>]
// CHECK-NEXT:    ^bb0(%[[ACC:.*]]: f32, %[[BIAS:.*]]: f32):
// CHECK-NEXT:      %[[SUM:.*]] = arith.addf %[[ACC]], %[[BIAS]]
// CHECK-NEXT:      %[[ACT:.*]] = math.tanh %[[SUM]]
// CHECK-NEXT:      "dispatch.yield"(%[[ACT]])
// CHECK-NEXT:    })
// CHECK-NEXT:    func.return %[[C]]
func.func @bias_and_activation(%a: tensor<2x5x16xf32>, %b: tensor<1x2x16x32xf32>, %bias: tensor<32xf32>) -> tensor<5x32xf32> {
  %c = "dispatch.contract"(%a, %b) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 32>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%0: f32):
    "dispatch.yield"(%0) : (f32) -> ()
  }) : (tensor<2x5x16xf32>, tensor<1x2x16x32xf32>) -> tensor<5x32xf32>
  %e = tensor.empty() : tensor<5x32xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c, %bias : tensor<5x32xf32>, tensor<32xf32>) outs(%e : tensor<5x32xf32>) {
  ^bb0(%1: f32, %2: f32, %3: f32):
    %4 = arith.addf %1, %2 : f32
    linalg.yield %4 : f32
  } -> tensor<5x32xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%d : tensor<5x32xf32>) outs(%e : tensor<5x32xf32>) {
  ^bb0(%5: f32, %6: f32):
    %7 = math.tanh %5 : f32
    linalg.yield %7 : f32
  } -> tensor<5x32xf32>
  func.return %f : tensor<5x32xf32>
}

// -----

// A product that somebody else reads too is stored as it is.
// CHECK-LABEL: func.func @read_twice
// CHECK:         ^bb0(%[[ACC:.*]]: f32):
// CHECK-NEXT:      "dispatch.yield"(%[[ACC]])
// CHECK:         linalg.generic
func.func @read_twice(%a: tensor<2x5x16xf32>, %b: tensor<1x2x16x32xf32>) -> (tensor<5x32xf32>, tensor<5x32xf32>) {
  %c = "dispatch.contract"(%a, %b) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 32>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%0: f32):
    "dispatch.yield"(%0) : (f32) -> ()
  }) : (tensor<2x5x16xf32>, tensor<1x2x16x32xf32>) -> tensor<5x32xf32>
  %e = tensor.empty() : tensor<5x32xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<5x32xf32>) outs(%e : tensor<5x32xf32>) {
  ^bb0(%1: f32, %2: f32):
    %3 = math.tanh %1 : f32
    linalg.yield %3 : f32
  } -> tensor<5x32xf32>
  func.return %c, %d : tensor<5x32xf32>, tensor<5x32xf32>
}

// -----

// A residual read across the tile's vectors (transposed) does not fit an epilogue.
// CHECK-LABEL: func.func @transposed
// CHECK:         ^bb0(%[[ACC:.*]]: f32):
// CHECK-NEXT:      "dispatch.yield"(%[[ACC]])
// CHECK:         linalg.generic
func.func @transposed(%a: tensor<2x5x16xf32>, %b: tensor<1x2x16x32xf32>, %r: tensor<32x5xf32>) -> tensor<5x32xf32> {
  %c = "dispatch.contract"(%a, %b) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 32>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%0: f32):
    "dispatch.yield"(%0) : (f32) -> ()
  }) : (tensor<2x5x16xf32>, tensor<1x2x16x32xf32>) -> tensor<5x32xf32>
  %e = tensor.empty() : tensor<5x32xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c, %r : tensor<5x32xf32>, tensor<32x5xf32>) outs(%e : tensor<5x32xf32>) {
  ^bb0(%1: f32, %2: f32, %3: f32):
    %4 = arith.addf %1, %2 : f32
    linalg.yield %4 : f32
  } -> tensor<5x32xf32>
  func.return %d : tensor<5x32xf32>
}
