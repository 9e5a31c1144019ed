"""How many cores the process may use, in LLVM IR: those it may be scheduled on, and the share of time its control groups get.

`threads` puts the text into every module. Containers are given less than the machine by quotas; more threads than that only wait.
"""

from __future__ import annotations

QUOTA = """
define internal i64 @pool.cores() #1 {
entry:
  %mask = alloca [128 x i64], align 16
  call void @llvm.memset.p0.i64(ptr %mask, i8 0, i64 1024, i1 false)
  %failed = call i32 @sched_getaffinity(i32 0, i64 1024, ptr %mask)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %following, %next ]
  %sum = phi i64 [ 0, %entry ], [ %total, %next ]
  %word.at = getelementptr i64, ptr %mask, i64 %i
  %word = load i64, ptr %word.at, align 8
  %bits = call i64 @llvm.ctpop.i64(i64 %word)
  %total = add i64 %sum, %bits
  %following = add i64 %i, 1
  %more = icmp slt i64 %following, 128
  br i1 %more, label %next, label %done
done:
  %cores = call i64 @llvm.smax.i64(i64 %total, i64 1)
  ret i64 %cores
}

; A file's first line that begins with a text, cut at 4095 bytes; whether there is one.
define internal i1 @pool.line(ptr %path, ptr %start, i64 %length, ptr %line) #1 {
entry:
  %file = call ptr @fopen(ptr %path, ptr @pool.mode)
  %missing = icmp eq ptr %file, null
  br i1 %missing, label %none, label %next
next:
  %read = call ptr @fgets(ptr %line, i32 4096, ptr %file)
  %end = icmp eq ptr %read, null
  br i1 %end, label %close, label %look
look:
  %order = call i32 @strncmp(ptr %line, ptr %start, i64 %length)
  %found = icmp eq i32 %order, 0
  br i1 %found, label %close, label %next
close:
  %good = phi i1 [ false, %next ], [ true, %look ]
  %closed = call i32 @fclose(ptr %file)
  ret i1 %good
none:
  ret i1 false
}

; Cores from a quota and a period, rounded up; very many where there is no limit.
define internal i64 @pool.limit(i64 %quota, i64 %period) #1 {
  %quota.there = icmp sgt i64 %quota, 0
  %period.there = icmp sgt i64 %period, 0
  %limited = and i1 %quota.there, %period.there
  %divisor = select i1 %limited, i64 %period, i64 1
  %more = add i64 %quota, %divisor
  %up = sub i64 %more, 1
  %cores = sdiv i64 %up, %divisor
  %result = select i1 %limited, i64 %cores, i64 4611686018427387904
  ret i64 %result
}

define internal i64 @pool.number(ptr %path) #1 {
entry:
  %line = alloca [4096 x i8], align 16
  %there = call i1 @pool.line(ptr %path, ptr @pool.root, i64 0, ptr %line)
  br i1 %there, label %read, label %none
read:
  %number = call i64 @strtol(ptr %line, ptr null, i32 10)
  ret i64 %number
none:
  ret i64 -1
}

; The least that the process's control group and those above it allow, of version 2; else what version 1 says where it is mounted.
define internal i64 @pool.quota() #1 {
entry:
  %group = alloca [4096 x i8], align 16
  %path = alloca [4200 x i8], align 16
  %line = alloca [4096 x i8], align 16
  %end.at = alloca ptr, align 8
  %v1.quota = call i64 @pool.number(ptr @pool.v1.quota)
  %v1.period = call i64 @pool.number(ptr @pool.v1.period)
  %v1 = call i64 @pool.limit(i64 %v1.quota, i64 %v1.period)
  %named = call i1 @pool.line(ptr @pool.self, ptr @pool.v2, i64 3, ptr %group)
  %name = getelementptr i8, ptr %group, i64 3
  br i1 %named, label %trim, label %unnamed
unnamed:
  store i8 0, ptr %name, align 1
  br label %level
trim:
  %line.end = call i64 @strcspn(ptr %name, ptr @pool.newline)
  %last.at = getelementptr i8, ptr %name, i64 %line.end
  store i8 0, ptr %last.at, align 1
  br label %level
level:
  %least = phi i64 [ %v1, %unnamed ], [ %v1, %trim ], [ %now, %up ]
  %written = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %path, i64 4200, ptr @pool.file, ptr %name)
  %there = call i1 @pool.line(ptr %path, ptr @pool.root, i64 0, ptr %line)
  br i1 %there, label %read, label %above
read:
  ; "max 100000" or "200000 100000"
  %quota = call i64 @strtol(ptr %line, ptr %end.at, i32 10)
  %end = load ptr, ptr %end.at, align 8
  %period = call i64 @strtol(ptr %end, ptr null, i32 10)
  %here = call i64 @pool.limit(i64 %quota, i64 %period)
  %less = call i64 @llvm.smin.i64(i64 %least, i64 %here)
  br label %above
above:
  %now = phi i64 [ %least, %level ], [ %less, %read ]
  %slash = call ptr @strrchr(ptr %name, i32 47)
  %top = icmp eq ptr %slash, null
  br i1 %top, label %done, label %up
up:
  store i8 0, ptr %slash, align 1
  br label %level
done:
  ret i64 %now
}
"""

QUOTA_TEXTS = {
    "pool.mode": "r",
    "pool.root": "",
    "pool.self": "/proc/self/cgroup",
    "pool.v2": "0::",
    "pool.newline": "\n",
    "pool.file": "/sys/fs/cgroup%s/cpu.max",
    "pool.v1.quota": "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    "pool.v1.period": "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
}

QUOTA_LIBC = (
    "declare i32 @sched_getaffinity(i32, i64, ptr)",
    "declare ptr @fopen(ptr, ptr)",
    "declare ptr @fgets(ptr, i32, ptr)",
    "declare i32 @fclose(ptr)",
    "declare i32 @strncmp(ptr, ptr, i64)",
    "declare i64 @strcspn(ptr, ptr)",
    "declare ptr @strrchr(ptr, i32)",
    "declare i64 @llvm.ctpop.i64(i64)",
)
