/* The binary interface of DLPack 1.0, as its specification lays it out
 * (https://dmlc.github.io/dlpack/latest/c_api.html). */
#ifndef LUCIDPY_DLPACK_ABI_H
#define LUCIDPY_DLPACK_ABI_H

#include <stdint.h>

enum { DLPACK_MAJOR = 1, DLPACK_MINOR = 0 };
enum { DLPACK_CPU = 1 };
enum { DLPACK_INT = 0, DLPACK_FLOAT = 2, DLPACK_BOOL = 6 };
#define DLPACK_FLAG_READ_ONLY ((uint64_t)1)

typedef struct dlpack_device {
    int32_t type;
    int32_t id;
} dlpack_device;

typedef struct dlpack_dtype {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
} dlpack_dtype;

typedef struct dlpack_tensor {
    void *data;
    dlpack_device device;
    int32_t ndim;
    dlpack_dtype dtype;
    int64_t *shape;
    int64_t *strides; /* in elements; NULL: row-major */
    uint64_t byte_offset;
} dlpack_tensor;

/* The form before 1.0, in a capsule named "dltensor". */
typedef struct dlpack_managed {
    dlpack_tensor tensor;
    void *context;
    void (*deleter)(struct dlpack_managed *self);
} dlpack_managed;

/* The form since 1.0, in a capsule named "dltensor_versioned". */
typedef struct dlpack_versioned {
    uint32_t major;
    uint32_t minor;
    void *context;
    void (*deleter)(struct dlpack_versioned *self);
    uint64_t flags;
    dlpack_tensor tensor;
} dlpack_versioned;

#endif
