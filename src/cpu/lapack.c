#include "cpu/lapack.h"

#include "base/memory.h"
#include "cpu/blas.h"

#ifndef LUCID__BLAS_PREFIX
#define LUCID__BLAS_PREFIX
#endif
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define LAPACK(name) JOIN(LUCID__BLAS_PREFIX, name)

/* Fortran: everything by reference, and the lengths of strings at the end. */
typedef void syevd_fn(const char *job, const char *uplo, const int *n, void *a, const int *lda,
                      void *w, void *work, const int *lwork, int *iwork, const int *liwork,
                      int *info, size_t job_length, size_t uplo_length);
typedef void gesdd_fn(const char *job, const int *m, const int *n, void *a, const int *lda, void *w,
                      void *u, const int *ldu, void *vt, const int *ldvt, void *work,
                      const int *lwork, int *iwork, int *info, size_t job_length);
typedef void geqrf_fn(const int *m, const int *n, void *a, const int *lda, void *tau, void *work,
                      const int *lwork, int *info);
typedef void orgqr_fn(const int *m, const int *n, const int *k, void *a, const int *lda,
                      const void *tau, void *work, const int *lwork, int *info);
extern syevd_fn LAPACK(ssyevd_), LAPACK(dsyevd_);
extern gesdd_fn LAPACK(sgesdd_), LAPACK(dgesdd_);
extern geqrf_fn LAPACK(sgeqrf_), LAPACK(dgeqrf_);
extern orgqr_fn LAPACK(sorgqr_), LAPACK(dorgqr_);
#define OF(dtype, name) ((dtype) == LUCID_FLOAT32 ? LAPACK(JOIN(s, name)) : LAPACK(JOIN(d, name)))

/* What a routine says that it needs, in elements. */
static int told(lucid_dtype dtype, const double *answer)
{
    return dtype == LUCID_FLOAT32 ? (int)*(const float *)(const void *)answer : (int)*answer;
}

static lucid_status status_of(const void *work, int info)
{
    if (!work)
        return LUCID_MEMORY_ERROR;
    return info == 0 ? LUCID_OK : LUCID_RUNTIME_ERROR;
}

lucid_status lucid__lapack_eigh(lucid_dtype dtype, int64_t n, bool vectors, void *a, void *w)
{
    syevd_fn *syevd = OF(dtype, syevd_);
    const char *job = vectors ? "V" : "N",
               *upper = "U"; /* by columns, the lower one is the upper */
    int size = (int)n, ask = -1, info = 0, ints = 0, elements;
    double answer = 0;
    syevd(job, upper, &size, a, &size, w, &answer, &ask, &ints, &ask, &info, 1, 1);
    elements = told(dtype, &answer);
    char *work = lucid__malloc((size_t)elements * sizeof(double) + (size_t)ints * sizeof(int));
    if (work)
        syevd(job, upper, &size, a, &size, w, work, &elements,
              (int *)(void *)(work + (size_t)elements * sizeof(double)), &ints, &info, 1, 1);
    lucid_status status = status_of(work, info);
    lucid__free(work);
    return status;
}

lucid_status lucid__lapack_svd(lucid_dtype dtype, int64_t m, int64_t n, void *a, void *u, void *w,
                               void *v)
{
    gesdd_fn *gesdd = OF(dtype, gesdd_);
    /* a' = V diag(w) U', and V by columns is V' by rows. */
    int rows = (int)n, cols = (int)m, k = rows < cols ? rows : cols, ask = -1, info = 0, elements;
    double answer = 0;
    size_t int_bytes = (size_t)k * 8 * sizeof(int);
    const char *job = u ? "S" : "N";
    gesdd(job, &rows, &cols, a, &rows, w, v, &rows, u, &k, &answer, &ask, &info, &info, 1);
    elements = told(dtype, &answer);
    char *work = lucid__malloc((size_t)elements * sizeof(double) + int_bytes);
    if (work)
        gesdd(job, &rows, &cols, a, &rows, w, v, &rows, u, &k, work, &elements,
              (int *)(void *)(work + (size_t)elements * sizeof(double)), &info, 1);
    lucid_status status = status_of(work, info);
    lucid__free(work);
    return status;
}

lucid_status lucid__lapack_qr(lucid_dtype dtype, int64_t m, int64_t n, void *c, void *tau)
{
    geqrf_fn *geqrf = OF(dtype, geqrf_);
    int rows = (int)m, cols = (int)n, ask = -1, info = 0, elements;
    double answer = 0;
    geqrf(&rows, &cols, c, &rows, tau, &answer, &ask, &info);
    elements = told(dtype, &answer);
    void *work = lucid__malloc((size_t)elements * sizeof(double));
    if (work)
        geqrf(&rows, &cols, c, &rows, tau, work, &elements, &info);
    lucid_status status = status_of(work, info);
    lucid__free(work);
    return status;
}

lucid_status lucid__lapack_q(lucid_dtype dtype, int64_t m, int64_t k, void *c, const void *tau)
{
    orgqr_fn *orgqr = OF(dtype, orgqr_);
    int rows = (int)m, cols = (int)k, ask = -1, info = 0, elements;
    double answer = 0;
    orgqr(&rows, &cols, &cols, c, &rows, tau, &answer, &ask, &info);
    elements = told(dtype, &answer);
    void *work = lucid__malloc((size_t)elements * sizeof(double));
    if (work)
        orgqr(&rows, &cols, &cols, c, &rows, tau, work, &elements, &info);
    lucid_status status = status_of(work, info);
    lucid__free(work);
    return status;
}
