// RUN: intaglio-opt -p expand-math %s | filecheck %s

// Constants go to the top of the function, the polynomial where the operation stood.
// CHECK-LABEL: func.func @in_a_loop
// CHECK-NOT:     math.rsqrt
// CHECK:         %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK:         scf.for
// CHECK-NEXT:      %[[X:.*]] = memref.load
// CHECK-NEXT:      %[[ROOT:.*]] = math.sqrt %[[X]] : f32
// CHECK-NEXT:      %[[Y:.*]] = arith.divf %[[ONE]], %[[ROOT]] : f32
// CHECK-NEXT:      memref.store %[[Y]]
func.func @in_a_loop(%x: memref<8xf32>) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 8 : index
  scf.for %i = %zero to %end step %one {
    %a = memref.load %x[%i] : memref<8xf32>
    %b = math.rsqrt %a : f32
    memref.store %b, %x[%i] : memref<8xf32>
  }
  func.return
}

// No comparison and no conversion to an integer: n comes out of a mantissa, and goes into the exponent in whatever way the target has.
// CHECK-LABEL: func.func @exponential
// CHECK:         %[[LOW:.*]] = arith.maximumf %x
// CHECK-NEXT:    %[[IN:.*]] = arith.minimumf %[[LOW]]
// CHECK-NEXT:    %[[SHIFTED:.*]] = math.fma %[[IN]]
// CHECK-NEXT:    %[[N:.*]] = arith.subf %[[SHIFTED]]
// CHECK-NEXT:    %[[BITS:.*]] = arith.bitcast %[[SHIFTED]] : f32 to i32
// CHECK-NEXT:    %[[R0:.*]] = math.fma %[[N]], {{.*}}, %[[IN]] : f32
// CHECK-NEXT:    %[[R:.*]] = math.fma %[[N]], {{.*}}, %[[R0]] : f32
// CHECK-COUNT-5: math.fma
// CHECK-NEXT:    %[[P:.*]] = math.fma
// CHECK-NEXT:    %[[Y:.*]] = "dispatch.scale"(%[[P]], %[[BITS]]) : (f32, i32) -> f32
// CHECK-NEXT:    func.return %[[Y]] : f32
func.func @exponential(%x: f32) -> f32 {
  %y = math.exp %x : f32
  func.return %y : f32
}

// The same text for vectors.
// CHECK-LABEL: func.func @vectors
// CHECK:         arith.constant dense<-1.045000e+02> : vector<16xf32>
// CHECK-NOT:     math.exp
// CHECK:         arith.bitcast {{.*}} : vector<16xf32> to vector<16xi32>
func.func @vectors(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  func.return %y : vector<16xf32>
}

// Short floats compute in f32.
// CHECK-LABEL: func.func @short
// CHECK:         %[[WIDE:.*]] = arith.extf %x : bf16 to f32
// CHECK-NEXT:    math.absf %[[WIDE]] : f32
// CHECK:         %[[Y:.*]] = arith.truncf {{.*}} : f32 to bf16
// CHECK-NEXT:    func.return %[[Y]]
func.func @short(%x: bf16) -> bf16 {
  %y = math.tanh %x : bf16
  func.return %y : bf16
}

// What LLVM computes natively stays.
// CHECK-LABEL: func.func @native
// CHECK-NEXT:    math.sqrt
// CHECK-NEXT:    math.floor
// CHECK-NEXT:    math.copysign
// CHECK-NEXT:    func.return
func.func @native(%x: f32) -> f32 {
  %a = math.sqrt %x : f32
  %b = math.floor %a : f32
  %c = math.copysign %b, %x : f32
  func.return %c : f32
}
