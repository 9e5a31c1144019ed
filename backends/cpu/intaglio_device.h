/* The device struct that compiled models run on. Generated from backends/abi.py. */
#ifndef INTAGLIO_DEVICE_H
#define INTAGLIO_DEVICE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void *intaglio_buffer;
typedef void *intaglio_executable;
typedef struct intaglio_binding intaglio_binding;
typedef struct intaglio_image intaglio_image;
typedef struct intaglio_device intaglio_device;

/* A buffer as a kernel gets it. */
struct intaglio_binding {
    /* its handle */
    intaglio_buffer buffer;
    /* where the kernel's argument begins in it */
    int64_t offset;
};

/* Kernels as a device loads them. */
struct intaglio_image {
    /* what the data is; "intaglio-cpu-1" is an array of function pointers, one a kernel */
    const char *format;
    /* the kernels */
    const void *data;
    /* the size of data */
    int64_t bytes;
    /* their names; dispatch takes an index into these */
    const char *const *kernels;
    /* how many there are */
    int32_t kernel_count;
};

/* What host programs run on. Functions that return int32_t return 0, or the number of an error whose text last_error() has.
 * Offsets and sizes are bytes. One device may serve many instances and threads at once, last_error() being its thread's own. */
struct intaglio_device {
    /* sizeof(intaglio_device) where the device was built; host programs refuse a smaller one */
    int64_t size;
    /* for messages */
    const char *name;
    /* the device's own */
    void *context;
    /* new memory, aligned to 64; negative or absurd sizes fail, 0 does not */
    int32_t (*allocate)(intaglio_device *device, int64_t bytes, intaglio_buffer *buffer);
    /* gives back what allocate gave; NULL is nothing */
    void (*free)(intaglio_device *device, intaglio_buffer buffer);
    /* a buffer over memory of the host, never freed, or NULL where the device cannot reach it: allocate and upload then */
    intaglio_buffer (*wrap)(intaglio_device *device, void *host, int64_t bytes);
    /* the host's address of memory in a buffer, or NULL where it has none: download then */
    void *(*map)(intaglio_device *device, intaglio_buffer buffer, int64_t offset);
    /* copies from the host */
    int32_t (*upload)(intaglio_device *device, intaglio_buffer buffer, int64_t offset, const void *source, int64_t bytes);
    /* copies to the host, when all dispatches before it are done */
    int32_t (*download)(intaglio_device *device, intaglio_buffer buffer, int64_t offset, void *target, int64_t bytes);
    /* copies between ranges that do not overlap */
    int32_t (*copy)(intaglio_device *device, intaglio_buffer source, int64_t source_offset, intaglio_buffer target, int64_t target_offset, int64_t bytes);
    /* sets every byte to the low byte of value */
    int32_t (*fill)(intaglio_device *device, intaglio_buffer buffer, int64_t offset, int32_t value, int64_t bytes);
    /* makes kernels ready to dispatch; the image outlives the executable */
    int32_t (*load_executable)(intaglio_device *device, const intaglio_image *image, intaglio_executable *executable);
    /* the end of what load_executable gave; NULL is nothing */
    void (*unload_executable)(intaglio_device *device, intaglio_executable executable);
    /* runs one kernel over workgroups 0 to `workgroups`; cost is how many picoseconds one takes, roughly, 0 where it is not known;
     * the arrays are read before it returns; dispatches take effect in order */
    int32_t (*dispatch)(intaglio_device *device, intaglio_executable executable, int32_t kernel, int64_t workgroups, int64_t cost, const intaglio_binding *buffers, int32_t buffer_count, const int64_t *constants, int32_t constant_count);
    /* waits until every dispatch is done */
    int32_t (*synchronise)(intaglio_device *device);
    /* what this thread's last failure was about; valid until its next call */
    const char *(*last_error)(intaglio_device *device);
    /* the end of the device, called by whoever made it, after every instance */
    void (*destroy)(intaglio_device *device);
};

#ifdef __cplusplus
}
#endif

#endif
