// RUN: intaglio-opt -p differentiate %s --split-input-file | filecheck %s

// The gradient is that of the sum of y: ones go back through the product.
// CHECK-LABEL: func.func @product
// CHECK:         %[[Y:.*]] = "onnx.Mul"(%a, %b)
// CHECK:         %[[SHAPE:.*]] = "onnx.Shape"(%[[Y]])
// CHECK-NEXT:    %[[ONES:.*]] = "onnx.Expand"({{.*}}, %[[SHAPE]])
// CHECK-NEXT:    %[[DA:.*]] = "onnx.Mul"(%[[ONES]], %b)
// CHECK-NOT:     onnx_training.Gradient
// CHECK:         func.return %[[DA]]
func.func @product(%a: tensor<2xf32>, %b: tensor<2xf32>) -> tensor<2xf32> {
  %y = "onnx.Mul"(%a, %b) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %da = "onnx_training.Gradient"(%a, %b, %a, %b, %y) <{xs = ["a"], zs = ["b"], y = "y", operandSegmentSizes = array<i32: 2, 3>, resultSegmentSizes = array<i32: 1>}> : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return %da : tensor<2xf32>
}

// -----

// What was repeated is summed.
// CHECK-LABEL: func.func @broadcast
// CHECK:         %[[ONES:.*]] = "onnx.Expand"
// CHECK:         %[[DA:.*]] = "onnx.ReduceSum"(%[[ONES]], {{.*}}) <{keepdims = 1
// CHECK-NEXT:    func.return %[[DA]]
func.func @broadcast(%a: tensor<1xf32>, %b: tensor<2xf32>) -> tensor<1xf32> {
  %y = "onnx.Add"(%a, %b) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<1xf32>, tensor<2xf32>) -> tensor<2xf32>
  %da = "onnx_training.Gradient"(%a, %a, %y) <{xs = ["a"], y = "y", operandSegmentSizes = array<i32: 1, 2>, resultSegmentSizes = array<i32: 1>}> : (tensor<1xf32>, tensor<1xf32>, tensor<2xf32>) -> tensor<1xf32>
  func.return %da : tensor<1xf32>
}

// -----

// Where only the run knows whether it was repeated, the run decides.
// CHECK-LABEL: func.func @perhaps_broadcast
// CHECK:         %[[ONE:.*]] = "onnx.Equal"
// CHECK-NEXT:    "onnx.If"(%[[ONE]])
// CHECK:           "onnx.ReduceSum"
// CHECK:           "onnx.Identity"
func.func @perhaps_broadcast(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %y = "onnx.Add"(%a, %b) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  %da = "onnx_training.Gradient"(%a, %a, %y) <{xs = ["a"], y = "y", operandSegmentSizes = array<i32: 1, 2>, resultSegmentSizes = array<i32: 1>}> : (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  func.return %da : tensor<?xf32>
}

// -----

// Another value than the tensor named is fed: what depends on it is computed again.
// CHECK-LABEL: func.func @fed
// CHECK:         "onnx.Exp"(%a)
// CHECK:         %[[AGAIN:.*]] = "onnx.Exp"(%other)
// CHECK:         %[[DA:.*]] = "onnx.Mul"({{.*}}, %[[AGAIN]])
// CHECK:         func.return %[[DA]]
func.func @fed(%a: tensor<f32>, %other: tensor<f32>) -> tensor<f32> {
  %y = "onnx.Exp"(%a) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<f32>) -> tensor<f32>
  %da = "onnx_training.Gradient"(%other, %a, %y) <{xs = ["a"], y = "y", operandSegmentSizes = array<i32: 1, 2>, resultSegmentSizes = array<i32: 1>}> : (tensor<f32>, tensor<f32>, tensor<f32>) -> tensor<f32>
  func.return %da : tensor<f32>
}

// -----

// A tensor that is named is independent, whatever it was made of.
// CHECK-LABEL: func.func @cut
// CHECK:         %h = "onnx.Exp"(%a)
// CHECK-NEXT:    "onnx.Mul"(%h, %a)
// CHECK:         %[[DH:.*]] = "onnx.Mul"({{.*}}, %a)
// CHECK:         %[[DA:.*]] = "onnx.Mul"({{.*}}, %h)
// CHECK:         func.return %[[DH]], %[[DA]]
func.func @cut(%a: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %h = "onnx.Exp"(%a) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<f32>) -> tensor<f32>
  %y = "onnx.Mul"(%h, %a) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %dh, %da = "onnx_training.Gradient"(%h, %a, %h, %a, %y) <{xs = ["h", "a"], y = "y", operandSegmentSizes = array<i32: 2, 3>, resultSegmentSizes = array<i32: 2>}> : (tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>)
  func.return %dh, %da : tensor<f32>, tensor<f32>
}

// -----

// Nothing is asked for, nothing changes.
// CHECK-LABEL: func.func @no_gradient
// CHECK-NEXT:    %y = "onnx.Exp"(%a)
// CHECK-NEXT:    func.return %y
func.func @no_gradient(%a: tensor<f32>) -> tensor<f32> {
  %y = "onnx.Exp"(%a) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<f32>) -> tensor<f32>
  func.return %y : tensor<f32>
}
