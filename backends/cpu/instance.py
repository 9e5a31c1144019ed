"""An instance of a compiled model, in LLVM IR: what create, run and destroy do, and the steps that the host program calls.

The same text serves every model; `program` writes the tables it reads (@inputs, @outputs, @input.symbols, @image, @weights.own).
Every function returns 0 or an error's number and leaves the text in the instance. Nothing here is mutable outside of an instance.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..abi import MEMBERS, expand
from .device import constant_text
from .exchange import INPUTS, OUTPUTS
from .heap import HEAP
from .lists import LISTS, NO_LISTS
from .profile import PROFILE
from .steps import ERRORS, STEPS
from .text_numbers import NUMBERS
from .texts import NO_TEXTS, TEXTS
from .threads import POOL

ERROR_BYTES = 1024

_STRUCTS = {
    # An input of the run: its place on the device and its sizes; `owned` is 0 where it is the caller's own memory. That of a tensor which
    # the device reaches begins at `host` and has `bytes`, 0 of any other input.
    "argument": {"buffer": "ptr", "offset": "i64", "dims": "ptr", "owned": "i32", "host": "ptr", "bytes": "i64"},
    # An output: its place on the device; `staging` is host memory for devices that cannot map; `lent` is memory of the caller's to
    # leave it in, and on the device, once the host program asked for it, `lent_buffer`.
    "result": {
        "buffer": "ptr",
        "offset": "i64",
        "staging": "ptr",
        "staging_bytes": "i64",
        "lent": "ptr",
        "lent_bytes": "i64",
        "lent_buffer": "ptr",
    },
    # A dimension's name: its size in this run, -1 before an input told it, and the input that did.
    "symbol": {"size": "i64", "input": "ptr"},
    # Buffers to give back when the run ends, newest first.
    "transient": {"next": "ptr", "buffer": "ptr"},
    # A piece of a heap; what it holds follows.
    "chunk": {"next": "ptr", "used": "i64", "room": "i64"},
    "text": {"data": "ptr", "bytes": "i64", "hash": "i64"},
    # See `lists`. An item that is a list has its storage and length in the place of buffer and offset.
    "list": {"used": "i64", "room": "i64"},
    "item": {"buffer": "ptr", "offset": "i64", "dims": "ptr", "rank": "i32"},
    "instance": {
        "device": "ptr",
        "executable": "ptr",
        "weights": "ptr",
        "weights_owned": "i32",
        "status": "ptr",
        "arena": "ptr",
        "arena_bytes": "i64",
        "arena_taken": "i32",
        "transients": "ptr",
        # The host's memory of this run, and what lasts as long as the instance.
        "heap": "ptr",
        "life": "ptr",
        # The pool of texts, see `texts`.
        "texts": "ptr",
        "texts_count": "i64",
        "texts_room": "i64",
        "texts_known": "ptr",
        "texts_run": "ptr",
        "texts_run_slots": "i64",
        "arguments": "[$INPUTS x %argument]",
        "results": "[$OUTPUTS x %result]",
        "result_dims": "[$RESULT_DIMS x i64]",
        "symbols": "[$SYMBOLS x %symbol]",
        # What of the CPU is the instance's own: a device struct, and the threads that are its context.
        "cpu": "%device",
        "pool": "%pool",
        "decode_image": "ptr",
        "decode_context": "ptr",
        "records": "[$SITES x %record]",
        "error": f"[{ERROR_BYTES} x i8]",
    },
}

MEMBERS_HERE = {**MEMBERS, "pool": tuple(POOL), **{name: tuple(members) for name, members in _STRUCTS.items()}}

_TEXTS = {
    "say.create": "no instance: ITG5010 is no memory, ITG5011 a device that failed or is too old, ITG5012 that the weights are missing",
    "say.counts": "ITG5502 run: %d inputs and %d outputs are given, the model has %d and %d",
    "say.type": 'ITG5503 input "%s": element type %d is given, the model takes %d (%s)',
    "say.rank": 'ITG5504 input "%s": rank %d is given, the model takes %d',
    "say.dims": 'ITG5504 input "%s": dims is NULL, the model takes rank %d',
    "say.dim": 'ITG5505 input "%s": dimension %d is %lld, the model takes %lld',
    "say.negative": 'ITG5505 input "%s": dimension %d is %lld, which is no size',
    "say.symbol": 'ITG5506 input "%s": dimension %d ("%s") is %lld, but it is %lld in input "%s"',
    "say.null": 'ITG5507 input "%s": data is NULL',
    "say.large": 'ITG5508 input "%s": the dimensions multiply to more bytes than there can be',
    "say.memory": "ITG5010 device %s: cannot take %lld bytes: %s",
    "say.device": "ITG5011 device %s failed in %s: %s",
    "say.entropy": "ITG5013 the system gives no random numbers",
    "say.string": 'ITG5507 input "%s": string %lld has %lld bytes, but no data',
    "say.items": 'ITG5505 input "%s": %lld items are given, it takes %lld to %lld',
    "say.pair": 'ITG5505 input "%s": a map has %lld keys, but %lld values',
    "say.item": "ITG5065 %s: an item of the list has rank %d, where %d is expected",
    "say.nothing": "ITG5061 %s: the sequence is empty",
    "say.differ": "ITG5061 %s: dimension %d is %lld in item %lld, but %lld in the first",
    "say.offsets": "ITG5063 %s: string %lld ends at %lld of %lld bytes",
    "say.digits": "%.*e",
    "say.scientific": "%llde%lld",
    "step.upload": "upload",
    "step.copy": "copy",
    "step.fill": "fill",
    "step.download": "download",
    "step.synchronise": "synchronise",
}

# The C API

_API = """
; The instance's own CPU, with the threads that the options ask for.
define internal ptr @rt.cpu(ptr %self, ptr %options) #1 {
  %cpu = FIELD(instance, %self, cpu)
  call void @llvm.memcpy.p0.p0.i64(ptr %cpu, ptr @cpu.device, i64 ptrtoint (ptr getelementptr (%device, ptr null, i32 1) to i64), i1 false)
  %pool = FIELD(instance, %self, pool)
  %context.at = FIELD(device, %cpu, context)
  store ptr %pool, ptr %context.at, align 8
  %wish.at = FIELD(options, %options, num_threads)
  %wish = load i32, ptr %wish.at, align 4
  %wish.wide = sext i32 %wish to i64
  %threads = call i64 @pool.threads(i64 %wish.wide)
  %threads.at = FIELD(pool, %pool, threads)
  store i64 %threads, ptr %threads.at, align 8
  %for.wish.at = FIELD(options, %options, parallel_for)
  %for.wish = load ptr, ptr %for.wish.at, align 8
  %for.at = FIELD(pool, %pool, parallel_for)
  store ptr %for.wish, ptr %for.at, align 8
  %for.context.wish.at = FIELD(options, %options, parallel_context)
  %for.context.wish = load ptr, ptr %for.context.wish.at, align 8
  %for.context.at = FIELD(pool, %pool, parallel_context)
  store ptr %for.context.wish, ptr %for.context.at, align 8
  ret ptr %cpu
}

define internal i32 @api.create(ptr %options, ptr %out) #1 {
entry:
  %wish = alloca %options, align 8
  store ptr null, ptr %out, align 8
  %self = call ptr @calloc(i64 1, i64 ptrtoint (ptr getelementptr (%instance, ptr null, i32 1) to i64))
  %none = icmp eq ptr %self, null
  br i1 %none, label %bad.memory, label %options.there
bad.memory:
  ret i32 5010
options.there:
  call void @llvm.memset.p0.i64(ptr %wish, i8 0, i64 $OPTIONS_BYTES, i1 false)
  %plain = icmp eq ptr %options, null
  br i1 %plain, label %choose, label %read
read:
  ; A caller of an older header knows less of the struct, of a newer one more.
  %given = load i64, ptr %options, align 8
  %known = call i64 @llvm.umin.i64(i64 %given, i64 $OPTIONS_BYTES)
  call void @llvm.memcpy.p0.p0.i64(ptr %wish, ptr %options, i64 %known, i1 false)
  br label %choose
choose:
  %wish.device.at = FIELD(options, %wish, device)
  %device.wish = load ptr, ptr %wish.device.at, align 8
  %wish.weights.at = FIELD(options, %wish, weights)
  %weights.wish = load ptr, ptr %wish.weights.at, align 8
  %wish.decode.at = FIELD(options, %wish, decode_image)
  %decode.wish = load ptr, ptr %wish.decode.at, align 8
  %wish.context.at = FIELD(options, %wish, decode_context)
  %context.wish = load ptr, ptr %wish.context.at, align 8
  %decode.at = FIELD(instance, %self, decode_image)
  store ptr %decode.wish, ptr %decode.at, align 8
  %context.at = FIELD(instance, %self, decode_context)
  store ptr %context.wish, ptr %context.at, align 8
  %device.default = icmp eq ptr %device.wish, null
  br i1 %device.default, label %cpu, label %chosen
cpu:
  %cpu.own = call ptr @rt.cpu(ptr %self, ptr %wish)
  br label %chosen
chosen:
  %device = phi ptr [ %device.wish, %choose ], [ %cpu.own, %cpu ]
  %weights.default = icmp eq ptr %weights.wish, null
  %own = load ptr, ptr @weights.own, align 8
  %host = select i1 %weights.default, ptr %own, ptr %weights.wish
  store ptr %device, ptr %self, align 8
  %weights.at = FIELD(instance, %self, weights)
  %device.bytes = load i64, ptr %device, align 8
  %old = icmp slt i64 %device.bytes, ptrtoint (ptr getelementptr (%device, ptr null, i32 1) to i64)
  br i1 %old, label %bad.old, label %take.status
bad.old:
  ; Nothing of a struct that small may be called, not even to clean up.
  call void @free(ptr %self)
  ret i32 5011
take.status:
  %status.at = FIELD(instance, %self, status)
  %status.taken = CALL(allocate, %device, i64 64, ptr %status.at)
  %no.status = icmp ne i32 %status.taken, 0
  br i1 %no.status, label %bad.status, label %load
load:
  %executable.at = FIELD(instance, %self, executable)
  %loaded = CALL(load_executable, %device, ptr @image, ptr %executable.at)
  %unloaded = icmp ne i32 %loaded, 0
  br i1 %unloaded, label %bad.device, label %weigh
weigh:
  br i1 $TEXTS_THERE, label %texts, label %weigh.all
texts:
  %unread = icmp eq ptr %host, null
  br i1 %unread, label %bad.weights, label %enter
enter:
  %entered = call i32 @rt.texts.create(ptr %self, ptr %host)
  %no.texts = icmp ne i32 %entered, 0
  br i1 %no.texts, label %bad.status, label %weigh.all
weigh.all:
  %weightless = icmp eq i64 $WEIGHT_BYTES, 0
  br i1 %weightless, label %ready, label %weights
weights:
  %missing = icmp eq ptr %host, null
  br i1 %missing, label %bad.weights, label %wrap
wrap:
  %wrapped = CALL(wrap, %device, ptr %host, i64 $WEIGHT_BYTES)
  store ptr %wrapped, ptr %weights.at, align 8
  %far = icmp eq ptr %wrapped, null
  br i1 %far, label %fetch, label %ready
fetch:
  %fetched = CALL(allocate, %device, i64 $WEIGHT_BYTES, ptr %weights.at)
  %no.weights = icmp ne i32 %fetched, 0
  br i1 %no.weights, label %bad.status, label %upload
upload:
  %owned.at = FIELD(instance, %self, weights_owned)
  store i32 1, ptr %owned.at, align 4
  %buffer = load ptr, ptr %weights.at, align 8
  %uploaded = CALL(upload, %device, ptr %buffer, i64 0, ptr %host, i64 $WEIGHT_BYTES)
  %lost = icmp ne i32 %uploaded, 0
  br i1 %lost, label %bad.device, label %ready
ready:
  store ptr %self, ptr %out, align 8
  ret i32 0
bad.status:
  br label %bad
bad.device:
  br label %bad
bad.weights:
  br label %bad
bad:
  %status = phi i32 [ 5010, %bad.status ], [ 5011, %bad.device ], [ 5012, %bad.weights ]
  call void @api.destroy(ptr %self)
  ret i32 %status
}

define internal i32 @api.run(ptr %self, ptr %inputs, i32 %input.count, ptr %outputs, i32 %output.count) #1 {
  %status = call i32 @rt.run(ptr %self, ptr %inputs, i32 %input.count, ptr %outputs, i32 %output.count, i1 false)
  ret i32 %status
}

define internal i32 @api.run_into(ptr %self, ptr %inputs, i32 %input.count, ptr %outputs, i32 %output.count) #1 {
  %status = call i32 @rt.run(ptr %self, ptr %inputs, i32 %input.count, ptr %outputs, i32 %output.count, i1 true)
  ret i32 %status
}

; %into: whether the outputs say what memory the caller lends.
define internal i32 @rt.run(ptr %self, ptr %inputs, i32 %input.count, ptr %outputs, i32 %output.count, i1 %into) #1 {
entry:
  %void = icmp eq ptr %self, null
  br i1 %void, label %bad.self, label %begin
bad.self:
  ret i32 5501
begin:
  %device = load ptr, ptr %self, align 8
  %error = FIELD(instance, %self, error)
  store i8 0, ptr %error, align 1
  %taken.at = FIELD(instance, %self, arena_taken)
  store i32 0, ptr %taken.at, align 4
  call void @rt.release(ptr %self, i1 false)
  %heap.at = FIELD(instance, %self, heap)
  call void @rt.drop(ptr %heap.at)
  call void @rt.texts.begin(ptr %self)
  %inputs.fit = icmp eq i32 %input.count, $INPUTS
  %outputs.fit = icmp eq i32 %output.count, $OUTPUTS
  %fit = and i1 %inputs.fit, %outputs.fit
  br i1 %fit, label %borrow, label %bad.counts
bad.counts:
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES,
      ptr @say.counts, i32 %input.count, i32 %output.count, i32 $INPUTS, i32 $OUTPUTS)
  ret i32 5502
borrow:
  %l = phi i32 [ 0, %begin ], [ %l.following, %borrow.one ]
  %l.more = icmp slt i32 %l, $OUTPUTS
  br i1 %l.more, label %borrow.one, label %forget
borrow.one:
  %lender = getelementptr %tensor, ptr %outputs, i32 %l
  call void @rt.borrow(ptr %self, i32 %l, ptr %lender, i1 %into)
  %l.following = add i32 %l, 1
  br label %borrow
forget:
  %s = phi i32 [ 0, %borrow ], [ %s.following, %forget.one ]
  %s.more = icmp slt i32 %s, $SYMBOLS
  br i1 %s.more, label %forget.one, label %take
forget.one:
  %symbol = getelementptr inbounds %instance, ptr %self, i32 0, i32 $SYMBOLS_AT, i32 %s
  store i64 -1, ptr %symbol, align 8
  %s.following = add i32 %s, 1
  br label %forget
take:
  %i = phi i32 [ 0, %forget ], [ %i.following, %take.one ]
  %i.more = icmp slt i32 %i, $INPUTS
  br i1 %i.more, label %take.one, label %reset
take.one:
  %input = getelementptr %tensor, ptr %inputs, i32 %i
  %taken = call i32 @rt.take(ptr %self, i32 %i, ptr %input)
  %i.following = add i32 %i, 1
  %refused = icmp ne i32 %taken, 0
  br i1 %refused, label %end, label %take
reset:
  %status.at = FIELD(instance, %self, status)
  %status = load ptr, ptr %status.at, align 8
  %filled = CALL(fill, %device, ptr %status, i64 0, i32 0, i64 40)
  %reset.failed = call i32 @rt.expect(ptr %self, i32 %filled, ptr @step.fill)
  %unset = icmp ne i32 %reset.failed, 0
  br i1 %unset, label %end, label %work
work:
  %worked = call i32 @host.main(ptr %self)
  %failed = icmp ne i32 %worked, 0
  br i1 %failed, label %end, label %wait
wait:
  %waited = CALL(synchronise, %device)
  %wait.failed = call i32 @rt.expect(ptr %self, i32 %waited, ptr @step.synchronise)
  %unfinished = icmp ne i32 %wait.failed, 0
  br i1 %unfinished, label %end, label %give
give:
  %o = phi i32 [ 0, %wait ], [ %o.following, %give.one ]
  %d = phi i32 [ 0, %wait ], [ %d.following, %give.one ]
  %o.more = icmp slt i32 %o, $OUTPUTS
  br i1 %o.more, label %give.one, label %end
give.one:
  %dims = getelementptr inbounds %instance, ptr %self, i32 0, i32 $RESULT_DIMS_AT, i32 %d
  %output = getelementptr %tensor, ptr %outputs, i32 %o
  %given = call i32 @rt.give(ptr %self, i32 %o, ptr %dims, ptr %output)
  %port = getelementptr inbounds [$OUTPUTS x %port], ptr @outputs, i32 0, i32 %o
  %rank.at = FIELD(port, %port, rank)
  %rank = load i32, ptr %rank.at, align 4
  %o.following = add i32 %o, 1
  %d.following = add i32 %d, %rank
  %ungiven = icmp ne i32 %given, 0
  br i1 %ungiven, label %end, label %give
end:
  %result = phi i32 [ %taken, %take.one ], [ %reset.failed, %reset ], [ %worked, %work ], [ %wait.failed, %wait ],
                [ 0, %give ], [ %given, %give.one ]
  %success = icmp eq i32 %result, 0
  call void @rt.release(ptr %self, i1 %success)
  ret i32 %result
}

define internal ptr @api.last_error(ptr %self) #1 {
  %void = icmp eq ptr %self, null
  %error = FIELD(instance, %self, error)
  %text = select i1 %void, ptr @say.create, ptr %error
  ret ptr %text
}

define internal void @api.destroy(ptr %self) #1 {
entry:
  %void = icmp eq ptr %self, null
  br i1 %void, label %done, label %give
give:
  %device = load ptr, ptr %self, align 8
  call void @rt.release(ptr %self, i1 false)
  %heap.at = FIELD(instance, %self, heap)
  call void @rt.drop(ptr %heap.at)
  %life.at = FIELD(instance, %self, life)
  call void @rt.drop(ptr %life.at)
  call void @rt.texts.destroy(ptr %self)
  %status.at = FIELD(instance, %self, status)
  %status = load ptr, ptr %status.at, align 8
  CALL(free, %device, ptr %status)
  %arena.at = FIELD(instance, %self, arena)
  %arena = load ptr, ptr %arena.at, align 8
  CALL(free, %device, ptr %arena)
  %executable.at = FIELD(instance, %self, executable)
  %executable = load ptr, ptr %executable.at, align 8
  CALL(unload_executable, %device, ptr %executable)
  br label %staging
staging:
  %i = phi i32 [ 0, %give ], [ %following, %staging.one ]
  %more = icmp slt i32 %i, $OUTPUTS
  br i1 %more, label %staging.one, label %weights
staging.one:
  %result = getelementptr inbounds %instance, ptr %self, i32 0, i32 $RESULTS_AT, i32 %i
  %host.at = FIELD(result, %result, staging)
  %host = load ptr, ptr %host.at, align 8
  call void @free(ptr %host)
  %following = add i32 %i, 1
  br label %staging
weights:
  %owned.at = FIELD(instance, %self, weights_owned)
  %owned = load i32, ptr %owned.at, align 4
  %lent = icmp eq i32 %owned, 0
  br i1 %lent, label %last, label %weights.own
weights.own:
  %weights.at = FIELD(instance, %self, weights)
  %buffer = load ptr, ptr %weights.at, align 8
  CALL(free, %device, ptr %buffer)
  br label %last
last:
  %pool = FIELD(instance, %self, pool)
  call void @pool.end(ptr %pool)
  call void @free(ptr %self)
  br label %done
done:
  ret void
}

define internal ptr @api.profile(ptr %self) #1 {
  %records = FIELD(instance, %self, records)
  ret ptr %records
}

define internal i32 @api.num_inputs() #1 {
  ret i32 $INPUTS
}

define internal i32 @api.num_outputs() #1 {
  ret i32 $OUTPUTS
}

define internal ptr @api.input(i32 %i) #1 {
  %there = icmp ult i32 %i, $INPUTS
  %port = getelementptr [$INPUTS x %port], ptr @inputs, i32 0, i32 %i
  %result = select i1 %there, ptr %port, ptr null
  ret ptr %result
}

define internal ptr @api.output(i32 %i) #1 {
  %there = icmp ult i32 %i, $OUTPUTS
  %port = getelementptr [$OUTPUTS x %port], ptr @outputs, i32 0, i32 %i
  %result = select i1 %there, ptr %port, ptr null
  ret ptr %result
}
"""

# The exported names stand beside the functions, so that no other module's export takes their place within this one.
EXPORTS = {
    "create": "i32 (ptr, ptr)",
    "run": "i32 (ptr, ptr, i32, ptr, i32)",
    "run_into": "i32 (ptr, ptr, i32, ptr, i32)",
    "last_error": "ptr (ptr)",
    "destroy": "void (ptr)",
    "num_inputs": "i32 ()",
    "num_outputs": "i32 ()",
    "input": "ptr (i32)",
    "output": "ptr (i32)",
}

LIBC = (
    "declare ptr @malloc(i64)",
    "declare ptr @calloc(i64, i64)",
    "declare i32 @getentropy(ptr, i64)",
    "declare i32 @snprintf(ptr, i64, ptr, ...)",
    "declare ptr @realloc(ptr, i64)",
    "declare i32 @memcmp(ptr, ptr, i64)",
    "declare i64 @strtol(ptr, ptr, i32)",
    "declare double @strtod(ptr, ptr)",
    "declare { i64, i1 } @llvm.smul.with.overflow.i64(i64, i64)",
    "declare i64 @llvm.smax.i64(i64, i64)",
    "declare i64 @llvm.umin.i64(i64, i64)",
    "declare double @llvm.fabs.f64(double)",
)


@dataclass(frozen=True)
class Extent:
    """What of a model the text depends on: how many of each, `weight_bytes`, and the prefix of the exported names, "" where none
    is exported.

    texts: how many texts the model names, 0 where it has no pool; their weights begin at `text_offsets` and `text_bytes`. numbers:
    whether texts become numbers or numbers texts. lists: whether there are any. sites: of the profile, 0 where none is kept.
    """

    prefix: str
    inputs: int
    outputs: int
    result_dims: int
    symbols: int
    weight_bytes: int
    texts: int = 0
    text_offsets: int = 0
    text_bytes: int = 0
    numbers: bool = False
    lists: bool = False
    sites: int = 0


def instance_types(extent: Extent) -> str:
    """The LLVM struct types of an instance; device and port types come from `abi`."""
    lines = [f"%pool = type {{ {', '.join(POOL.values())} }}"]
    lines += [f"%{name} = type {{ {', '.join(members.values())} }}" for name, members in _STRUCTS.items()]
    return _fill("\n".join(lines), extent)


def instance_functions(extent: Extent) -> str:
    """LLVM IR of the C API and of the steps that the host program calls."""
    texts = [constant_text(name, text) for name, text in _TEXTS.items()]
    # What a run reads for an input without elements.
    texts.append("@nothing = private constant [64 x i8] zeroinitializer, align 64")
    texts += ["@one = private constant i64 1, align 8", "@open = private constant i64 -1, align 8"]
    pool = (TEXTS, *([NUMBERS] if extent.numbers else [])) if extent.texts else (NO_TEXTS,)
    lists = LISTS if extent.lists else NO_LISTS
    profile = (PROFILE,) if extent.sites else ()
    body = _fill("\n".join((ERRORS, STEPS, HEAP, *pool, lists, *profile, INPUTS, OUTPUTS, _API)), extent)
    exports = [f"@{extent.prefix}_{name} = alias {signature}, ptr @api.{name}" for name, signature in EXPORTS.items() if extent.prefix]
    return "\n".join([*texts, expand(body, MEMBERS_HERE), *exports])


def member_index(struct: str, member: str) -> int:
    """The position of a member, as getelementptr counts."""
    return MEMBERS_HERE[struct].index(member)


def _fill(text: str, extent: Extent) -> str:
    """Longer names first, as some begin with others."""
    values = {
        "$INPUTS": extent.inputs,
        "$OUTPUTS": extent.outputs,
        "$RESULT_DIMS_AT": member_index("instance", "result_dims"),
        "$RESULT_DIMS": extent.result_dims,
        "$RESULTS_AT": member_index("instance", "results"),
        "$ARGUMENTS_AT": member_index("instance", "arguments"),
        "$SYMBOLS_AT": member_index("instance", "symbols"),
        "$SYMBOLS": extent.symbols,
        "$WEIGHT_BYTES": extent.weight_bytes,
        "$RECORDS_AT": member_index("instance", "records"),
        "$SITES": extent.sites,
        "$ERROR_BYTES": ERROR_BYTES,
        "$OPTIONS_BYTES": "ptrtoint (ptr getelementptr (%options, ptr null, i32 1) to i64)",
        "$TEXTS_THERE": str(extent.texts > 0).lower(),
        "$TEXTS_KNOWN": extent.texts,
        "$TEXTS_MASK": (1 << max(extent.texts, 1).bit_length() + 1) - 1,
        "$TEXTS_OFFSETS": extent.text_offsets,
        "$TEXTS_BYTES": extent.text_bytes,
    }
    for name, value in values.items():
        text = text.replace(name, str(value))
    return text
