#include "cpu/blas.h"

#include <limits.h>
#include <math.h>
#include <omp.h>
#include <time.h>
#if defined(__linux__)
#include <dirent.h>
#endif

#include "base/interrupt.h"
#include "base/thread.h"
#include "cpu/reserve.h"
#include "cpu/threads.h"

#ifndef LUCID__BLAS_PREFIX
#define LUCID__BLAS_PREFIX
#endif
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define BLAS(name) JOIN(LUCID__BLAS_PREFIX, name)

/* The CBLAS interface, as its reference defines it. */
enum {
    ROW_MAJOR = 101,
    NO_TRANS = 111,
    TRANS = 112,
    UPPER = 121,
    LOWER = 122,
    NON_UNIT = 131,
    UNIT = 132,
    LEFT = 141,
    RIGHT = 142
};
extern void BLAS(cblas_sgemm)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                              const float *a, int lda, const float *b, int ldb, float beta,
                              float *c, int ldc);
extern void BLAS(cblas_dgemm)(int order, int trans_a, int trans_b, int m, int n, int k,
                              double alpha, const double *a, int lda, const double *b, int ldb,
                              double beta, double *c, int ldc);
extern void BLAS(cblas_strsm)(int order, int side, int uplo, int trans, int diag, int m, int n,
                              float alpha, const float *a, int lda, float *b, int ldb);
extern void BLAS(cblas_dtrsm)(int order, int side, int uplo, int trans, int diag, int m, int n,
                              double alpha, const double *a, int lda, double *b, int ldb);

/* ---- threads ------------------------------------------------------------------------------- */

/* OpenBLAS has threads of its own; another BLAS has no such functions. */
#if defined(__linux__)
extern int BLAS(openblas_get_num_threads)(void) __attribute__((weak));
extern void BLAS(openblas_set_num_threads)(int n) __attribute__((weak));
extern int BLAS(blas_thread_shutdown_)(void) __attribute__((weak));
extern int BLAS(blas_server_avail) __attribute__((weak)); /* there are such threads */
extern int BLAS(blas_cpu_number) __attribute__((weak));   /* what the first two are about */
#define HAS_OPENBLAS (BLAS(openblas_get_num_threads) && BLAS(openblas_set_num_threads))
#else
#define HAS_OPENBLAS false
#endif

static lucid__mutex lock = LUCID__MUTEX_INIT;
static int users, threads_outside;

/* OpenBLAS starts its threads when it is loaded, and they watch for work, each on a processor of its own,
 * for some hundredths of a second: those of a program's first calls. They need not, since a product that
 * wants them later gets new ones. They must not be at work when they end, for which it is enough that the
 * process has no other threads than this one and them. */
#if defined(__linux__)
#define CAN_DISMISS \
    (HAS_OPENBLAS && BLAS(blas_thread_shutdown_) && &BLAS(blas_server_avail) && \
     &BLAS(blas_cpu_number))

static int threads_of_process(void)
{
    int n = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (const struct dirent *d; tasks && (d = readdir(tasks));) /* NOLINT(concurrency-mt-unsafe) */
        n += d->d_name[0] != '.';
    if (tasks)
        (void)closedir(tasks);
    return n;
}

static void set_threads(int n)
{
    if (CAN_DISMISS && !BLAS(blas_server_avail))
        BLAS(blas_cpu_number) = n; /* the function would start them again */
    else
        BLAS(openblas_set_num_threads)(n);
}
#endif

void lucid__blas_dismiss(void)
{
#if defined(__linux__)
    if (!CAN_DISMISS)
        return;
    lucid__lock(&lock);
    int theirs = users > 0 ? threads_outside : BLAS(openblas_get_num_threads)();
    if (threads_of_process() == theirs)
        (void)BLAS(blas_thread_shutdown_)();
    lucid__unlock(&lock);
#endif
}

int lucid__blas_begin(int threads)
{
#if defined(__linux__)
    if (!HAS_OPENBLAS)
        return threads;
    threads = lucid__blas_calls_available(threads);
    if (threads == 0)
        return 0;
    lucid__lock(&lock);
    if (users++ == 0) {
        threads_outside = BLAS(openblas_get_num_threads)();
        if (threads_outside != 1)
            set_threads(1);
    }
    lucid__unlock(&lock);
#endif
    return threads;
}

void lucid__blas_end(void)
{
#if defined(__linux__)
    if (!HAS_OPENBLAS)
        return;
    lucid__lock(&lock);
    if (--users == 0 && threads_outside != 1)
        set_threads(threads_outside);
    lucid__unlock(&lock);
#endif
}

bool lucid__blas_fits(int64_t size)
{
    return size <= INT_MAX;
}

/* ---- products ------------------------------------------------------------------------------ */

static const void *offset(lucid_dtype dtype, const void *p, int64_t elements)
{
    return (const char *)p + elements * (int64_t)lucid_dtype_size(dtype);
}

static void call_gemm(lucid_dtype dtype, int64_t m, int64_t n, int64_t k, double alpha,
                      lucid__blas_matrix a, lucid__blas_matrix b, double beta, void *c,
                      int64_t c_row)
{
    int ta = a.transposed ? TRANS : NO_TRANS, tb = b.transposed ? TRANS : NO_TRANS;
    if (dtype == LUCID_FLOAT32)
        BLAS(cblas_sgemm)
    (ROW_MAJOR, ta, tb, (int)m, (int)n, (int)k, (float)alpha, a.data, (int)a.ld, b.data, (int)b.ld,
     (float)beta, c, (int)c_row);
    else BLAS(cblas_dgemm)(ROW_MAJOR, ta, tb, (int)m, (int)n, (int)k, alpha, a.data, (int)a.ld,
                           b.data, (int)b.ld, beta, c, (int)c_row);
}

/* Cutting up is not to change a bit, but OpenBLAS has loops of its own, which may sum in another
 * order, for products of up to about 100^3 and for what is left of the columns when its tiles are
 * through. So pieces begin where tiles do (all that we know of divide TILE) and are larger than that,
 * and in products that may be cut, the last columns that fill no tile are always a piece. */
enum { TILE = 48, COLUMN_TILE = 16, LEAST_WORK = 1 << 22 };

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t tiles(int64_t n)
{
    return (n + TILE - 1) / TILE;
}

/* Into how many pieces of about so many n is cut. */
static int64_t most_pieces(int64_t n, double length)
{
    int64_t pieces = (int64_t)((double)n / length) + 1;
    return min64(pieces, tiles(n));
}

/* Where piece `at` of so many begins. */
static int64_t piece_start(int64_t n, int64_t pieces, int64_t at)
{
    return min64(n, tiles(n) * at / pieces * TILE);
}

/* Cuts C (m, n) into rows x cols pieces for as many threads, each as square as can be. */
static void cut(int64_t m, int64_t n, int64_t k, int threads, int64_t *rows, int64_t *cols)
{
    *rows = *cols = 1;
    double work = (double)m * (double)n * (double)k / LEAST_WORK;
    int most = work < threads ? (int)work : threads;
    for (int r = 1; r <= most; r++) {
        int64_t c = most / r;
        c = min64(c, tiles(n));
        if (r > tiles(m) || r * c < *rows * *cols)
            continue;
        double now = (double)m / (double)r + (double)n / (double)c;
        double best = (double)m / (double)*rows + (double)n / (double)*cols;
        if (r * c > *rows * *cols || now < best) {
            *rows = r;
            *cols = c;
        }
    }
}

/* ---- calls that end soon ------------------------------------------------------------------------------- */

/* Nobody can interrupt the BLAS, so large products are several calls of some hundredths of a second. Sums are cut at
 * places that depend on their length alone, which costs nothing: the BLAS goes through such a sum in pieces anyway, adding
 * each to C. Rows and columns are cut as they are among threads, which changes no bit, so this may follow the clock. */
enum { SUM = 4096 };
static _Atomic int64_t most_work = 1 << 27; /* of a call */

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Calls are to take between 10 and 40 milliseconds. */
static void learn(int64_t work, double took)
{
    enum { LEAST = 1 << 25 };
    int64_t most = atomic_load_explicit(&most_work, memory_order_relaxed);
    if (took > 0.04 && most > LEAST)
        most /= 2;
    else if (took < 0.01 && work > most / 2 && most < INT64_MAX / 4)
        most *= 2;
    else
        return;
    atomic_store_explicit(&most_work, most, memory_order_relaxed);
}

/* A part of C, which is not too large; its sums in pieces. */
static void sum_up(lucid_dtype dtype, int64_t m, int64_t n, int64_t k, double alpha,
                   lucid__blas_matrix a, lucid__blas_matrix b, double beta, void *c, int64_t c_row)
{
    const int64_t pieces = (k + SUM - 1) / SUM;
    for (int64_t p = 0; p < pieces && !lucid__stop_now(); p++) {
        int64_t from = piece_start(k, pieces, p), to = piece_start(k, pieces, p + 1);
        lucid__blas_matrix x = a, y = b;
        x.data = offset(dtype, a.data, a.transposed ? from * a.ld : from);
        y.data = offset(dtype, b.data, b.transposed ? from : from * b.ld);
        call_gemm(dtype, m, n, to - from, alpha, x, y, p > 0 ? 1 : beta, c, c_row);
    }
}

static void gemm(lucid_dtype dtype, int64_t m, int64_t n, int64_t k, double alpha,
                 lucid__blas_matrix a, lucid__blas_matrix b, double beta, void *c, int64_t c_row)
{
    const int64_t most = atomic_load_explicit(&most_work, memory_order_relaxed);
    const double work = (double)m * (double)n * (double)(k < SUM ? k : SUM);
    if (work <= (double)most) {
        sum_up(dtype, m, n, k, alpha, a, b, beta, c, c_row);
        return;
    }
    /* Parts that are as square as can be. */
    const double side = sqrt((double)most / (double)(k < SUM ? k : SUM));
    const int64_t calls = (k + SUM - 1) / SUM; /* for a part */
    int64_t rows = most_pieces(m, side), cols = most_pieces(n, side);
    for (int64_t piece = 0; piece < rows * cols && !lucid__stop_now(); piece++) {
        int64_t i = piece_start(m, rows, piece / cols), j = piece_start(n, cols, piece % cols);
        int64_t height = piece_start(m, rows, piece / cols + 1) - i;
        int64_t width = piece_start(n, cols, piece % cols + 1) - j;
        lucid__blas_matrix x = a, y = b;
        x.data = offset(dtype, a.data, a.transposed ? i : i * a.ld);
        y.data = offset(dtype, b.data, b.transposed ? j * b.ld : j);
        double start = seconds();
        sum_up(dtype, height, width, k, alpha, x, y, beta, (void *)offset(dtype, c, i * c_row + j),
               c_row);
        learn(height * width * (k < SUM ? k : SUM), (seconds() - start) / (double)calls);
    }
}

void lucid__gemm(lucid_dtype dtype, int64_t m, int64_t n, int64_t k, double alpha,
                 lucid__blas_matrix a, lucid__blas_matrix b, double beta, void *c, int64_t c_row,
                 int threads)
{
    int64_t rows = 1, cols = 1, whole = n - n % COLUMN_TILE;
    if ((double)m * (double)n * (double)k < 2.0 * LEAST_WORK) {
        sum_up(dtype, m, n, k, alpha, a, b, beta, c, c_row);
        return;
    }
    if (threads > 1 && !omp_in_parallel())
        cut(m, n, k, threads, &rows, &cols);
    atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team((int)(rows * cols)))
    {
#pragma omp for schedule(static) nowait
        for (int64_t piece = 0; piece < rows * cols; piece++) {
            int64_t i = piece_start(m, rows, piece / cols), j = piece_start(n, cols, piece % cols);
            int64_t i_end = piece_start(m, rows, piece / cols + 1);
            int64_t j_end = piece_start(n, cols, piece % cols + 1);
            lucid__blas_matrix x = a, y = b;
            x.data = offset(dtype, a.data, a.transposed ? i : i * a.ld);
            y.data = offset(dtype, b.data, b.transposed ? j * b.ld : j);
            if (j < whole)
                gemm(dtype, i_end - i, min64(j_end, whole) - j, k, alpha, x, y, beta,
                     (void *)offset(dtype, c, i * c_row + j), c_row);
            if (j_end == n && whole < n) {
                y.data = offset(dtype, b.data, b.transposed ? whole * b.ld : whole);
                gemm(dtype, i_end - i, n - whole, k, alpha, x, y, beta,
                     (void *)offset(dtype, c, i * c_row + whole), c_row);
            }
        }
        lucid__team_finish(&finished);
    }
}

/* ---- triangular systems -------------------------------------------------------------------- */

static void call_trsm(lucid_dtype dtype, lucid__trsm how, int64_t n, int64_t k, const void *a,
                      int64_t a_row, void *b, int64_t b_row)
{
    int side = how.right ? RIGHT : LEFT, uplo = how.upper ? UPPER : LOWER;
    int trans = how.transpose ? TRANS : NO_TRANS, diag = how.unit ? UNIT : NON_UNIT;
    int rows = (int)(how.right ? k : n), cols = (int)(how.right ? n : k);
    if (dtype == LUCID_FLOAT32)
        BLAS(cblas_strsm)
    (ROW_MAJOR, side, uplo, trans, diag, rows, cols, 1, a, (int)a_row, b, (int)b_row);
    else BLAS(cblas_dtrsm)(ROW_MAJOR, side, uplo, trans, diag, rows, cols, 1, a, (int)a_row, b,
                           (int)b_row);
}

/* In calls that end soon, as products are. */
static void trsm(lucid_dtype dtype, lucid__trsm how, int64_t n, int64_t k, const void *a,
                 int64_t a_row, void *b, int64_t b_row)
{
    const double most = (double)atomic_load_explicit(&most_work, memory_order_relaxed);
    const double work = (double)n * (double)n / 2 * (double)k;
    const int64_t pieces = work <= most ? 1 : most_pieces(k, (double)k * most / work);
    for (int64_t p = 0; p < pieces && !lucid__stop_now(); p++) {
        int64_t first = piece_start(k, pieces, p), last = piece_start(k, pieces, p + 1);
        call_trsm(dtype, how, n, last - first, a, a_row,
                  (void *)offset(dtype, b, how.right ? first * b_row : first), b_row);
    }
}

void lucid__trsm_solve(lucid_dtype dtype, lucid__trsm how, int64_t n, int64_t k, const void *a,
                       int64_t a_row, void *b, int64_t b_row, int threads)
{
    double work = (double)n * (double)n / 2 * (double)k / LEAST_WORK;
    int64_t pieces =
        omp_in_parallel() ? 1 : min64(work < threads ? (int64_t)work : threads, tiles(k));
    if (pieces <= 1) {
        trsm(dtype, how, n, k, a, a_row, b, b_row);
        return;
    }
    atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team((int)pieces))
    {
#pragma omp for schedule(static) nowait
        for (int64_t piece = 0; piece < pieces; piece++) {
            int64_t first = piece_start(k, pieces, piece), last = piece_start(k, pieces, piece + 1);
            trsm(dtype, how, n, last - first, a, a_row,
                 (void *)offset(dtype, b, how.right ? first * b_row : first), b_row);
        }
        lucid__team_finish(&finished);
    }
}
