#if defined(__linux__)
#define _GNU_SOURCE /* pthread_getattr_np */
#endif
#include "base/stack.h"

#include <pthread.h>
#include <stddef.h>

_Thread_local uintptr_t lucid__stack_lowest __attribute__((tls_model("initial-exec"))) =
    UINTPTR_MAX;

/* What is kept free: for kernels, the BLAS and the interpreter that raises the exception; and a part of large stacks,
 * because releasing what is nested recurses, too, with frames that are far smaller than those of building it. */
static size_t reserve(size_t size)
{
    enum { KEPT = 128 << 10, PART = 16 };
    size_t kept = KEPT + size / PART;
    return kept < size / 2 ? kept : size / 2;
}

/* The lowest address of this thread's stack, and its size; 0 where nobody says. */
static uintptr_t lowest_of_thread(size_t *size)
{
#if defined(__linux__)
    pthread_attr_t attributes;
    void *lowest = NULL;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return 0;
    if (pthread_attr_getstack(&attributes, &lowest, size) != 0)
        lowest = NULL;
    (void)pthread_attr_destroy(&attributes);
    return (uintptr_t)lowest;
#elif defined(__APPLE__)
    *size = pthread_get_stacksize_np(pthread_self());
    return (uintptr_t)pthread_get_stackaddr_np(pthread_self()) - *size;
#else
    (void)size;
    return 0;
#endif
}

bool lucid__stack_look(uintptr_t here)
{
    if (lucid__stack_lowest == UINTPTR_MAX) {
        size_t size = 0;
        uintptr_t lowest = lowest_of_thread(&size);
        /* A stack of somebody's own making (a coroutine's) is not the thread's: nothing is known of it. */
        bool ours = lowest > 0 && here >= lowest && here - lowest <= size;
        lucid__stack_lowest = ours ? lowest + reserve(size) : 0;
    }
    return here < lucid__stack_lowest;
}
