// RUN: intaglio-opt -p fold-reciprocals %s --split-input-file | filecheck %s

// x sigmoid(x) is a quotient.
// CHECK-LABEL: func.func @swish
// CHECK:         ^bb0(%[[X:.*]]: f32, %{{.*}}: f32):
// CHECK:           %[[SUM:.*]] = arith.addf
// CHECK-NEXT:      %[[Y:.*]] = arith.divf %[[X]], %[[SUM]] : f32
// CHECK-NEXT:      linalg.yield %[[Y]]
func.func @swish(%a: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%x: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %n = arith.negf %x : f32
    %p = math.exp %n : f32
    %s = arith.addf %p, %one : f32
    %q = arith.divf %one, %s : f32
    %y = arith.mulf %q, %x : f32
    linalg.yield %y : f32
  } -> tensor<4xf32>
  func.return %r : tensor<4xf32>
}

// -----

// A reciprocal that is read twice stays, and so does one that the other factor has no part in: loops may have it once for a row.
// CHECK-LABEL: func.func @kept
// CHECK:         %[[Q:.*]] = arith.divf %{{.*}}, %{{.*}} : f32
// CHECK-NEXT:    %[[Y:.*]] = arith.mulf %{{.*}}, %[[Q]] : f32
// CHECK:         %[[R:.*]] = arith.divf
// CHECK-NEXT:    %[[Z:.*]] = arith.mulf %{{.*}}, %[[R]] : f32
// CHECK-NEXT:    arith.addf %[[Z]], %[[R]] : f32
func.func @kept(%a: tensor<4x8xf32>, %b: tensor<4xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%a, %b : tensor<4x8xf32>, tensor<4xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%x: f32, %s: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %q = arith.divf %one, %s : f32
    %y = arith.mulf %x, %q : f32
    %t = arith.addf %y, %one : f32
    %w = arith.divf %one, %t : f32
    %z = arith.mulf %y, %w : f32
    %v = arith.addf %z, %w : f32
    linalg.yield %v : f32
  } -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}
