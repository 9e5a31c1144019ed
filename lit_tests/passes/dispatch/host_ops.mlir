// RUN: intaglio-opt -p bufferize %s --split-input-file --verify-diagnostics | filecheck %s

// A list stays what it is, in and out; the tensors that go in and come out of it are buffers with their dimensions.
// CHECK:       func.func @main(%s: !list.list, %x: !hal.buffer, %[[N:.*]]: index) -> (!list.list, !hal.buffer, index)
// CHECK:         %[[AT:.*]] = "list.length"(%s)
// CHECK:         %[[L:.*]] = "list.insert"(%s, %[[AT]], %x, %[[N]])
// CHECK-SAME:      width = 4 : i64
// CHECK-SAME:      (!list.list, index, !hal.buffer, index) -> !list.list
// CHECK:         %[[Y:.*]], %[[M:.*]] = "list.at"(%[[L]], %[[AT]])
// CHECK-SAME:      (!list.list, index) -> (!hal.buffer, index)
// CHECK:         func.return %[[L]], %[[Y]], %[[M]]
func.func @main(%s: !list.list, %x: tensor<?xf32>) -> (!list.list, tensor<?xf32>) {
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?xf32>
  %tied = "dispatch.tie_shape"(%x, %n) : (tensor<?xf32>, index) -> tensor<?xf32>
  %at = "list.length"(%s) : (!list.list) -> index
  %l = "list.insert"(%s, %at, %tied, %n) <{width = 4 : i64, operandSegmentSizes = array<i32: 1, 1, 1, 1>}> : (!list.list, index, tensor<?xf32>, index) -> !list.list
  %y, %m = "list.at"(%l, %at) : (!list.list, index) -> (tensor<?xf32>, index)
  %told = "dispatch.tie_shape"(%y, %m) : (tensor<?xf32>, index) -> tensor<?xf32>
  func.return %l, %told : !list.list, tensor<?xf32>
}

// -----

// What the host makes of texts has memory of its own, none in the arena.
// CHECK:       func.func @main(%x: !hal.buffer, %[[N:.*]]: index) -> (!hal.buffer, index)
// CHECK-NOT:     hal.arena
// CHECK:         %[[O:.*]], %[[B:.*]], %[[T:.*]] = "text.bytes"(%x, %[[N]]) : (!hal.buffer, index) -> (!hal.buffer, !hal.buffer, index)
// CHECK:         %[[Y:.*]] = "text.enter"(%[[O]], %[[B]], %[[N]], %[[T]])
// CHECK:         func.return %[[Y]], %[[N]]
func.func @main(%x: tensor<?xi64>) -> tensor<?xi64> {
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?xi64>
  %offsets, %bytes, %total = "text.bytes"(%x, %n) : (tensor<?xi64>, index) -> (tensor<?xi64>, tensor<?xi8>, index)
  %y = "text.enter"(%offsets, %bytes, %n, %total) : (tensor<?xi64>, tensor<?xi8>, index, index) -> tensor<?xi64>
  %tied = "dispatch.tie_shape"(%y, %n) : (tensor<?xi64>, index) -> tensor<?xi64>
  func.return %tied : tensor<?xi64>
}
