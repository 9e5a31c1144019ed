"""Threads of the CPU device, in LLVM IR: each instance has a pool, which `device` hands dispatches to; on libc alone.

The thread that dispatches works too. Each thread has its share of a job's units, the same part of every job, so that what one kernel
left in a core's cache is where the next looks for it; it takes them by an atomic counter, several at a time, and then helps with the
shares of others, so that slower cores do less. Workers watch out for the next job for about a millisecond, so that they stay awake from
one job of a run to the next, then sleep; they start with the first job that is worth it and end with the instance.
A process that forks leaves them behind: there, what its parent made runs on one thread.
"""

from __future__ import annotations

from ..abi import MEMBERS, expand
from .device import constant_text
from .quota import QUOTA, QUOTA_LIBC, QUOTA_TEXTS

GRAIN = 2_000_000
"""Picoseconds of work that are worth handing to a thread that watches out for it; it has begun within a microsecond."""

LENT_GRAIN = 10_000_000
"""The same for a host's own pool, which is not known to watch."""

WAKING = 20_000_000
"""Picoseconds of a job for each thread that is woken for it; that takes a call of the kernel and until it runs some ten microseconds."""

SHARE = 4
"""A thread's share of a job is taken in about this many pieces, by itself or by others."""

SPINS = 2000
"""How often a thread looks for what it waits for with no more than the processor's pause in between; some 30 microseconds."""

YIELDS = 4000
"""How often a worker then looks for a job before it sleeps, offering its core to others in between; about a millisecond."""

MOST = 1024
"""No more threads than this."""

STACK_BYTES = 4 << 20

POOL = {
    "threads": "i64",
    # The caller's own pool, in place of workers.
    "parallel_for": "ptr",
    "parallel_context": "ptr",
    # The process that started the workers, 0 before there are any.
    "process": "i32",
    # The threads' slots, the caller's first, and how many have a thread besides it.
    "slots": "ptr",
    "worker_count": "i64",
    # pthread_mutex_t and pthread_cond_t, of any libc.
    "lock": "[8 x i64]",
    "wake": "[8 x i64]",
    # The job.
    "function": "ptr",
    "addresses": "ptr",
    "constants": "ptr",
    "chunk": "i64",
    # Counts jobs; the last one is to stop.
    "generation": "i64",
    "stop": "i64",
    "sleepers": "i64",
    # 1 while workers may join the job. Before the next is written, it is 0 and no worker is active.
    "open": "i64",
    "apart.1": "[8 x i64]",
    "active": "i64",
    "apart.2": "[8 x i64]",
}

# A thread, and what is left of its share of the job; on cache lines of its own.
SLOT = {"pool": "ptr", "index": "i64", "thread": "i64", "apart.1": "[8 x i64]", "next": "i64", "end": "i64", "apart.2": "[8 x i64]"}

_FUNCTIONS = """
; Runs a kernel over all units, on as many threads as are worth it.
define internal void @pool.dispatch(ptr %pool, ptr %function, ptr %addresses, ptr %constants, i64 %count, i64 %cost) #1 {
entry:
  %known = icmp sgt i64 %cost, 0
  br i1 %known, label %weigh, label %alone
weigh:
  %grain.whole = udiv i64 $GRAIN, %cost
  %grain = add i64 %grain.whole, 1
  %two = shl i64 %grain, 1
  %small = icmp slt i64 %count, %two
  br i1 %small, label %alone, label %host
host:
  %for.at = FIELD(pool, %pool, parallel_for)
  %for = load ptr, ptr %for.at, align 8
  %own = icmp eq ptr %for, null
  br i1 %own, label %several, label %lend
several:
  %threads.at = FIELD(pool, %pool, threads)
  %threads = load i64, ptr %threads.at, align 8
  %single = icmp slt i64 %threads, 2
  br i1 %single, label %alone, label %ready
ready:
  %workers = call i64 @pool.ready(ptr %pool)
  %sleepers.at = FIELD(pool, %pool, sleepers)
  %sleepers = load atomic i64, ptr %sleepers.at seq_cst, align 8
  %total = mul i64 %count, %cost
  %worth = udiv i64 %total, $WAKING
  %wakes = call i64 @llvm.smin.i64(i64 %worth, i64 %sleepers)
  %awake = sub i64 %workers, %sleepers
  %helpers = add i64 %awake, %wakes
  %none = icmp eq i64 %helpers, 0
  br i1 %none, label %alone, label %share
share:
  call void @pool.share(ptr %pool, ptr %function, ptr %addresses, ptr %constants, i64 %count, i64 %grain, i64 %workers, i64 %worth)
  ret void
lend:
  %lent.whole = udiv i64 $LENT_GRAIN, %cost
  %lent.grain = add i64 %lent.whole, 1
  %lent.two = shl i64 %lent.grain, 1
  %lent.small = icmp slt i64 %count, %lent.two
  br i1 %lent.small, label %alone, label %hand
hand:
  %task = alloca [3 x ptr], align 16
  store ptr %function, ptr %task, align 8
  %task.addresses = getelementptr ptr, ptr %task, i64 1
  store ptr %addresses, ptr %task.addresses, align 8
  %task.constants = getelementptr ptr, ptr %task, i64 2
  store ptr %constants, ptr %task.constants, align 8
  %context.at = FIELD(pool, %pool, parallel_context)
  %context = load ptr, ptr %context.at, align 8
  call void %for(ptr %context, ptr @pool.task, ptr %task, i64 %count, i64 %lent.grain)
  ret void
alone:
  call void %function(ptr %addresses, ptr %constants, i64 0, i64 %count)
  ret void
}

; What a host's own pool calls, with the kernel and its arguments.
define internal void @pool.task(ptr %task, i64 %begin, i64 %end) #1 {
  %function = load ptr, ptr %task, align 8
  %addresses.at = getelementptr ptr, ptr %task, i64 1
  %addresses = load ptr, ptr %addresses.at, align 8
  %constants.at = getelementptr ptr, ptr %task, i64 2
  %constants = load ptr, ptr %constants.at, align 8
  call void %function(ptr %addresses, ptr %constants, i64 %begin, i64 %end)
  ret void
}

define internal void @pool.share(ptr %pool, ptr %function, ptr %addresses, ptr %constants, i64 %count, i64 %grain, i64 %workers,
                                 i64 %worth) #1 {
entry:
  %all = add i64 %workers, 1
  %pieces = mul i64 %all, $SHARE
  %count.more = add i64 %count, %pieces
  %count.up = sub i64 %count.more, 1
  %even = sdiv i64 %count.up, %pieces
  %chunk = call i64 @llvm.smax.i64(i64 %even, i64 %grain)
  call void @pool.divide(ptr %pool, i64 %count, i64 %grain, i64 %all)
  %function.at = FIELD(pool, %pool, function)
  store ptr %function, ptr %function.at, align 8
  %addresses.at = FIELD(pool, %pool, addresses)
  store ptr %addresses, ptr %addresses.at, align 8
  %constants.at = FIELD(pool, %pool, constants)
  store ptr %constants, ptr %constants.at, align 8
  %chunk.at = FIELD(pool, %pool, chunk)
  store i64 %chunk, ptr %chunk.at, align 8
  %open.at = FIELD(pool, %pool, open)
  store atomic i64 1, ptr %open.at seq_cst, align 8
  %generation.at = FIELD(pool, %pool, generation)
  %before = atomicrmw add ptr %generation.at, i64 1 seq_cst
  ; A worker counts itself among the sleepers before it looks at the generation a last time, so none sleeps through this.
  %sleepers.at = FIELD(pool, %pool, sleepers)
  %sleepers = load atomic i64, ptr %sleepers.at seq_cst, align 8
  %wanted = call i64 @llvm.smin.i64(i64 %worth, i64 %sleepers)
  %asleep = icmp sgt i64 %wanted, 0
  br i1 %asleep, label %rouse, label %work
rouse:
  call void @pool.rouse(ptr %pool, i64 %wanted)
  br label %work
work:
  call void @pool.work(ptr %pool, i64 0)
  store atomic i64 0, ptr %open.at seq_cst, align 8
  %active.at = FIELD(pool, %pool, active)
  br label %wait
wait:
  %spins = phi i64 [ 0, %work ], [ %spins.next, %again ]
  %active = load atomic i64, ptr %active.at seq_cst, align 8
  %over = icmp eq i64 %active, 0
  br i1 %over, label %done, label %rest
rest:
  %spins.next = add i64 %spins, 1
  %patient = icmp slt i64 %spins.next, $SPINS
  br i1 %patient, label %pause, label %yield
pause:
  $PAUSE
  br label %again
yield:
  ; Perhaps there are fewer cores than threads just now, and a worker needs this one.
  %yielded = call i32 @sched_yield()
  br label %again
again:
  br label %wait
done:
  ret void
}

; Gives each thread its share, and none to those that would get less than is worth their while.
define internal void @pool.divide(ptr %pool, i64 %count, i64 %grain, i64 %all) #1 {
entry:
  %slots.at = FIELD(pool, %pool, slots)
  %slots = load ptr, ptr %slots.at, align 8
  %worth = sdiv i64 %count, %grain
  %shares = call i64 @llvm.smin.i64(i64 %worth, i64 %all)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %following, %next ]
  %begin = phi i64 [ 0, %entry ], [ %end, %next ]
  %following = add i64 %i, 1
  %scaled = mul i64 %following, %count
  %upper = sdiv i64 %scaled, %shares
  %end = call i64 @llvm.smin.i64(i64 %upper, i64 %count)
  %slot = getelementptr %slot, ptr %slots, i64 %i
  %next.at = FIELD(slot, %slot, next)
  store atomic i64 %begin, ptr %next.at monotonic, align 8
  %end.at = FIELD(slot, %slot, end)
  store i64 %end, ptr %end.at, align 8
  %more = icmp slt i64 %following, %all
  br i1 %more, label %next, label %done
done:
  ret void
}

define internal void @pool.rouse(ptr %pool, i64 %wanted) #1 {
entry:
  %lock = FIELD(pool, %pool, lock)
  %wake = FIELD(pool, %pool, wake)
  %locked = call i32 @pthread_mutex_lock(ptr %lock)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %following, %one ]
  %more = icmp slt i64 %i, %wanted
  br i1 %more, label %one, label %done
one:
  %signalled = call i32 @pthread_cond_signal(ptr %wake)
  %following = add i64 %i, 1
  br label %next
done:
  %unlocked = call i32 @pthread_mutex_unlock(ptr %lock)
  ret void
}

; Takes units of the job until there are none left: first of the share of the thread `first`, then of those after it.
define internal void @pool.work(ptr %pool, i64 %first) #1 {
entry:
  %function.at = FIELD(pool, %pool, function)
  %function = load ptr, ptr %function.at, align 8
  %addresses.at = FIELD(pool, %pool, addresses)
  %addresses = load ptr, ptr %addresses.at, align 8
  %constants.at = FIELD(pool, %pool, constants)
  %constants = load ptr, ptr %constants.at, align 8
  %chunk.at = FIELD(pool, %pool, chunk)
  %chunk = load i64, ptr %chunk.at, align 8
  %slots.at = FIELD(pool, %pool, slots)
  %slots = load ptr, ptr %slots.at, align 8
  %workers.at = FIELD(pool, %pool, worker_count)
  %last = load i64, ptr %workers.at, align 8
  br label %visit
visit:
  %i = phi i64 [ %first, %entry ], [ %following, %leave ]
  %slot = getelementptr %slot, ptr %slots, i64 %i
  %next.at = FIELD(slot, %slot, next)
  %end.at = FIELD(slot, %slot, end)
  %end = load i64, ptr %end.at, align 8
  br label %take
take:
  %begin = atomicrmw add ptr %next.at, i64 %chunk monotonic
  %some = icmp slt i64 %begin, %end
  br i1 %some, label %run, label %leave
run:
  %to = add i64 %begin, %chunk
  %upto = call i64 @llvm.smin.i64(i64 %to, i64 %end)
  call void %function(ptr %addresses, ptr %constants, i64 %begin, i64 %upto)
  br label %take
leave:
  %wraps = icmp eq i64 %i, %last
  %up = add i64 %i, 1
  %following = select i1 %wraps, i64 0, i64 %up
  %round = icmp eq i64 %following, %first
  br i1 %round, label %done, label %visit
done:
  ret void
}

define internal ptr @pool.worker(ptr %slot) #1 {
entry:
  %pool = load ptr, ptr %slot, align 8
  %index.at = FIELD(slot, %slot, index)
  %index = load i64, ptr %index.at, align 8
  %generation.at = FIELD(pool, %pool, generation)
  %stop.at = FIELD(pool, %pool, stop)
  %sleepers.at = FIELD(pool, %pool, sleepers)
  %active.at = FIELD(pool, %pool, active)
  %open.at = FIELD(pool, %pool, open)
  %lock = FIELD(pool, %pool, lock)
  %wake = FIELD(pool, %pool, wake)
  br label %idle
idle:
  %seen = phi i64 [ 0, %entry ], [ %now, %leave ]
  br label %look
look:
  %spins = phi i64 [ 0, %idle ], [ %spins.next, %rest ], [ %spins.next, %offer ]
  %found = load atomic i64, ptr %generation.at seq_cst, align 8
  %news = icmp ne i64 %found, %seen
  br i1 %news, label %awake, label %rest
rest:
  $PAUSE
  %spins.next = add i64 %spins, 1
  %patient = icmp slt i64 %spins.next, $SPINS
  br i1 %patient, label %look, label %offer
offer:
  %yielded = call i32 @sched_yield()
  %waits = icmp slt i64 %spins.next, $LOOKS
  br i1 %waits, label %look, label %lie.down
lie.down:
  %locked = call i32 @pthread_mutex_lock(ptr %lock)
  %sleepers.before = atomicrmw add ptr %sleepers.at, i64 1 seq_cst
  br label %check
check:
  %heard = load atomic i64, ptr %generation.at seq_cst, align 8
  %called = icmp ne i64 %heard, %seen
  br i1 %called, label %rise, label %sleep
sleep:
  %slept = call i32 @pthread_cond_wait(ptr %wake, ptr %lock)
  br label %check
rise:
  %sleepers.after = atomicrmw sub ptr %sleepers.at, i64 1 seq_cst
  %unlocked = call i32 @pthread_mutex_unlock(ptr %lock)
  br label %awake
awake:
  %now = phi i64 [ %found, %look ], [ %heard, %rise ]
  %stop = load atomic i64, ptr %stop.at seq_cst, align 8
  %ends = icmp ne i64 %stop, 0
  br i1 %ends, label %end, label %enter
enter:
  ; Active first, then a look at the door: whoever closes it and then sees none active may write the next job.
  %active.before = atomicrmw add ptr %active.at, i64 1 seq_cst
  %open = load atomic i64, ptr %open.at seq_cst, align 8
  %shut = icmp eq i64 %open, 0
  br i1 %shut, label %leave, label %work
work:
  call void @pool.work(ptr %pool, i64 %index)
  br label %leave
leave:
  %active.after = atomicrmw sub ptr %active.at, i64 1 seq_cst
  br label %idle
end:
  ret ptr null
}

; How many workers there are; starts them at first. None in a process that forked since.
define internal i64 @pool.ready(ptr %pool) #1 {
entry:
  %here = call i32 @getpid()
  %process.at = FIELD(pool, %pool, process)
  %process = load i32, ptr %process.at, align 4
  %new = icmp eq i32 %process, 0
  br i1 %new, label %start, label %old
start:
  store i32 %here, ptr %process.at, align 4
  call void @pool.start(ptr %pool)
  br label %tell
old:
  %forked = icmp ne i32 %process, %here
  br i1 %forked, label %none, label %tell
tell:
  %count.at = FIELD(pool, %pool, worker_count)
  %count = load i64, ptr %count.at, align 8
  ret i64 %count
none:
  ret i64 0
}

; Workers block every signal: those are for the program's own threads.
define internal void @pool.start(ptr %pool) #1 {
entry:
  %all = alloca [16 x i64], align 16
  %old = alloca [16 x i64], align 16
  %attributes = alloca [16 x i64], align 16
  %lock = FIELD(pool, %pool, lock)
  %wake = FIELD(pool, %pool, wake)
  %lock.made = call i32 @pthread_mutex_init(ptr %lock, ptr null)
  %wake.made = call i32 @pthread_cond_init(ptr %wake, ptr null)
  %threads.at = FIELD(pool, %pool, threads)
  %threads = load i64, ptr %threads.at, align 8
  %wanted = sub i64 %threads, 1
  %slots = call ptr @calloc(i64 %threads, i64 ptrtoint (ptr getelementptr (%slot, ptr null, i32 1) to i64))
  %slots.at = FIELD(pool, %pool, slots)
  store ptr %slots, ptr %slots.at, align 8
  %count.at = FIELD(pool, %pool, worker_count)
  %no.memory = icmp eq ptr %slots, null
  br i1 %no.memory, label %done, label %prepare
prepare:
  %attributes.made = call i32 @pthread_attr_init(ptr %attributes)
  %sized = call i32 @pthread_attr_setstacksize(ptr %attributes, i64 $STACK_BYTES)
  %filled = call i32 @sigfillset(ptr %all)
  %blocked = call i32 @pthread_sigmask(i32 2, ptr %all, ptr %old)
  br label %next
next:
  %i = phi i64 [ 0, %prepare ], [ %following, %made ]
  store i64 %i, ptr %count.at, align 8
  %more = icmp slt i64 %i, %wanted
  br i1 %more, label %make, label %restore
make:
  %following = add i64 %i, 1
  %slot = getelementptr %slot, ptr %slots, i64 %following
  store ptr %pool, ptr %slot, align 8
  %index.at = FIELD(slot, %slot, index)
  store i64 %following, ptr %index.at, align 8
  %thread.at = FIELD(slot, %slot, thread)
  %failed = call i32 @pthread_create(ptr %thread.at, ptr %attributes, ptr @pool.worker, ptr %slot)
  %refused = icmp ne i32 %failed, 0
  br i1 %refused, label %restore, label %made
made:
  br label %next
restore:
  %restored = call i32 @pthread_sigmask(i32 2, ptr %old, ptr null)
  %attributes.gone = call i32 @pthread_attr_destroy(ptr %attributes)
  br label %done
done:
  ret void
}

; Ends the workers. Those of the process that this one was forked from are not here to be ended.
define internal void @pool.end(ptr %pool) #1 {
entry:
  %process.at = FIELD(pool, %pool, process)
  %process = load i32, ptr %process.at, align 4
  %never = icmp eq i32 %process, 0
  br i1 %never, label %done, label %where
where:
  %slots.at = FIELD(pool, %pool, slots)
  %slots = load ptr, ptr %slots.at, align 8
  %here = call i32 @getpid()
  %forked = icmp ne i32 %process, %here
  br i1 %forked, label %free, label %stop
stop:
  %lock = FIELD(pool, %pool, lock)
  %wake = FIELD(pool, %pool, wake)
  %stop.at = FIELD(pool, %pool, stop)
  store atomic i64 1, ptr %stop.at seq_cst, align 8
  %generation.at = FIELD(pool, %pool, generation)
  %before = atomicrmw add ptr %generation.at, i64 1 seq_cst
  %locked = call i32 @pthread_mutex_lock(ptr %lock)
  %woken = call i32 @pthread_cond_broadcast(ptr %wake)
  %unlocked = call i32 @pthread_mutex_unlock(ptr %lock)
  %count.at = FIELD(pool, %pool, worker_count)
  %count = load i64, ptr %count.at, align 8
  br label %next
next:
  %i = phi i64 [ 0, %stop ], [ %following, %join ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %join, label %joined
join:
  %following = add i64 %i, 1
  %slot = getelementptr %slot, ptr %slots, i64 %following
  %thread.at = FIELD(slot, %slot, thread)
  %thread = load i64, ptr %thread.at, align 8
  %gone = call i32 @pthread_join(i64 %thread, ptr null)
  br label %next
joined:
  %wake.gone = call i32 @pthread_cond_destroy(ptr %wake)
  %lock.gone = call i32 @pthread_mutex_destroy(ptr %lock)
  br label %free
free:
  call void @free(ptr %slots)
  br label %done
done:
  ret void
}

; How many threads an instance has: what was asked for, else what the environment says, else what this process may use.
define internal i64 @pool.threads(i64 %wish) #1 {
entry:
  %asked = icmp sgt i64 %wish, 0
  br i1 %asked, label %bound, label %environment
environment:
  %variable = call ptr @getenv(ptr @pool.variable)
  %unset = icmp eq ptr %variable, null
  br i1 %unset, label %allowed, label %read
read:
  %number = call i64 @strtol(ptr %variable, ptr null, i32 10)
  %said = icmp sgt i64 %number, 0
  br i1 %said, label %bound, label %allowed
allowed:
  %cores = call i64 @pool.cores()
  %quota = call i64 @pool.quota()
  %both = call i64 @llvm.smin.i64(i64 %cores, i64 %quota)
  br label %bound
bound:
  %threads = phi i64 [ %wish, %entry ], [ %number, %read ], [ %both, %allowed ]
  %few = call i64 @llvm.smin.i64(i64 %threads, i64 $MOST)
  ret i64 %few
}
"""

_TEXTS = {"pool.variable": "INTAGLIO_NUM_THREADS", **QUOTA_TEXTS}

_LIBC = (
    "declare i32 @pthread_mutex_init(ptr, ptr)",
    "declare i32 @pthread_mutex_lock(ptr)",
    "declare i32 @pthread_mutex_unlock(ptr)",
    "declare i32 @pthread_mutex_destroy(ptr)",
    "declare i32 @pthread_cond_init(ptr, ptr)",
    "declare i32 @pthread_cond_wait(ptr, ptr)",
    "declare i32 @pthread_cond_signal(ptr)",
    "declare i32 @pthread_cond_broadcast(ptr)",
    "declare i32 @pthread_cond_destroy(ptr)",
    "declare i32 @pthread_attr_init(ptr)",
    "declare i32 @pthread_attr_setstacksize(ptr, i64)",
    "declare i32 @pthread_attr_destroy(ptr)",
    "declare i32 @pthread_create(ptr, ptr, ptr, ptr)",
    "declare i32 @pthread_join(i64, ptr)",
    "declare i32 @pthread_sigmask(i32, ptr, ptr)",
    "declare i32 @sigfillset(ptr)",
    "declare i32 @sched_yield()",
    "declare i32 @getpid()",
    "declare ptr @getenv(ptr)",
    "declare i64 @llvm.smin.i64(i64, i64)",
    *QUOTA_LIBC,
)

# What a processor is told by a thread that waits in a loop.
_PAUSES = {"x86_64": ("llvm.x86.sse2.pause", ""), "aarch64": ("llvm.aarch64.hint", "i32 1")}


def thread_libc(triple: str) -> tuple[str, ...]:
    """Declarations of what the functions call, as `instance.LIBC` has them."""
    pause = _PAUSES.get(triple.split("-")[0])
    return (*_LIBC, *((f"declare void @{pause[0]}({pause[1].split()[0] if pause[1] else ''})",) if pause else ()))


def thread_functions(triple: str) -> str:
    """LLVM IR of the type `%pool` and the functions that `device` and `instance` call."""
    pause = _PAUSES.get(triple.split("-")[0])
    values = {
        "$GRAIN": GRAIN,
        "$LENT_GRAIN": LENT_GRAIN,
        "$SHARE": SHARE,
        "$WAKING": WAKING,
        "$SPINS": SPINS,
        "$LOOKS": SPINS + YIELDS,
        "$MOST": MOST,
        "$STACK_BYTES": STACK_BYTES,
        "$PAUSE": f"call void @{pause[0]}({pause[1]})" if pause else "; no pause",
    }
    text = _FUNCTIONS + QUOTA
    for name, value in values.items():
        text = text.replace(name, str(value))
    texts = [constant_text(name, text) for name, text in _TEXTS.items()]
    slot = f"%slot = type {{ {', '.join(SLOT.values())} }}"
    return "\n".join([slot, *texts, expand(text, {**MEMBERS, "pool": tuple(POOL), "slot": tuple(SLOT)})])
