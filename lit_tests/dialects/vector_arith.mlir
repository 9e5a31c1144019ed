// RUN: intaglio-opt %s --split-input-file --verify-diagnostics | filecheck %s

// Comparisons of vectors give masks; selects take a mask, or one bit for all.
// CHECK-LABEL: func.func @masks
// CHECK-NEXT:    %{{.*}} = arith.cmpf olt, %x, %y : vector<4xf32>
// CHECK-NEXT:    %{{.*}} = arith.cmpi sgt, %i, %j : vector<4xi32>
// CHECK-NEXT:    %{{.*}} = arith.select %{{.*}}, %x, %y : vector<4xi1>, vector<4xf32>
// CHECK-NEXT:    %{{.*}} = arith.select %{{.*}}, %i, %j : vector<4xi1>, vector<4xi32>
// CHECK-NEXT:    %{{.*}} = arith.select %b, %x, %y : vector<4xf32>
func.func @masks(%x: vector<4xf32>, %y: vector<4xf32>, %i: vector<4xi32>, %j: vector<4xi32>, %b: i1) {
  %0 = arith.cmpf olt, %x, %y : vector<4xf32>
  %1 = arith.cmpi sgt, %i, %j : vector<4xi32>
  %2 = arith.select %0, %x, %y : vector<4xi1>, vector<4xf32>
  %3 = arith.select %1, %i, %j : vector<4xi1>, vector<4xi32>
  %4 = arith.select %b, %x, %y : vector<4xf32>
  func.return
}

// -----

// Scalars as ever.
// CHECK-LABEL: func.func @scalars
// CHECK-NEXT:    %{{.*}} = arith.cmpf olt, %x, %y : f32
// CHECK-NEXT:    %{{.*}} = arith.select %{{.*}}, %x, %y : f32
func.func @scalars(%x: f32, %y: f32) {
  %0 = arith.cmpf olt, %x, %y : f32
  %1 = arith.select %0, %x, %y : f32
  func.return
}

// -----

// What a decimal does not hold is printed as bits, and comes back as those bits.
// CHECK-LABEL: func.func @bits
// CHECK-NEXT:    arith.constant dense<0xff800000> : vector<4xf32>
// CHECK-NEXT:    arith.constant dense<0x4B400000> : vector<4xf32>
// CHECK-NEXT:    arith.constant dense<1.500000e+00> : vector<4xf32>
func.func @bits() {
  %0 = arith.constant dense<0xFF800000> : vector<4xf32>
  %1 = arith.constant dense<0x4B400000> : vector<4xf32>
  %2 = arith.constant dense<1.5> : vector<4xf32>
  func.return
}

// -----

// CHECK: a condition of type vector<8xi1> cannot choose between values of vector<4xf32>
func.func @another_length(%m: vector<8xi1>, %x: vector<4xf32>) {
  %0 = arith.select %m, %x, %x : vector<8xi1>, vector<4xf32>
  func.return
}

// -----

// CHECK: a comparison of vector<4xf32> gives vector<4xi1>, not i1
func.func @one_bit(%x: vector<4xf32>) {
  %0 = "arith.cmpf"(%x, %x) <{predicate = 1 : i64, fastmath = #arith.fastmath<none>}> : (vector<4xf32>, vector<4xf32>) -> i1
  func.return
}
