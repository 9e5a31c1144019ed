// RUN: intaglio-opt -p fold-moves %s --split-input-file | filecheck %s

// A product is stored in the blocks that the next one reads its left operand in: only the copy read it.
// CHECK-LABEL: func.func @packed
// CHECK:         %[[C:.*]] = "dispatch.contract"(%a, %b) <{kind = "matmul", {{.*}}shape = array<i64: 1, 5, 48>, {{.*}}place = affine_map<(d0, d1, d2) -> (d1, d0, d2)>
// CHECK:         func.return %[[C]] : tensor<3x5x16xf32>
func.func @packed(%a: tensor<2x5x16xf32>, %b: tensor<2x2x16x32xf32>) -> tensor<3x5x16xf32> {
  %c = "dispatch.contract"(%a, %b) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 32>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%0: f32):
    "dispatch.yield"(%0) : (f32) -> ()
  }) : (tensor<2x5x16xf32>, tensor<2x2x16x32xf32>) -> tensor<1x5x48xf32>
  %r = "dispatch.reshape"(%c) : (tensor<1x5x48xf32>) -> tensor<5x48xf32>
  %e = tensor.empty() : tensor<3x5x16xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d0 * 16 + d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%r : tensor<5x48xf32>) outs(%e : tensor<3x5x16xf32>) {
  ^bb0(%1: f32, %2: f32):
    linalg.yield %1 : f32
  } -> tensor<3x5x16xf32>
  func.return %d : tensor<3x5x16xf32>
}

// -----

// A copy of a part leaves the rest of the product unread, but it is computed.
// CHECK-LABEL: func.func @part
// CHECK:         "dispatch.contract"
// CHECK-NOT:     place
// CHECK:         linalg.generic
func.func @part(%a: tensor<2x5x16xf32>, %b: tensor<2x2x16x32xf32>) -> tensor<4x48xf32> {
  %c = "dispatch.contract"(%a, %b) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 32>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%0: f32):
    "dispatch.yield"(%0) : (f32) -> ()
  }) : (tensor<2x5x16xf32>, tensor<2x2x16x32xf32>) -> tensor<5x48xf32>
  %e = tensor.empty() : tensor<4x48xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 + 1, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<5x48xf32>) outs(%e : tensor<4x48xf32>) {
  ^bb0(%1: f32, %2: f32):
    linalg.yield %1 : f32
  } -> tensor<4x48xf32>
  func.return %d : tensor<4x48xf32>
}

// -----

// Heads of attention: queries and values are read where a product left them, the result is written where the next one reads it.
// CHECK-LABEL: func.func @heads
// CHECK-NOT:     linalg.generic
// CHECK:         %[[Y:.*]] = "dispatch.contract"(%x, %k, %x) <{kind = "attention", {{.*}}shape = array<i64: 2, 9, 9, 8, 8>, {{.*}}reads = [affine_map<(d0, d1, d2) -> (d1, ((d0 * 8) + d2))>, affine_map<(d0, d1, d2) -> (d0, d2, d1)>, affine_map<(d0, d1, d2) -> (d1, (((d0 * 8) + d2) + 16))>]
// CHECK-SAME:      place = affine_map<(d0, d1, d2, d3) -> (d1, d0, ((d2 * 8) + d3))>
// CHECK:         %[[R:.*]] = "dispatch.reshape"(%[[Y]])
// CHECK-NEXT:    func.return %[[R]]
func.func @heads(%x: tensor<9x32xf32>, %k: tensor<2x1x1x8x16xf32>) -> tensor<9x16xf32> {
  %s = "dispatch.reshape"(%x) : (tensor<9x32xf32>) -> tensor<9x2x2x8xf32>
  %e = tensor.empty() : tensor<2x9x8xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, 0, d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : tensor<9x2x2x8xf32>) outs(%e : tensor<2x9x8xf32>) {
  ^bb0(%1: f32, %2: f32):
    linalg.yield %1 : f32
  } -> tensor<2x9x8xf32>
  %v = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, 1, d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : tensor<9x2x2x8xf32>) outs(%e : tensor<2x9x8xf32>) {
  ^bb0(%3: f32, %4: f32):
    linalg.yield %3 : f32
  } -> tensor<2x9x8xf32>
  %y = "dispatch.contract"(%q, %k, %v) <{kind = "attention", window = array<i64: 0>, batch = 1 : i64, layout = array<i64: 0, 1, 8, 16>, extra_maps = [], reads = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], shape = array<i64: 2, 9, 9, 8, 8>, operandSegmentSizes = array<i32: 1, 1, 0, 1, 0, 0>}> ({
  ^bb0(%0: f32):
    "dispatch.yield"(%0) : (f32) -> ()
  }) : (tensor<2x9x8xf32>, tensor<2x1x1x8x16xf32>, tensor<2x9x8xf32>) -> tensor<2x9x8xf32>
  %f = tensor.empty() : tensor<9x2x8xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%y : tensor<2x9x8xf32>) outs(%f : tensor<9x2x8xf32>) {
  ^bb0(%5: f32, %6: f32):
    linalg.yield %5 : f32
  } -> tensor<9x2x8xf32>
  %r = "dispatch.reshape"(%t) : (tensor<9x2x8xf32>) -> tensor<9x16xf32>
  func.return %r : tensor<9x16xf32>
}

// -----

// Somebody else reads the product as it is.
// CHECK-LABEL: func.func @read_twice
// CHECK:         "dispatch.contract"
// CHECK-NOT:     place
// CHECK:         linalg.generic
func.func @read_twice(%a: tensor<2x5x16xf32>, %b: tensor<1x2x16x32xf32>) -> (tensor<5x32xf32>, tensor<2x5x16xf32>) {
  %c = "dispatch.contract"(%a, %b) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 32>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%0: f32):
    "dispatch.yield"(%0) : (f32) -> ()
  }) : (tensor<2x5x16xf32>, tensor<1x2x16x32xf32>) -> tensor<5x32xf32>
  %e = tensor.empty() : tensor<2x5x16xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d0 * 16 + d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%c : tensor<5x32xf32>) outs(%e : tensor<2x5x16xf32>) {
  ^bb0(%1: f32, %2: f32):
    linalg.yield %1 : f32
  } -> tensor<2x5x16xf32>
  func.return %c, %d : tensor<5x32xf32>, tensor<2x5x16xf32>
}
