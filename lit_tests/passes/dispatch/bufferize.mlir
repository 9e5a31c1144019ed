// RUN: intaglio-opt -p bufferize %s --split-input-file --verify-diagnostics | filecheck %s

// Tensors become places in one arena, an output among them unless the caller lends memory for it; an input comes with its dimensions,
// an output leaves with them.
// CHECK:       func.func @main(%x: !hal.buffer, %{{.*}}: index) -> (!hal.buffer, index)
// CHECK:         %[[ARENA:.*]] = hal.arena
// CHECK:         %[[A:.*]] = hal.slice %[[ARENA]]
// CHECK:         hal.dispatch @f workgroups(%{{.*}}) buffers(%x, %[[A]])
// CHECK:         %[[PLACE:.*]] = hal.slice %[[ARENA]]
// CHECK:         %[[BYTES:.*]] = arith.constant 64 : index
// CHECK:         %[[B:.*]] = hal.lent 0 : i64, %[[BYTES]], %[[PLACE]]
// CHECK:         hal.dispatch @f workgroups(%{{.*}}) buffers(%[[A]], %[[B]])
// CHECK:         %[[D:.*]] = arith.constant 16 : index
// CHECK:         func.return %[[B]], %[[D]]
func.func @main(%x: tensor<16xf32>) -> tensor<16xf32> {
  %one = arith.constant 1 : index
  %a = "dispatch.call"(%x, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, index) -> tensor<16xf32>
  %b = "dispatch.call"(%a, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, index) -> tensor<16xf32>
  func.return %b : tensor<16xf32>
}

// -----

// Three in a row need room for two: the third lies where the first did.
// CHECK:       func.func @main
// CHECK:         %[[BYTES:.*]] = arith.constant 128 : index
// CHECK-NEXT:    %[[ARENA:.*]] = hal.arena %[[BYTES]]
// CHECK:         %[[AT0:.*]] = arith.constant 0 : index
// CHECK-NEXT:    hal.slice %[[ARENA]][%[[AT0]]]
// CHECK:         %[[AT1:.*]] = arith.constant 64 : index
// CHECK-NEXT:    hal.slice %[[ARENA]][%[[AT1]]]
// CHECK:         %[[AT2:.*]] = arith.constant 0 : index
// CHECK-NEXT:    hal.slice %[[ARENA]][%[[AT2]]]
func.func @main(%x: tensor<16xf32>) -> tensor<16xf32> {
  %one = arith.constant 1 : index
  %a = "dispatch.call"(%x, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, index) -> tensor<16xf32>
  %b = "dispatch.call"(%a, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, index) -> tensor<16xf32>
  %c = "dispatch.call"(%b, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, index) -> tensor<16xf32>
  func.return %c : tensor<16xf32>
}

// -----

// A size of the run is guarded once, and is worked out before anything runs.
// CHECK:       func.func @main(%x: !hal.buffer, %[[N:.*]]: index) -> (!hal.buffer, index)
// CHECK:         hal.require %{{.*}}, "ITG5010"
// CHECK:         arith.muli %{{.*}}, %[[N]]
// CHECK:         hal.arena
// CHECK-NOT:     hal.require
// CHECK:         hal.dispatch @f
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  %one = arith.constant 1 : index
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?xf32>
  %t = "dispatch.tie_shape"(%x, %n) : (tensor<?xf32>, index) -> tensor<?xf32>
  %a = "dispatch.call"(%t, %n, %n, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>}> : (tensor<?xf32>, index, index, index) -> tensor<?xf32>
  func.return %a : tensor<?xf32>
}

// -----

// An input handed through as an output is copied: its buffer is the caller's.
// CHECK:       func.func @main(%x: !hal.buffer
// CHECK:         %[[PLACE:.*]] = hal.allocate
// CHECK:         %[[FRESH:.*]] = hal.lent 0 : i64, %{{.*}}, %[[PLACE]]
// CHECK:         hal.copy %x, %[[FRESH]]
// CHECK:         func.return %[[FRESH]]
func.func @main(%x: tensor<16xf32>) -> tensor<16xf32> {
  func.return %x : tensor<16xf32>
}

// -----

// A part of what the program made is no output as it stands, nor is what another output is.
// CHECK:       func.func @main
// CHECK:         %[[WHOLE:.*]] = hal.slice
// CHECK:         %[[LENT:.*]] = hal.lent 1 : i64, %{{.*}}, %[[WHOLE]]
// CHECK:         hal.dispatch @f {{.*}}buffers(%x, %[[LENT]])
// CHECK:         %[[PART:.*]] = hal.slice %[[LENT]]
// CHECK:         func.return %[[PART]], %{{.*}}, %[[LENT]], %{{.*}}, %{{.*}}, %[[LENT]]
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4xf32>, tensor<4x4xf32>, tensor<16xf32>) {
  %one = arith.constant 1 : index
  %a = "dispatch.call"(%x, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<4x4xf32>, index) -> tensor<4x4xf32>
  %part = "dispatch.slab"(%a, %one) : (tensor<4x4xf32>, index) -> tensor<4xf32>
  %flat = "dispatch.reshape"(%a) : (tensor<4x4xf32>) -> tensor<16xf32>
  func.return %part, %a, %flat : tensor<4xf32>, tensor<4x4xf32>, tensor<16xf32>
}

// -----

// What begins as a tensor that nothing reads after lies where that does, and the kernel gets one buffer; an output may lie over an input in
// this way, if the caller says so, and is copied from there else.
// CHECK:       func.func @main(%x: !hal.buffer
// CHECK:         %[[A:.*]] = hal.slice
// CHECK-NEXT:    hal.dispatch @f workgroups(%{{.*}}) buffers(%x, %[[A]])
// CHECK-NEXT:    hal.dispatch @update workgroups(%{{.*}}) buffers(%i, %[[A]])
// CHECK:         %[[PLACE:.*]] = hal.slice
// CHECK:         %[[Y:.*]] = hal.lent 0 : i64, %{{.*}}, %[[PLACE]] over 0 : i64
// CHECK:         hal.copy %x, %[[Y]]
// CHECK:         hal.dispatch @update workgroups(%{{.*}}) buffers(%[[A]], %[[Y]])
func.func @main(%x: tensor<16xf32>, %i: tensor<16xf32>) -> tensor<16xf32> {
  %one = arith.constant 1 : index
  %a = "dispatch.call"(%x, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, index) -> tensor<16xf32>
  %b = "dispatch.call"(%i, %a, %one) <{callee = @update, starts = 1 : i64, operandSegmentSizes = array<i32: 2, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, tensor<16xf32>, index) -> tensor<16xf32>
  %y = "dispatch.call"(%b, %x, %one) <{callee = @update, starts = 1 : i64, operandSegmentSizes = array<i32: 2, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, tensor<16xf32>, index) -> tensor<16xf32>
  func.return %y : tensor<16xf32>
}

// -----

// What is still read after, by another kernel or by the same one, is copied first.
// CHECK:       func.func @main(%x: !hal.buffer
// CHECK:         hal.dispatch @f workgroups(%{{.*}}) buffers(%x, %[[A:.*]]) constants
// CHECK:         hal.copy %[[A]], %[[B:.*]], %
// CHECK-NEXT:    hal.dispatch @update workgroups(%{{.*}}) buffers(%x, %[[B]])
// CHECK:         hal.copy %[[A]], %[[C:.*]], %
// CHECK-NEXT:    hal.dispatch @update workgroups(%{{.*}}) buffers(%[[A]], %[[C]])
func.func @main(%x: tensor<16xf32>) -> (tensor<16xf32>, tensor<16xf32>) {
  %one = arith.constant 1 : index
  %a = "dispatch.call"(%x, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, index) -> tensor<16xf32>
  %b = "dispatch.call"(%x, %a, %one) <{callee = @update, starts = 1 : i64, operandSegmentSizes = array<i32: 2, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, tensor<16xf32>, index) -> tensor<16xf32>
  %c = "dispatch.call"(%a, %a, %one) <{callee = @update, starts = 1 : i64, operandSegmentSizes = array<i32: 2, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, tensor<16xf32>, index) -> tensor<16xf32>
  func.return %b, %c : tensor<16xf32>, tensor<16xf32>
}

// -----

// What a loop carries is changed where it lies, which is where its initial value does: a round copies nothing.
// CHECK:       func.func @main(%x: !hal.buffer
// CHECK:         hal.dispatch @f workgroups(%{{.*}}) buffers(%x, %[[A:.*]]) constants
// CHECK-NOT:     hal.copy
// CHECK:         scf.for
// CHECK-NEXT:      hal.dispatch @update workgroups(%{{.*}}) buffers(%x, %[[A]])
// CHECK-NOT:     hal.copy
// CHECK:         func.return %[[A]]
func.func @main(%x: tensor<16xf32>) -> tensor<16xf32> {
  %one = arith.constant 1 : index
  %a = "dispatch.call"(%x, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, index) -> tensor<16xf32>
  %y = scf.for %i = %one to %one step %one iter_args(%b = %a) -> (tensor<16xf32>) {
    %c = "dispatch.call"(%x, %b, %one) <{callee = @update, starts = 1 : i64, operandSegmentSizes = array<i32: 2, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, tensor<16xf32>, index) -> tensor<16xf32>
    scf.yield %c : tensor<16xf32>
  }
  func.return %y : tensor<16xf32>
}

// -----

// What the host makes has memory of its own, and tells its size.
// CHECK:       func.func @main(%x: !hal.buffer, %[[N:.*]]: index) -> (!hal.buffer, index, index, index)
// CHECK:         %[[IMAGE:.*]], %[[H:.*]], %[[W:.*]] = hal.decode_image %x
// CHECK-NOT:     hal.allocate
// CHECK:         func.return %[[IMAGE]], %[[H]], %[[W]]
func.func @main(%x: tensor<?xi8>) -> tensor<?x?x3xi8> {
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?xi8>
  %t = "dispatch.tie_shape"(%x, %n) : (tensor<?xi8>, index) -> tensor<?xi8>
  %y, %h, %w = "dispatch.decode_image"(%t) : (tensor<?xi8>) -> (tensor<?x?x3xi8>, index, index)
  func.return %y : tensor<?x?x3xi8>
}

// -----

// What is joined is computed where it belongs, a join inside another too; inputs, what a kernel makes for an output of its own, and what
// would lie off the vectors' alignment are copied.
// CHECK:       func.func @main(%x: !hal.buffer
// CHECK:         %[[ARENA:.*]] = hal.arena
// CHECK:         %[[WHOLE:.*]] = hal.lent 0
// CHECK:         %[[INNER:.*]] = hal.slice %[[WHOLE]]
// CHECK:         %[[A:.*]] = hal.slice %[[INNER]]
// CHECK:         hal.dispatch @f workgroups(%{{.*}}) buffers(%x, %[[A]])
// CHECK:         %[[SECOND:.*]] = arith.constant 64 : index
// CHECK-NEXT:    %[[B:.*]] = hal.slice %[[INNER]][%[[SECOND]]]
// CHECK-NEXT:    hal.dispatch @f workgroups(%{{.*}}) buffers(%[[A]], %[[B]])
// CHECK-NOT:     hal.copy
// CHECK:         hal.dispatch @g workgroups(%{{.*}}) buffers(%[[INNER]], %[[C:.*]]) constants
// CHECK:         %[[THIRD:.*]] = arith.constant 128 : index
// CHECK:         %[[PLACE:.*]] = hal.slice %[[WHOLE]][%[[THIRD]]]
// CHECK:         hal.copy %[[C]], %[[PLACE]]
// CHECK:         hal.slice %[[WHOLE]]
// CHECK:         hal.copy %x
func.func @main(%x: tensor<16xf32>) -> (tensor<51xf32>, tensor<3xf32>) {
  %one = arith.constant 1 : index
  %a = "dispatch.call"(%x, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, index) -> tensor<16xf32>
  %b = "dispatch.call"(%a, %one) <{callee = @f, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<16xf32>, index) -> tensor<16xf32>
  %ab = "dispatch.join"(%a, %b) <{operandSegmentSizes = array<i32: 2, 0>}> : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
  %c = "dispatch.call"(%ab, %one) <{callee = @g, operandSegmentSizes = array<i32: 1, 0, 0, 1, 0, 0>}> : (tensor<32xf32>, index) -> tensor<3xf32>
  %all = "dispatch.join"(%ab, %c, %x) <{operandSegmentSizes = array<i32: 3, 0>}> : (tensor<32xf32>, tensor<3xf32>, tensor<16xf32>) -> tensor<51xf32>
  func.return %all, %c : tensor<51xf32>, tensor<3xf32>
}

// -----

// What cannot stand in a host program is refused.
// CHECK: ITG{{[0-9]+}} linalg.fill cannot stand in the host program
func.func @main(%x: tensor<16xf32>) -> tensor<16xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  func.return %f : tensor<16xf32>
}
