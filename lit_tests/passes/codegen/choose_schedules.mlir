// RUN: intaglio-opt -p choose-schedules %s --split-input-file | filecheck %s
// RUN: intaglio-opt -p choose-schedules,lower-executables %s --split-input-file --verify-diagnostics | filecheck %s --check-prefix=LOOPS

// 30 rows beside two vectors: three tiles of ten, rather than two of fourteen and one of them almost for nothing.
// CHECK:       func.func @matmul
// CHECK:         schedule = #dispatch.schedule<down = 1, across = 10, even = 0, part = 0, ahead = 0, unroll = 2>
// LOOPS:       func.func @matmul
// LOOPS:         scf.for
// LOOPS:           scf.for {{.*}} -> (vector<16xf32>
// LOOPS:           } {unroll = 2 : i64}
func.func @matmul(%a: tensor<1x30x16xf32>, %b: tensor<1x1x16x32xf32>) -> tensor<30x32xf32> attributes {dispatch.executable = 2 : i64} {
  %c = "dispatch.contract"(%a, %b) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 32>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x30x16xf32>, tensor<1x1x16x32xf32>) -> tensor<30x32xf32>
  func.return %c : tensor<30x32xf32>
}

// -----

// What is said already stays, and is obeyed: tiles of six rows, of which each goes by all panels, weights fetched a line ahead.
// CHECK:       func.func @said
// CHECK:         schedule = #dispatch.schedule<down = 1, across = 6, even = 0, part = 1, ahead = 64, unroll = 4>
// LOOPS:       func.func @said
// LOOPS-DAG:     %[[FIVE:.*]] = arith.constant 5 : index
// LOOPS-DAG:     %[[THREE:.*]] = arith.constant 3 : index
// LOOPS:         scf.for %{{.*}} = %{{.*}} to %[[FIVE]]
// LOOPS:           scf.for %{{.*}} = %{{.*}} to %[[THREE]]
// LOOPS:             scf.for {{.*}} -> (vector<16xf32>
// LOOPS:               "dispatch.prefetch"{{.*}} <{ahead = 64 : i64}>
// LOOPS:             } {unroll = 4 : i64}
func.func @said(%a: tensor<1x30x16xf32>, %b: tensor<3x1x16x32xf32>) -> tensor<30x96xf32> attributes {dispatch.executable = 2 : i64} {
  %c = "dispatch.contract"(%a, %b) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 32>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>, schedule = #dispatch.schedule<across = 6, part = 1, ahead = 64, unroll = 4>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x30x16xf32>, tensor<3x1x16x32xf32>) -> tensor<30x96xf32>
  func.return %c : tensor<30x96xf32>
}

// -----

// A plane that lies in one piece is one row of pixels.
// CHECK:       func.func @in_one_piece
// CHECK:         schedule = #dispatch.schedule<down = 1, across = 14, even = 0, part = 0, ahead = 4096, unroll = 2>
func.func @in_one_piece(%x: tensor<1x1x4x7x16xf32>, %w: tensor<1x1x1x1x16x32xf32>) -> tensor<1x2x4x7x16xf32> attributes {dispatch.executable = 2 : i64} {
  %c = "dispatch.contract"(%x, %w) <{kind = "conv", window = array<i64: 1, 1, 1, 1, 16>, batch = 0 : i64, layout = array<i64: 1, 1, 0, 0>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x1x4x7x16xf32>, tensor<1x1x1x1x16x32xf32>) -> tensor<1x2x4x7x16xf32>
  func.return %c : tensor<1x2x4x7x16xf32>
}

// -----

// Under taps it is not.
// CHECK:       func.func @with_taps
// CHECK:         schedule = #dispatch.schedule<down = 2, across = 7, even = 0, part = 0, ahead = 4096, unroll = 2>
func.func @with_taps(%x: tensor<1x1x6x9x16xf32>, %w: tensor<1x1x3x3x16x32xf32>) -> tensor<1x2x4x7x16xf32> attributes {dispatch.executable = 2 : i64} {
  %c = "dispatch.contract"(%x, %w) <{kind = "conv", window = array<i64: 1, 1, 1, 1, 16>, batch = 0 : i64, layout = array<i64: 1, 1, 0, 0>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x1x6x9x16xf32>, tensor<1x1x3x3x16x32xf32>) -> tensor<1x2x4x7x16xf32>
  func.return %c : tensor<1x2x4x7x16xf32>
}

// -----

// LOOPS: ITG4004 {{.*}}its schedule has tiles of 9 pixels, its rows have 7
func.func @beyond_rows(%x: tensor<1x1x6x9x16xf32>, %w: tensor<1x1x3x3x16x32xf32>) -> tensor<1x2x4x7x16xf32> attributes {dispatch.executable = 2 : i64} {
  %c = "dispatch.contract"(%x, %w) <{kind = "conv", window = array<i64: 1, 1, 1, 1, 16>, batch = 0 : i64, layout = array<i64: 1, 1, 0, 0>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>, schedule = #dispatch.schedule<across = 9>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x1x6x9x16xf32>, tensor<1x1x3x3x16x32xf32>) -> tensor<1x2x4x7x16xf32>
  func.return %c : tensor<1x2x4x7x16xf32>
}

// -----

// 49 pixels: one tile of thirteen and three of twelve, rather than five of ten or four of thirteen, the last of which overlaps.
// CHECK:       func.func @evenly
// CHECK:         schedule = #dispatch.schedule<down = 1, across = 13, even = 1, part = 0, ahead = 4096, unroll = 2>
// LOOPS:       func.func @evenly
// LOOPS-DAG:     %[[TWELVE:.*]] = arith.constant 12 : index
// LOOPS-DAG:     %[[FOUR:.*]] = arith.constant 4 : index
// LOOPS:         %[[ONE:.*]] = arith.constant 1 : index
// LOOPS:         scf.for %{{.*}} = %{{.*}} to %[[ONE]] step
// LOOPS:         scf.for %[[T:.*]] = %[[ONE]] to %[[FOUR]] step
// LOOPS-NEXT:      %[[ROW:.*]] = arith.muli %[[T]], %[[TWELVE]]
// LOOPS-NEXT:      arith.addi %[[ROW]], %[[ONE]]
func.func @evenly(%x: tensor<1x1x7x7x16xf32>, %w: tensor<1x1x1x1x16x32xf32>) -> tensor<1x2x7x7x16xf32> attributes {dispatch.executable = 2 : i64} {
  %c = "dispatch.contract"(%x, %w) <{kind = "conv", window = array<i64: 1, 1, 1, 1, 16>, batch = 0 : i64, layout = array<i64: 1, 1, 0, 0>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x1x7x7x16xf32>, tensor<1x1x1x1x16x32xf32>) -> tensor<1x2x7x7x16xf32>
  func.return %c : tensor<1x2x7x7x16xf32>
}
