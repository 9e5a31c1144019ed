// RUN: intaglio-opt -p fuse-elementwise %s --split-input-file | filecheck %s

// A chain becomes one generic, whose body computes both steps.
// CHECK-LABEL: func.func @chain
// CHECK-NEXT:    tensor.empty
// CHECK-NEXT:    %[[OUT:.*]] = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], {{.*}} ins(%x : tensor<8xf32>)
// CHECK-NEXT:    ^bb0(%[[X:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT:      %[[E:.*]] = math.exp %[[X]]
// CHECK-NEXT:      %[[S:.*]] = arith.addf %[[E]], %[[E]]
// CHECK-NEXT:      linalg.yield %[[S]]
// CHECK-NEXT:    } -> tensor<8xf32>
// CHECK-NEXT:    func.return %[[OUT]]
func.func @chain(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e0 = tensor.empty() : tensor<8xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%e0 : tensor<8xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = math.exp %0 : f32
    linalg.yield %2 : f32
  } -> tensor<8xf32>
  %e1 = tensor.empty() : tensor<8xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : tensor<8xf32>) outs(%e1 : tensor<8xf32>) {
  ^bb0(%3: f32, %4: f32):
    %5 = arith.addf %3, %3 : f32
    linalg.yield %5 : f32
  } -> tensor<8xf32>
  func.return %b : tensor<8xf32>
}

// -----

// Maps compose, and a loop index of the producer becomes the expression by which the consumer reads it: here the transposed place.
// CHECK-LABEL: func.func @transposed
// CHECK:         linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], {{.*}} ins(%x : tensor<4xf32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      %[[I:.*]] = linalg.index 0 : index
// CHECK-NEXT:      arith.index_cast %[[I]]
// CHECK-NOT:     linalg.generic
func.func @transposed(%x: tensor<4xf32>) -> tensor<8x4xf32> {
  %e0 = tensor.empty() : tensor<4x8xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4xf32>) outs(%e0 : tensor<4x8xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = linalg.index 1 : index
    %3 = arith.index_cast %2 : index to i32
    %4 = arith.sitofp %3 : i32 to f32
    %5 = arith.addf %0, %4 : f32
    linalg.yield %5 : f32
  } -> tensor<4x8xf32>
  %e1 = tensor.empty() : tensor<8x4xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<4x8xf32>) outs(%e1 : tensor<8x4xf32>) {
  ^bb0(%6: f32, %7: f32):
    linalg.yield %6 : f32
  } -> tensor<8x4xf32>
  func.return %b : tensor<8x4xf32>
}

// -----

// An exponential that two others read stays: it would be computed twice.
// CHECK-LABEL: func.func @read_twice
// CHECK-COUNT-3: linalg.generic
func.func @read_twice(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %e = tensor.empty() : tensor<8xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = math.exp %0 : f32
    linalg.yield %2 : f32
  } -> tensor<8xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%3: f32, %4: f32):
    %5 = arith.addf %3, %3 : f32
    linalg.yield %5 : f32
  } -> tensor<8xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%6: f32, %7: f32):
    %8 = arith.mulf %6, %6 : f32
    linalg.yield %8 : f32
  } -> tensor<8xf32>
  func.return %b, %c : tensor<8xf32>, tensor<8xf32>
}

// -----

// Nor does an exponential of one row move to where every row would compute it again.
// CHECK-LABEL: func.func @broadcast
// CHECK-COUNT-2: linalg.generic
func.func @broadcast(%x: tensor<8xf32>) -> tensor<4x8xf32> {
  %e0 = tensor.empty() : tensor<8xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%e0 : tensor<8xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = math.exp %0 : f32
    linalg.yield %2 : f32
  } -> tensor<8xf32>
  %e1 = tensor.empty() : tensor<4x8xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<8xf32>) outs(%e1 : tensor<4x8xf32>) {
  ^bb0(%3: f32, %4: f32):
    linalg.yield %3 : f32
  } -> tensor<4x8xf32>
  func.return %b : tensor<4x8xf32>
}

// -----

// Windows that overlap read an element several times: what is not cheap is computed once, before. Windows side by side read it once.
// CHECK-LABEL: func.func @windows
// CHECK:         %[[E:.*]] = linalg.generic
// CHECK:           math.exp
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%[[E]]
// CHECK-LABEL: func.func @side_by_side
// CHECK:         linalg.generic {{.*}}"reduction"]
// CHECK:           math.exp
// CHECK-NOT:     linalg.generic
func.func @windows(%x: tensor<9xf32>, %t: tensor<3xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9xf32>
  %e1 = tensor.empty() : tensor<4xf32>
  %start = linalg.fill ins(%zero : f32) outs(%e1 : tensor<4xf32>) -> tensor<4xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<9xf32>) outs(%e0 : tensor<9xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = math.exp %0 : f32
    linalg.yield %2 : f32
  } -> tensor<9xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 * 2 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%a, %t : tensor<9xf32>, tensor<3xf32>) outs(%start : tensor<4xf32>) {
  ^bb0(%3: f32, %4: f32, %5: f32):
    %6 = arith.maximumf %3, %5 : f32
    linalg.yield %6 : f32
  } -> tensor<4xf32>
  func.return %y : tensor<4xf32>
}
func.func @side_by_side(%x: tensor<12xf32>, %t: tensor<3xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<12xf32>
  %e1 = tensor.empty() : tensor<4xf32>
  %start = linalg.fill ins(%zero : f32) outs(%e1 : tensor<4xf32>) -> tensor<4xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<12xf32>) outs(%e0 : tensor<12xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = math.exp %0 : f32
    linalg.yield %2 : f32
  } -> tensor<12xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 * 3 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%a, %t : tensor<12xf32>, tensor<3xf32>) outs(%start : tensor<4xf32>) {
  ^bb0(%3: f32, %4: f32, %5: f32):
    %6 = arith.maximumf %3, %5 : f32
    linalg.yield %6 : f32
  } -> tensor<4xf32>
  func.return %y : tensor<4xf32>
}
