// RUN: intaglio-opt %s --split-input-file --verify-diagnostics | filecheck %s

// A schedule is read and written; what is left out is the default's.
// CHECK:       "dispatch.contract"
// CHECK-SAME:    schedule = #dispatch.schedule<down = 1, across = 2, even = 0, part = 0, ahead = 4096, unroll = 1>
func.func @matmul(%a: tensor<1x4x16xf32>, %b: tensor<1x1x16x16xf32>) -> tensor<4x16xf32> {
  %c = "dispatch.contract"(%a, %b) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 16>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>, schedule = #dispatch.schedule<across = 2, ahead = 4096>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x4x16xf32>, tensor<1x1x16x16xf32>) -> tensor<4x16xf32>
  func.return %c : tensor<4x16xf32>
}

// -----

// CHECK: a register tile of 5 rows is more than the 4 there are
func.func @too_many_rows(%a: tensor<1x4x16xf32>, %b: tensor<1x1x16x16xf32>) -> tensor<4x16xf32> {
  %c = "dispatch.contract"(%a, %b) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 16>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>, schedule = #dispatch.schedule<across = 5>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x4x16xf32>, tensor<1x1x16x16xf32>) -> tensor<4x16xf32>
  func.return %c : tensor<4x16xf32>
}

// -----

// CHECK: a register tile of kind matmul is a single row of pixels, not 2
func.func @no_plane(%a: tensor<1x4x16xf32>, %b: tensor<1x1x16x16xf32>) -> tensor<4x16xf32> {
  %c = "dispatch.contract"(%a, %b) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 16>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>, schedule = #dispatch.schedule<down = 2, across = 2>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x4x16xf32>, tensor<1x1x16x16xf32>) -> tensor<4x16xf32>
  func.return %c : tensor<4x16xf32>
}

// -----

// CHECK: a contraction of kind planar_depthwise takes no schedule
func.func @other(%x: tensor<1x4x8x8xf32>, %w: tensor<4x3x3xf32>) -> tensor<1x4x6x6xf32> {
  %c = "dispatch.contract"(%x, %w) <{kind = "planar_depthwise", window = array<i64: 1, 1, 1, 1, 0, 0>, batch = 0 : i64, layout = array<i64: 1, 1, 0, 0>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>, schedule = #dispatch.schedule<across = 2>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x4x8x8xf32>, tensor<4x3x3xf32>) -> tensor<1x4x6x6xf32>
  func.return %c : tensor<1x4x6x6xf32>
}

// -----

// CHECK: a register tile of 3 rows is higher than a plane of 2
func.func @higher(%x: tensor<1x1x2x8x16xf32>, %w: tensor<1x1x1x1x16x16xf32>) -> tensor<1x1x2x8x16xf32> {
  %c = "dispatch.contract"(%x, %w) <{kind = "conv", window = array<i64: 1, 1, 1, 1, 16>, batch = 0 : i64, layout = array<i64: 1, 1, 0, 0>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>, schedule = #dispatch.schedule<down = 3, across = 2>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x1x2x8x16xf32>, tensor<1x1x1x1x16x16xf32>) -> tensor<1x1x2x8x16xf32>
  func.return %c : tensor<1x1x2x8x16xf32>
}

// -----

// CHECK: register tiles of kind conv and 2 rows of pixels do not share evenly
func.func @uneven(%x: tensor<1x1x2x8x16xf32>, %w: tensor<1x1x1x1x16x16xf32>) -> tensor<1x1x2x8x16xf32> {
  %c = "dispatch.contract"(%x, %w) <{kind = "conv", window = array<i64: 1, 1, 1, 1, 16>, batch = 0 : i64, layout = array<i64: 1, 1, 0, 0>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>, schedule = #dispatch.schedule<down = 2, across = 2, even = 1>}> ({
  ^bb0(%acc: f32):
    "dispatch.yield"(%acc) : (f32) -> ()
  }) : (tensor<1x1x2x8x16xf32>, tensor<1x1x1x1x16x16xf32>) -> tensor<1x1x2x8x16xf32>
  func.return %c : tensor<1x1x2x8x16xf32>
}
