// RUN: intaglio-opt -p lower-executables %s --split-input-file | filecheck %s

// Of open size: a unit is so many elements. A kernel runs those from begin to end, the host works out how many there are, as
// the kernel itself would.
// CHECK:       func.func @main(%{{.*}}, %[[N:.*]]: index)
// CHECK:         %[[PLUS:.*]] = arith.addi %[[N]], %{{.*}}
// CHECK:         %[[UNIT:.*]] = arith.constant 3072 : index
// CHECK-NEXT:    %[[UNITS:.*]] = arith.divui %[[PLUS]], %[[UNIT]]
// CHECK-NEXT:    %[[COST:.*]] = arith.constant 1013760 : index
// CHECK-NEXT:    "dispatch.call"(%{{.*}}, %[[N]], %[[N]], %[[UNITS]], %[[COST]])
// CHECK:       func.func @open(%{{.*}}, %{{.*}}, %[[N:.*]]: index, %[[BEGIN:.*]]: index, %[[END:.*]]: index)
// CHECK:         %[[LOWER:.*]] = arith.muli %[[BEGIN]]
// CHECK-NEXT:    %[[STOP:.*]] = arith.muli %[[END]]
// CHECK-NEXT:    %[[UPPER:.*]] = arith.minsi %[[STOP]], %[[N]]
// CHECK-NEXT:    scf.for %{{.*}} = %[[LOWER]] to %[[UPPER]]
func.func @main(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %one = arith.constant 1 : index
  %t = "dispatch.tie_shape"(%x, %n) : (tensor<?xf32>, index) -> tensor<?xf32>
  %y = "dispatch.call"(%t, %n, %n, %one) <{callee = @open, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>}> : (tensor<?xf32>, index, index, index) -> tensor<?xf32>
  func.return %y : tensor<?xf32>
}
func.func @open(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> attributes {dispatch.executable = 1 : i64} {
  %t = "dispatch.tie_shape"(%x, %n) : (tensor<?xf32>, index) -> tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%t : tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.negf %0 : f32
    linalg.yield %2 : f32
  } -> tensor<?xf32>
  func.return %r : tensor<?xf32>
}

// -----

// Two loops are cut where the outer one has too few rounds: the inner one begins later in the first round and ends sooner in the last.
// CHECK:       func.func @main
// CHECK:         %[[UNITS:.*]] = arith.constant 512 : index
// CHECK:         "dispatch.call"(%{{.*}}, %[[UNITS]], %{{.*}})
// CHECK:       func.func @turned(%{{.*}}, %{{.*}}, %[[BEGIN:.*]]: index, %[[END:.*]]: index)
// CHECK:         %[[FIRST:.*]] = arith.divui %[[BEGIN]]
// CHECK:         scf.for %[[I:.*]] = %[[FIRST]] to
// CHECK-NEXT:      %[[START:.*]] = arith.muli %[[I]]
// CHECK-NEXT:      arith.subi %[[BEGIN]], %[[START]]
// CHECK-NEXT:      %[[LOWER:.*]] = arith.maxsi
// CHECK-NEXT:      arith.subi %[[END]], %[[START]]
// CHECK-NEXT:      %[[UPPER:.*]] = arith.minsi
// CHECK-NEXT:      scf.for %[[J:.*]] = %[[LOWER]] to %[[UPPER]]
// CHECK-NEXT:        scf.for
// CHECK-NEXT:          memref.load %{{.*}}[%[[I]], %[[J]]
func.func @main(%x: tensor<8x64x4096xf32>) -> tensor<64x8x4096xf32> {
  %one = arith.constant 1 : index
  %y = "dispatch.call"(%x, %one) <{callee = @turned, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<8x64x4096xf32>, index) -> tensor<64x8x4096xf32>
  func.return %y : tensor<64x8x4096xf32>
}
func.func @turned(%x: tensor<8x64x4096xf32>) -> tensor<64x8x4096xf32> attributes {dispatch.executable = 1 : i64} {
  %e = tensor.empty() : tensor<64x8x4096xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d1, d0, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<8x64x4096xf32>) outs(%e : tensor<64x8x4096xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.negf %0 : f32
    linalg.yield %2 : f32
  } -> tensor<64x8x4096xf32>
  func.return %r : tensor<64x8x4096xf32>
}

// -----

// What takes so little time that half of it is not worth handing to another thread is left whole.
// CHECK:       func.func @main
// CHECK:         %[[ONE:.*]] = arith.constant 1 : index
// CHECK:         "dispatch.call"(%x, %[[ONE]]) <{callee = @small
// CHECK:       func.func @small
// CHECK:         %[[ZERO:.*]] = arith.constant 0 : index
// CHECK:         scf.for %{{.*}} = %[[ZERO]] to
func.func @main(%x: tensor<4096xf32>) -> tensor<4096xf32> {
  %one = arith.constant 1 : index
  %y = "dispatch.call"(%x, %one) <{callee = @small, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<4096xf32>, index) -> tensor<4096xf32>
  func.return %y : tensor<4096xf32>
}
func.func @small(%x: tensor<4096xf32>) -> tensor<4096xf32> attributes {dispatch.executable = 1 : i64} {
  %e = tensor.empty() : tensor<4096xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<4096xf32>) outs(%e : tensor<4096xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.negf %0 : f32
    linalg.yield %2 : f32
  } -> tensor<4096xf32>
  func.return %r : tensor<4096xf32>
}

// -----

// So is a kernel that checks its data, which would tell the error of whichever thread is first.
// CHECK:       func.func @main
// CHECK:         %[[ONE:.*]] = arith.constant 1 : index
// CHECK:         "dispatch.call"(%{{.*}}, %n, %n, %[[ONE]]) <{callee = @checked
// CHECK:       func.func @checked
// CHECK:         %[[ZERO:.*]] = arith.constant 0 : index
// CHECK:         scf.for %{{.*}} = %[[ZERO]] to
func.func @main(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %one = arith.constant 1 : index
  %t = "dispatch.tie_shape"(%x, %n) : (tensor<?xf32>, index) -> tensor<?xf32>
  %y = "dispatch.call"(%t, %n, %n, %one) <{callee = @checked, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>}> : (tensor<?xf32>, index, index, index) -> tensor<?xf32>
  func.return %y : tensor<?xf32>
}
func.func @checked(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> attributes {dispatch.executable = 1 : i64} {
  %t = "dispatch.tie_shape"(%x, %n) : (tensor<?xf32>, index) -> tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %zero = arith.constant 0.0 : f32
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%t : tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%0: f32, %1: f32):
    %good = arith.cmpf oge, %0, %zero : f32
    "dispatch.assert"(%good) <{code = "ITG5001"}> : (i1) -> ()
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  func.return %r : tensor<?xf32>
}

// -----

// What a kernel written in the kernel language says of its units is worked out by the host, and stands in the kernel no more.
// CHECK:       func.func @main(%{{.*}}, %[[N:.*]]: index)
// CHECK:         %[[TWO:.*]] = arith.constant 2 : index
// CHECK-NEXT:    %[[UNITS:.*]] = arith.muli %[[N]], %[[TWO]]
// CHECK-NEXT:    %[[COST:.*]] = arith.constant 5000 : index
// CHECK-NEXT:    "dispatch.call"(%{{.*}}, %[[N]], %[[N]], %[[UNITS]], %[[COST]])
// CHECK:       func.func @twice
// CHECK-NOT:     dispatch.units
func.func @main(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %one = arith.constant 1 : index
  %t = "dispatch.tie_shape"(%x, %n) : (tensor<?xf32>, index) -> tensor<?xf32>
  %y = "dispatch.call"(%t, %n, %n, %one) <{callee = @twice, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>}> : (tensor<?xf32>, index, index, index) -> tensor<?xf32>
  func.return %y : tensor<?xf32>
}
func.func @twice(%x: memref<?xf32>, %y: memref<?xf32>, %n: index, %begin: index, %end: index) attributes {dispatch.kernel = 1 : i64} {
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %cost = arith.constant 5000 : index
  %count = arith.muli %n, %two : index
  "dispatch.units"(%count, %cost) : (index, index) -> ()
  scf.for %i = %begin to %end step %one {
    %v = memref.load %x[%i] : memref<?xf32>
    memref.store %v, %y[%i] : memref<?xf32>
  }
  func.return
}
