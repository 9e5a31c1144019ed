// RUN: intaglio-opt -p form-dispatches %s --split-input-file | filecheck %s

// A reduction and what is elementwise over its rows are one executable; the sum never leaves it.
// CHECK:       func.func @main(%x: tensor<4x8xf32>)
// CHECK-NEXT:    %[[ONE:.*]] = arith.constant 1 : index
// CHECK-NEXT:    %[[Y:.*]] = "dispatch.call"(%x, %[[ONE]]) <{callee = @rowwise_0, {{.*}} -> tensor<4x8xf32>
// CHECK-NEXT:    func.return %[[Y]]
// CHECK:       func.func @rowwise_0(%[[X:.*]]: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {dispatch.executable = 1 : i64}
// CHECK:         %[[SUM:.*]] = linalg.generic {{.*}}"reduction"
// CHECK:         linalg.generic {{.*}}ins(%[[X]], %[[SUM]]
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<4xf32>
  %start = linalg.fill ins(%zero : f32) outs(%e0 : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%start : tensor<4xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.addf %1, %0 : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  %e1 = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %sum : tensor<4x8xf32>, tensor<4xf32>) outs(%e1 : tensor<4x8xf32>) {
  ^bb0(%3: f32, %4: f32, %5: f32):
    %6 = arith.divf %3, %4 : f32
    linalg.yield %6 : f32
  } -> tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// -----

// Rows that do not match (the second reduction runs over columns) are two executables.
// CHECK:       func.func @main
// CHECK:         "dispatch.call"{{.*}}callee = @reduce_0
// CHECK:         "dispatch.call"{{.*}}callee = @reduce_1
func.func @main(%x: tensor<4x8xf32>) -> (tensor<4xf32>, tensor<f32>) {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<4xf32>
  %start = linalg.fill ins(%zero : f32) outs(%e0 : tensor<4xf32>) -> tensor<4xf32>
  %rows = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%start : tensor<4xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.addf %1, %0 : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  %e1 = tensor.empty() : tensor<f32>
  %one = linalg.fill ins(%zero : f32) outs(%e1 : tensor<f32>) -> tensor<f32>
  %all = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%rows : tensor<4xf32>) outs(%one : tensor<f32>) {
  ^bb0(%3: f32, %4: f32):
    %5 = arith.addf %4, %3 : f32
    linalg.yield %5 : f32
  } -> tensor<f32>
  func.return %rows, %all : tensor<4xf32>, tensor<f32>
}

// -----

// Equal work is one executable, called twice.
// CHECK:       func.func @main
// CHECK:         "dispatch.call"(%x, {{.*}}callee = @elementwise_0
// CHECK:         "dispatch.call"(%y, {{.*}}callee = @elementwise_0
// CHECK:       func.func @elementwise_0
// CHECK-NOT:   func.func @elementwise
func.func @main(%x: tensor<8xf32>, %y: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %e0 = tensor.empty() : tensor<8xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%e0 : tensor<8xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = math.exp %0 : f32
    linalg.yield %2 : f32
  } -> tensor<8xf32>
  %e1 = tensor.empty() : tensor<8xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%y : tensor<8xf32>) outs(%e1 : tensor<8xf32>) {
  ^bb0(%3: f32, %4: f32):
    %5 = math.exp %3 : f32
    linalg.yield %5 : f32
  } -> tensor<8xf32>
  func.return %a, %b : tensor<8xf32>, tensor<8xf32>
}

// -----

// What is free at run time, reshapes and weights, stays in the host program; a dynamic dimension comes as a constant.
// CHECK:       func.func @main
// CHECK:         %[[W:.*]] = "dispatch.weight"() <{id = "w"}>
// CHECK:         %[[R:.*]] = "dispatch.reshape"(%[[W]])
// CHECK:         "dispatch.call"(%{{.*}}, %[[R]], %[[N:.*]], %[[N]], %{{.*}}) <{callee = @elementwise_0
// CHECK:       func.func @elementwise_0(%{{.*}}: tensor<?x4xf32>, %{{.*}}: tensor<4xf32>, %[[D:.*]]: index)
// CHECK-NEXT:    "dispatch.tie_shape"(%{{.*}}, %[[D]])
func.func @main(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?x4xf32>
  %t = "dispatch.tie_shape"(%x, %n) : (tensor<?x4xf32>, index) -> tensor<?x4xf32>
  %w = "dispatch.weight"() <{id = "w"}> : () -> tensor<2x2xf32>
  %r = "dispatch.reshape"(%w) : (tensor<2x2xf32>) -> tensor<4xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%t, %r : tensor<?x4xf32>, tensor<4xf32>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.addf %0, %1 : f32
    linalg.yield %3 : f32
  } -> tensor<?x4xf32>
  func.return %y : tensor<?x4xf32>
}
