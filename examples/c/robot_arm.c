/* The Jacobian of a robot arm's forward kinematics for a batch of joint angles, checked against
 * finite differences, and inverse kinematics for a batch of targets with it.
 *
 *     cc robot_arm.c $(pkg-config --cflags --libs lucid) -lm -o robot_arm
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include <lucid.h>

#define PI 3.14159265358979323846

enum { JOINTS = 6, ARMS = 1000, IK_STEPS = 60 };

/* Denavit-Hartenberg parameters of a UR5, metres and radians, as its maker publishes them. Joint i
 * turns by q_i about z, moves by d along z and by a along the new x, then turns by alpha about it. */
static const struct link {
    double a, d, alpha;
} arm[JOINTS] = {
    {0, 0.089159, PI / 2}, {-0.425, 0, 0},        {-0.39225, 0, 0},
    {0, 0.10915, PI / 2},  {0, 0.09465, -PI / 2}, {0, 0.0823, 0},
};

/* a x + b y */
static lucid_tensor combine(lucid_scope *s, lucid_tensor a, lucid_tensor x, lucid_tensor b,
                            lucid_tensor y)
{
    return lucid_add(s, lucid_mul(s, a, x), lucid_mul(s, b, y));
}

static lucid_tensor axis(lucid_scope *s, int i)
{
    double e[3] = {i == 0, i == 1, i == 2};
    return lucid_from_data(s, e, LUCID_FLOAT64, LUCID_SHAPE(3));
}

/* The position (3) of the hand for ONE vector q of joint angles (6): carries the axes of the frame
 * (x, y, z) and its origin from joint to joint. */
static lucid_status hand(lucid_scope *s, const lucid_tensor *in, size_t nin, lucid_tensor *out,
                         size_t nout, void *user)
{
    (void)nin, (void)nout, (void)user;
    lucid_tensor x = axis(s, 0), y = axis(s, 1), z = axis(s, 2);
    lucid_tensor origin = lucid_mul(s, x, lucid_scalar(s, 0));
    for (int i = 0; i < JOINTS; i++) {
        lucid_tensor q = lucid_select(s, in[0], 0, i);
        lucid_tensor cos_q = lucid_cos(s, q), sin_q = lucid_sin(s, q);
        lucid_tensor ca = lucid_scalar(s, cos(arm[i].alpha)),
                     sa = lucid_scalar(s, sin(arm[i].alpha));
        lucid_tensor turned_x = combine(s, cos_q, x, sin_q, y);
        lucid_tensor turned_y = combine(s, cos_q, y, lucid_neg(s, sin_q), x);
        lucid_tensor move =
            combine(s, lucid_scalar(s, arm[i].d), z, lucid_scalar(s, arm[i].a), turned_x);
        origin = lucid_add(s, origin, move);
        x = turned_x;
        y = combine(s, ca, turned_y, sa, z);
        z = combine(s, ca, z, lucid_neg(s, sa), turned_y);
    }
    out[0] = origin;
    return LUCID_OK;
}

/* One step of inverse kinematics by damped least squares (Wampler 1986; Buss 2004), for ONE arm:
 * q + J^T (J J^T + damping^2 I)^-1 e, where e is the way from the hand to the target, cut to `reach`
 * because J tells about small steps only. */
static lucid_status ik_step(lucid_scope *s, const lucid_tensor *in, size_t nin, lucid_tensor *out,
                            size_t nout, void *user)
{
    (void)nin, (void)nout, (void)user;
    const double damping = 0.05, reach = 0.2;
    lucid_tensor q = in[0], target = in[1];
    lucid_fn f = lucid_fn_new(s, hand, 1, NULL);
    lucid_tensor J = lucid_call1(s, lucid_jacrev(s, f, NULL), q); /* (3, 6) */
    lucid_tensor e = lucid_sub(s, target, lucid_call1(s, f, q));
    lucid_tensor length = lucid_norm(s, e, 2, LUCID_ALL);
    lucid_tensor cut =
        lucid_div(s, lucid_scalar(s, reach), lucid_maximum(s, length, lucid_scalar(s, reach)));
    lucid_tensor Jt = lucid_transpose(s, J, 0, 1);
    lucid_tensor damped = lucid_mul(s, lucid_eye(s, 3, 3), lucid_scalar(s, damping * damping));
    lucid_tensor A = lucid_add(s, lucid_matmul(s, J, Jt), damped);
    lucid_tensor step = lucid_matmul(s, Jt, lucid_solve(s, A, lucid_mul(s, e, cut)));
    out[0] = lucid_add(s, q, step);
    return LUCID_OK;
}

/* The largest |J - central difference| over the batch; J (ARMS, 3, 6) at Q (ARMS, 6). */
static double check_jacobian(lucid_scope *s, lucid_fn hands, lucid_tensor Q, lucid_tensor J)
{
    const double h = 1e-5;
    double worst = 0;
    for (int j = 0; j < JOINTS; j++) {
        double shift[JOINTS] = {0};
        shift[j] = h;
        lucid_tensor dq = lucid_from_data(s, shift, LUCID_FLOAT64, LUCID_SHAPE(JOINTS));
        lucid_tensor ahead = lucid_call1(s, hands, lucid_add(s, Q, dq));
        lucid_tensor behind = lucid_call1(s, hands, lucid_sub(s, Q, dq));
        lucid_tensor slope = lucid_div(s, lucid_sub(s, ahead, behind), lucid_scalar(s, 2 * h));
        lucid_tensor error = lucid_sub(s, slope, lucid_select(s, J, 2, j));
        worst = fmax(worst, lucid_item(s, lucid_norm(s, error, INFINITY, LUCID_ALL)));
    }
    return worst;
}

/* Uniform joint angles in (-limit, limit): (ARMS, 6). */
static lucid_tensor random_angles(lucid_scope *s, double limit)
{
    lucid_tensor u = lucid_rand_of(s, LUCID_SHAPE(ARMS, JOINTS), LUCID_FLOAT64);
    return lucid_mul(s, lucid_sub(s, u, lucid_scalar(s, 0.5)), lucid_scalar(s, 2 * limit));
}

/* Distances of the hands from their targets (ARMS). */
static lucid_tensor distances(lucid_scope *s, lucid_fn hands, lucid_tensor Q, lucid_tensor targets)
{
    lucid_tensor e = lucid_sub(s, lucid_call1(s, hands, Q), targets);
    return lucid_norm(s, e, 2, LUCID_DIMS(1));
}

static double fraction_below(lucid_scope *s, lucid_tensor x, double bound)
{
    lucid_tensor below = lucid_cast(s, lucid_lt(s, x, lucid_scalar(s, bound)), LUCID_FLOAT64);
    return lucid_item(s, lucid_mean(s, below, LUCID_ALL));
}

static double seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void)
{
    lucid_scope *s = lucid_open(&(lucid_open_options){.seed = 1});
    if (!s)
        return 1;
    lucid_fn f = lucid_fn_new(s, hand, 1, NULL);
    lucid_fn hands = lucid_vmap(s, f, NULL);
    lucid_tensor Q = random_angles(s, PI);

    lucid_fn forward = lucid_vmap(s, lucid_jacfwd(s, f, NULL), NULL);
    lucid_fn reverse = lucid_vmap(s, lucid_jacrev(s, f, NULL), NULL);
    lucid_tensor J = lucid_call1(s, forward, Q);
    lucid_tensor between = lucid_sub(s, J, lucid_call1(s, reverse, Q));
    double modes = lucid_item(s, lucid_norm(s, between, INFINITY, LUCID_ALL));
    double error = check_jacobian(s, hands, Q, J);
    printf("Jacobians of %d arms: (%lld, %lld, %lld)\n", ARMS, (long long)lucid_size(J, 0),
           (long long)lucid_size(J, 1), (long long)lucid_size(J, 2));
    printf("  largest difference, jacfwd and jacrev:             %.1e m/rad\n", modes);
    printf("  largest difference, jacfwd and finite differences: %.1e m/rad\n", error);

    /* Targets that some angles reach, and other angles to start from. Only the angles go on from step
     * to step: each step has its own scope, which takes its intermediate values along. */
    lucid_tensor targets = lucid_call1(s, hands, random_angles(s, PI));
    lucid_fn ik = lucid_vmap(s, lucid_fn_new(s, ik_step, 1, NULL), NULL);
    double start = seconds();
    lucid_tensor angles = lucid_retain(Q);
    for (int i = 0; i <= IK_STEPS; i++) {
        lucid_scope *t = lucid_scope_new(s);
        if (i % 10 == 0) {
            lucid_tensor d = distances(t, hands, angles, targets);
            printf("inverse kinematics, step %2d: mean distance %.6f m, %5.1f %% within 1 mm\n", i,
                   lucid_item(t, lucid_mean(t, d, LUCID_ALL)), 100 * fraction_below(t, d, 1e-3));
        }
        lucid_tensor next;
        (void)lucid_call(t, ik, LUCID_ARGS(angles, targets), &next, 1);
        (void)lucid_eval(t, &next, 1);
        lucid_release(angles);
        angles = lucid_retain(next);
        (void)lucid_close(t);
    }
    double reached = fraction_below(s, distances(s, hands, angles, targets), 1e-3);
    printf("  %.1f ms a step for %d arms\n", 1e3 * (seconds() - start) / (IK_STEPS + 1), ARMS);
    lucid_release(angles);

    bool right = modes < 1e-12 && error < 1e-8 && reached > 0.99;
    if (lucid_error(s))
        fprintf(stderr, "lucid: %s\n", lucid_error_message(s));
    else if (!right)
        fprintf(stderr, "robot_arm: the results are wrong\n");
    return lucid_close(s) != LUCID_OK || !right;
}
