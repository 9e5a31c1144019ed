// RUN: intaglio-opt -p lower-executables %s --split-input-file | filecheck %s

// Elementwise: one scalar inner loop, which LLVM makes vectors of; a broadcast is a stride of 0.
// CHECK:       func.func @elementwise(%{{.*}}: memref<?xf32>, %{{.*}}: memref<?xf32>, %{{.*}}: memref<?xf32>, %{{.*}}: index, %{{.*}}: index) attributes {dispatch.kernel = 1 : i64
// CHECK:         strides: [0, 1]
// CHECK:         scf.for %[[I:.*]] =
// CHECK-NEXT:      scf.for %[[J:.*]] =
// CHECK-NEXT:        memref.load {{.*}}[%[[I]], %[[J]]]
// CHECK-NEXT:        memref.load
// CHECK-NEXT:        arith.addf
// CHECK-NEXT:        memref.store {{.*}}[%[[I]], %[[J]]]
func.func @elementwise(%x: tensor<4x8xf32>, %y: tensor<8xf32>) -> tensor<4x8xf32> attributes {dispatch.executable = 2 : i64} {
  %e = tensor.empty() : tensor<4x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %y : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.addf %0, %1 : f32
    linalg.yield %3 : f32
  } -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// -----

// A reduction and its reader: the row's sum stays in a register from one pass over the row to the next. Sums may be reordered.
// CHECK:       func.func @rowwise
// CHECK:         scf.for
// CHECK-NEXT:      %[[SUM:.*]] = scf.for {{.*}} iter_args
// CHECK:             arith.addf {{.*}} fastmath<reassoc,contract>
// CHECK:           scf.for
// CHECK:             arith.divf %{{.*}}, %[[SUM]]
// CHECK-NEXT:        memref.store
func.func @rowwise(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {dispatch.executable = 1 : i64} {
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

// Depthwise: the block of channels is the vector, accumulated over unrolled taps, stored once.
// CHECK:       func.func @depthwise
// CHECK:         %[[ACC:.*]] = scf.for {{.*}} -> (vector<16xf32>)
// CHECK:           vector.load
// CHECK:           vector.load
// CHECK:           arith.mulf
// CHECK:           arith.addf {{.*}} fastmath<reassoc,contract> : vector<16xf32>
// CHECK:         {unroll}
// CHECK:         vector.store %[[ACC]]
func.func @depthwise(%x: tensor<1x2x6x6x16xf32>, %w: tensor<2x3x3x16xf32>) -> tensor<1x2x4x4x16xf32> attributes {dispatch.executable = 2 : i64} {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<1x2x4x4x16xf32>
  %start = linalg.fill ins(%zero : f32) outs(%e0 : tensor<1x2x4x4x16xf32>) -> tensor<1x2x4x4x16xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2 + d5, d3 + d6, d4)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d1, d5, d6, d4)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%x, %w : tensor<1x2x6x6x16xf32>, tensor<2x3x3x16xf32>) outs(%start : tensor<1x2x4x4x16xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.mulf %0, %1 : f32
    %4 = arith.addf %2, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<1x2x4x4x16xf32>
  func.return %y : tensor<1x2x4x4x16xf32>
}

// -----

// A contraction of two rows: the lines of the result are fetched, an accumulator a row, one load of B for both, the bias before the one
// store.
// CHECK:       func.func @contraction
// CHECK-COUNT-2: "dispatch.prefetch"
// CHECK:         %[[ROWS:.*]], %{{.*}} = scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>)
// CHECK-NEXT:      %[[B:.*]] = vector.load
// CHECK-NEXT:      memref.load
// CHECK-NEXT:      vector.broadcast
// CHECK-NEXT:      vector.fma %{{.*}}, %[[B]]
// CHECK:           vector.fma %{{.*}}, %[[B]]
// CHECK:         %[[BIAS:.*]] = vector.load
// CHECK-NEXT:    %[[SUM:.*]] = arith.addf %[[ROWS]], %[[BIAS]]
// CHECK-NEXT:    vector.store %[[SUM]]
func.func @contraction(%a: tensor<1x2x16xf32>, %b: tensor<1x1x16x16xf32>, %bias: tensor<16xf32>) -> tensor<2x16xf32> attributes {dispatch.executable = 3 : i64} {
  %c = "dispatch.contract"(%a, %b, %bias) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 16, 16>, extra_maps = [affine_map<(d0, d1) -> (d1)>], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%0: f32, %1: f32):
    %2 = arith.addf %0, %1 : f32
    "dispatch.yield"(%2) : (f32) -> ()
  }) : (tensor<1x2x16xf32>, tensor<1x1x16x16xf32>, tensor<16xf32>) -> tensor<2x16xf32>
  func.return %c : tensor<2x16xf32>
}

// -----

// A pool: three results of a row with all columns under their windows, each read once; they are folded when all rows are. What lies before
// the image is left out.
// CHECK:       func.func @pool
// CHECK:         %[[COLUMNS:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} = scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-5:   vector.load
// CHECK-NOT:       vector.load
// CHECK:         vector.store %[[COLUMNS]]
// CHECK-NEXT:    %[[MOST:.*]] = arith.maximumf
// CHECK-NEXT:    vector.store %[[MOST]]
func.func @pool(%x: tensor<1x1x6x6x16xf32>, %w: tensor<1x2x2x1xf32>) -> tensor<1x1x3x3x16xf32> attributes {dispatch.executable = 2 : i64} {
  %y = "dispatch.contract"(%x, %w) <{kind = "max_pool", window = array<i64: 2, 2, 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 0, 0>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%0: f32):
    "dispatch.yield"(%0) : (f32) -> ()
  }) : (tensor<1x1x6x6x16xf32>, tensor<1x2x2x1xf32>) -> tensor<1x1x3x3x16xf32>
  func.return %y : tensor<1x1x3x3x16xf32>
}

// -----

// What is no executable stays.
// CHECK:       func.func @host(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:    func.return %x
func.func @host(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  func.return %x : tensor<4x8xf32>
}

// -----

// A fill runs over the buffer as one axis.
// CHECK:       func.func @fill(%[[OUT:.*]]: memref<?xi32>
// CHECK:         scf.for %[[I:.*]] =
// CHECK-NEXT:      memref.store %{{.*}}, %[[OUT]][%[[I]]]
func.func @fill() -> tensor<4x8xi32> attributes {dispatch.executable = 0 : i64} {
  %one = arith.constant 1 : i32
  %e0 = tensor.empty() : tensor<4x8xi32>
  %start = linalg.fill ins(%one : i32) outs(%e0 : tensor<4x8xi32>) -> tensor<4x8xi32>
  func.return %start : tensor<4x8xi32>
}

// -----

// Bytes: four of a row at a time, by dot products into the sums of a panel's columns.
// CHECK:       func.func @bytes
// CHECK:         scf.for
// CHECK:           vector.load {{.*}} vector<64xi8>
// CHECK:           vector.load {{.*}} vector<4xi8>
// CHECK:           "dispatch.dot"({{.*}}) : (vector<16xi32>, vector<4xi8>, vector<64xi8>) -> vector<16xi32>
func.func @bytes(%x: tensor<2x64xi8>, %w: tensor<1x1x16x16x4xi8>) -> tensor<2x16xi32> attributes {dispatch.executable = 2 : i64} {
  %y = "dispatch.contract"(%x, %w) <{kind = "matmul", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 0, 1, 64, 16>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%s: i32):
    "dispatch.yield"(%s) : (i32) -> ()
  }) : (tensor<2x64xi8>, tensor<1x1x16x16x4xi8>) -> tensor<2x16xi32>
  func.return %y : tensor<2x16xi32>
}

// -----

// Four bits: a code becomes 16 + code in the mantissa; one row sums products and its elements, odd and even apart, and corrects by the
// scale and the point of the block.
// CHECK:       func.func @few_bits
// CHECK:         scf.for {{.*}} -> (vector<16xf32>)
// CHECK:           scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK:             vector.load {{.*}} vector<16xi32>
// CHECK:             arith.shli
// CHECK-NEXT:        arith.andi
// CHECK-NEXT:        arith.ori
// CHECK-NEXT:        arith.bitcast {{.*}} vector<16xi32> to vector<16xf32>
// CHECK:             vector.fma
// CHECK:           arith.mulf
// CHECK-NEXT:      arith.subf
// CHECK-NEXT:      vector.fma
// CHECK:         vector.store
func.func @few_bits(%x: tensor<1x64xf32>, %w: tensor<1x2x5x16xi32>) -> tensor<1x16xf32> attributes {dispatch.executable = 2 : i64} {
  %y = "dispatch.contract"(%x, %w) <{kind = "few_bits", window = array<i64: 4, 8>, batch = 0 : i64, layout = array<i64: 0, 1, 32, 16>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%s: f32):
    "dispatch.yield"(%s) : (f32) -> ()
  }) : (tensor<1x64xf32>, tensor<1x2x5x16xi32>) -> tensor<1x16xf32>
  func.return %y : tensor<1x16xf32>
}

// -----

// Strassen: the seven sums of a pair of panels, then for each register tile seven products, of which four tiles of results are made.
// CHECK:       func.func @strassen
// CHECK:         %[[SUMS:.*]] = memref.alloca() {{.*}} memref<14896xf32>
// CHECK:         %[[PRODUCTS:.*]] = memref.alloca() {{.*}} memref<1x7x12x32xf32>
// CHECK:         arith.addf
// CHECK-COUNT-7: vector.store
// CHECK:         dispatch.prefetch
// CHECK:         vector.fma
// CHECK:         vector.store %{{.*}}, %[[PRODUCTS]]
// CHECK:         vector.load %[[PRODUCTS]]
// CHECK-COUNT-8: vector.store
func.func @strassen(%x: tensor<192x128xf32>, %w: tensor<4x8x16x32xf32>, %s: tensor<96x7x64xf32>) -> tensor<192x128xf32> attributes {dispatch.executable = 3 : i64} {
  %y = "dispatch.contract"(%x, %w, %s) <{kind = "strassen", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 0, 1, 16, 32>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 1, 0, 0>}> ({
  ^bb0(%a: f32):
    "dispatch.yield"(%a) : (f32) -> ()
  }) : (tensor<192x128xf32>, tensor<4x8x16x32xf32>, tensor<96x7x64xf32>) -> tensor<192x128xf32>
  func.return %y : tensor<192x128xf32>
}

// -----

// Planar: rows of the tile are filters, lanes the pixels of a row; what a row of 30 has beyond a vector overlaps the one before.
// CHECK:       func.func @planar
// CHECK:         scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK:           vector.load {{.*}} vector<16xf32>
// CHECK-NEXT:      vector.load {{.*}} vector<16xf32>
// CHECK-NEXT:      memref.load
// CHECK-NEXT:      vector.broadcast
// CHECK-NEXT:      vector.fma
// CHECK-COUNT-4: vector.store
func.func @planar(%x: tensor<1x8x1x1x1x30xf32>, %w: tensor<1x1x1x1x8x2xf32>) -> tensor<1x2x1x30xf32> attributes {dispatch.executable = 2 : i64} {
  %y = "dispatch.contract"(%x, %w) <{kind = "planar", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 0, 0>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%s: f32):
    "dispatch.yield"(%s) : (f32) -> ()
  }) : (tensor<1x8x1x1x1x30xf32>, tensor<1x1x1x1x8x2xf32>) -> tensor<1x2x1x30xf32>
  func.return %y : tensor<1x2x1x30xf32>
}

// -----

// A plane that no vector fits in: the lanes beyond it are masked.
// CHECK:       func.func @planar_masked
// CHECK:         vector.create_mask
// CHECK:         vector.maskedload
// CHECK:         vector.maskedstore
func.func @planar_masked(%x: tensor<1x4x1x1x1x3xf32>, %w: tensor<1x1x1x1x4x1xf32>) -> tensor<1x1x1x3xf32> attributes {dispatch.executable = 2 : i64} {
  %y = "dispatch.contract"(%x, %w) <{kind = "planar", window = array<i64: 1, 1, 1, 1>, batch = 0 : i64, layout = array<i64: 1, 1, 0, 0>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%s: f32):
    "dispatch.yield"(%s) : (f32) -> ()
  }) : (tensor<1x4x1x1x1x3xf32>, tensor<1x1x1x1x4x1xf32>) -> tensor<1x1x1x3xf32>
  func.return %y : tensor<1x1x1x3xf32>
}

// -----

// Planar depthwise: a channel's filter over vectors of its own row, nothing packed.
// CHECK:       func.func @planar_depthwise
// CHECK:         memref.load
// CHECK:         vector.load {{.*}} vector<16xf32>
// CHECK:         vector.store
func.func @planar_depthwise(%x: tensor<1x2x6x34xf32>, %w: tensor<2x3x3xf32>) -> tensor<1x2x4x32xf32> attributes {dispatch.executable = 2 : i64} {
  %y = "dispatch.contract"(%x, %w) <{kind = "planar_depthwise", window = array<i64: 1, 1, 1, 1, 0, 0>, batch = 0 : i64, layout = array<i64: 1, 1, 0, 0>, extra_maps = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%s: f32):
    "dispatch.yield"(%s) : (f32) -> ()
  }) : (tensor<1x2x6x34xf32>, tensor<2x3x3xf32>) -> tensor<1x2x4x32xf32>
  func.return %y : tensor<1x2x4x32xf32>
}

// -----

// Functions on a long row: LLVM is to compute two vectors in turn.
// CHECK:       func.func @functions
// CHECK:         scf.for
// CHECK:           dispatch.scale
// CHECK:         } {interleave = 2 : i64}
func.func @functions(%x: tensor<64x1024xf32>) -> tensor<64x1024xf32> attributes {dispatch.executable = 2 : i64} {
  %e = tensor.empty() : tensor<64x1024xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<64x1024xf32>) outs(%e : tensor<64x1024xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = math.exp %a : f32
    linalg.yield %c : f32
  } -> tensor<64x1024xf32>
  func.return %y : tensor<64x1024xf32>
}

// -----

// Without functions there is no chain to hide, and on a block of channels vectors are explicit: one loop over the plane, the scale of the
// block loaded beside each vector.
// CHECK:       func.func @blocks
// CHECK-NOT:     interleave
// CHECK:         vector.load {{.*}} vector<16xf32>
// CHECK-NEXT:    vector.load {{.*}} vector<16xf32>
// CHECK-NEXT:    arith.mulf {{.*}} vector<16xf32>
// CHECK-NEXT:    vector.store
func.func @blocks(%x: tensor<2x49x16xf32>, %s: tensor<2x16xf32>) -> tensor<2x49x16xf32> attributes {dispatch.executable = 2 : i64} {
  %e = tensor.empty() : tensor<2x49x16xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %s : tensor<2x49x16xf32>, tensor<2x16xf32>) outs(%e : tensor<2x49x16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %d = arith.mulf %a, %b : f32
    linalg.yield %d : f32
  } -> tensor<2x49x16xf32>
  func.return %y : tensor<2x49x16xf32>
}

// -----

// A transpose in tiles: sixteen rows are loaded, exchange bits of their position in four steps, and are stored as columns.
// CHECK:       func.func @transpose
// CHECK:         scf.for
// CHECK:           scf.for %[[J:.*]] =
// CHECK:             scf.for
// CHECK:               arith.minsi %[[J]]
// CHECK-COUNT-16:    vector.load {{.*}} vector<16xf32>
// CHECK-COUNT-64:    vector.shuffle
// CHECK-COUNT-16:    vector.store
func.func @transpose(%x: tensor<40x32xf32>) -> tensor<32x40xf32> attributes {dispatch.executable = 2 : i64} {
  %e = tensor.empty() : tensor<32x40xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<40x32xf32>) outs(%e : tensor<32x40xf32>) {
  ^bb0(%0: f32, %1: f32):
    linalg.yield %0 : f32
  } -> tensor<32x40xf32>
  func.return %r : tensor<32x40xf32>
}

// -----

// A sum of many rows keeps sums of whole lines: as many vectors side by side as divide the row.
// CHECK:       func.func @columns
// CHECK:         scf.for {{.*}} -> (vector<96xf32>)
// CHECK:           vector.load {{.*}} vector<96xf32>
// CHECK:           arith.addf {{.*}} vector<96xf32>
// CHECK:         vector.store {{.*}} vector<96xf32>
func.func @columns(%x: tensor<1000x96xf32>) -> tensor<96xf32> attributes {dispatch.executable = 1 : i64} {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<96xf32>
  %start = linalg.fill ins(%zero : f32) outs(%e0 : tensor<96xf32>) -> tensor<96xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<1000x96xf32>) outs(%start : tensor<96xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.addf %1, %0 : f32
    linalg.yield %2 : f32
  } -> tensor<96xf32>
  func.return %sum : tensor<96xf32>
}

// -----

// Windows of three at a stride of two: the vectors of a line are taken apart into even and odd places, and the even ones moved by one.
// CHECK:       func.func @windows
// CHECK:         scf.for
// CHECK-COUNT-3:   vector.load {{.*}} vector<16xf32>
// CHECK:           %[[EVEN:.*]] = vector.shuffle {{.*}}[0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]
// CHECK:           %[[NEXT:.*]] = vector.shuffle {{.*}}[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 31]
// CHECK:           %[[ODD:.*]] = vector.shuffle
// CHECK:           %[[BOTH:.*]] = arith.maximumf %[[EVEN]], %[[ODD]] fastmath<nsz>
// CHECK-NEXT:      %[[ALL:.*]] = arith.maximumf %[[BOTH]], %[[NEXT]] fastmath<nsz>
// CHECK-NEXT:      vector.store %[[ALL]]
func.func @windows(%x: tensor<8x33xf32>) -> tensor<8x16xf32> attributes {dispatch.executable = 1 : i64} {
  %lowest = arith.constant 0xff800000 : f32
  %empty = tensor.empty() : tensor<8x16xf32>
  %start = linalg.fill ins(%lowest : f32) outs(%empty : tensor<8x16xf32>) -> tensor<8x16xf32>
  %taps = tensor.empty() : tensor<3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j, t) -> (i, j * 2 + t)>, affine_map<(i, j, t) -> (t)>, affine_map<(i, j, t) -> (i, j)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %taps : tensor<8x33xf32>, tensor<3xf32>) outs(%start : tensor<8x16xf32>) {
  ^bb0(%v: f32, %t: f32, %m: f32):
    %n = arith.maximumf %m, %v : f32
    linalg.yield %n : f32
  } -> tensor<8x16xf32>
  func.return %y : tensor<8x16xf32>
}

// -----

// Planes that are reduced, and what reads the sums: a plane is one row, whose short loop is left for LLVM to make vectors of.
// CHECK:       func.func @planes
// CHECK:         %[[N:.*]] = arith.constant 49 : index
// CHECK:         scf.for
// CHECK-NEXT:      %[[SUM:.*]] = scf.for {{.*}} to %[[N]] step
// CHECK:           {no_unroll}
// CHECK:           arith.divf %[[SUM]]
func.func @planes(%x: tensor<4x7x7xf32>) -> tensor<4xf32> attributes {dispatch.executable = 1 : i64} {
  %zero = arith.constant 0.0 : f32
  %count = arith.constant 49.0 : f32
  %e0 = tensor.empty() : tensor<4xf32>
  %start = linalg.fill ins(%zero : f32) outs(%e0 : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0)>], iterator_types = ["parallel", "reduction", "reduction"]} ins(%x : tensor<4x7x7xf32>) outs(%start : tensor<4xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.addf %1, %0 : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  %e1 = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%sum : tensor<4xf32>) outs(%e1 : tensor<4xf32>) {
  ^bb0(%3: f32, %4: f32):
    %5 = arith.divf %3, %count : f32
    linalg.yield %5 : f32
  } -> tensor<4xf32>
  func.return %y : tensor<4xf32>
}
