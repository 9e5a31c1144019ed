"""The profile of an instance, in LLVM IR: the host program reads the clock around each dispatch and adds to its site's figures.

A site is a place in the host program that dispatches or copies; programs that keep no profile have none. The figures lie in the
instance, in the order of the module's `sites`.
"""

from __future__ import annotations

PROFILE = """
; Nanoseconds of a clock that only goes forward (1 is CLOCK_MONOTONIC).
define internal i64 @rt.clock() #1 {
  %time = alloca { i64, i64 }, align 8
  %ignored = call i32 @clock_gettime(i32 1, ptr %time)
  %seconds = load i64, ptr %time, align 8
  %rest.at = getelementptr { i64, i64 }, ptr %time, i32 0, i32 1
  %rest = load i64, ptr %rest.at, align 8
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %rest
  ret i64 %now
}

define internal void @rt.record(ptr %self, i32 %site, i64 %start, i64 %bytes, i64 %operations) #1 {
  %now = call i64 @rt.clock()
  %time = sub i64 %now, %start
  %record = getelementptr inbounds %instance, ptr %self, i32 0, i32 $RECORDS_AT, i32 %site
  %count.at = FIELD(record, %record, count)
  %count = load i64, ptr %count.at, align 8
  %more = add i64 %count, 1
  store i64 %more, ptr %count.at, align 8
  %total.at = FIELD(record, %record, nanoseconds)
  %total = load i64, ptr %total.at, align 8
  %longer = add i64 %total, %time
  store i64 %longer, ptr %total.at, align 8
  %least.at = FIELD(record, %record, least_nanoseconds)
  %least = load i64, ptr %least.at, align 8
  %first = icmp eq i64 %count, 0
  %faster = icmp slt i64 %time, %least
  %lower = or i1 %first, %faster
  %best = select i1 %lower, i64 %time, i64 %least
  store i64 %best, ptr %least.at, align 8
  %bytes.at = FIELD(record, %record, bytes)
  %bytes.before = load i64, ptr %bytes.at, align 8
  %bytes.all = add i64 %bytes.before, %bytes
  store i64 %bytes.all, ptr %bytes.at, align 8
  %operations.at = FIELD(record, %record, operations)
  %operations.before = load i64, ptr %operations.at, align 8
  %operations.all = add i64 %operations.before, %operations
  store i64 %operations.all, ptr %operations.at, align 8
  ret void
}
"""

LIBC = ("declare i32 @clock_gettime(i32, ptr)",)
