/* The training that lossbench compiles, written by hand: one hidden layer (ReLU), SGD with momentum, and after every
 * epoch the mean loss and the main metric of whole splits. Shapes and loss are constants of the compilation, as they
 * are for XLA: N_FEATURES, N_HIDDEN, N_OUTPUTS, and LOSS, one of the names below.
 *
 * Rows of hidden units are padded with zeros to whole vectors; the padding stays zero and changes nothing.
 * Everything is float32. Plain loops, with the hidden units innermost, for the compiler to vectorise.
 */
#include <math.h>
#include <string.h>

#define MEAN_SQUARED_ERROR 0
#define MEAN_SQUARED_LOGARITHMIC_ERROR 1
#define MEAN_ABSOLUTE_ERROR 2
#define SIGMOID_CROSSENTROPY 3
#define TANH_HINGE 4
#define TANH_SQUARED_HINGE 5
#define SOFTMAX_CROSSENTROPY 6

#define LANES 16
#define WIDTH ((N_HIDDEN + LANES - 1) / LANES * LANES)
#define IS_REGRESSION (LOSS <= MEAN_ABSOLUTE_ERROR)

typedef struct {
    float w1[N_FEATURES][WIDTH], b1[WIDTH];
    float w2[N_OUTPUTS][WIDTH], b2[N_OUTPUTS]; /* w2 lies transposed: a row for each output */
} Network;

#define N_FLOATS (sizeof(Network) / sizeof(float))

/* Partial sums, one a lane: without them the order of additions would forbid vectors. */
static inline float dot(const float *a, const float *b)
{
    float part[LANES] = {0}, sum = 0;
    for (int i = 0; i < WIDTH; i += LANES)
        for (int j = 0; j < LANES; j++)
            part[j] += a[i + j] * b[i + j];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++)
            part[j] += part[j + width];
    sum = part[0];
    return sum;
}

static inline void forward(const Network *net, const float *x, float *hidden, float *raw)
{
    for (int j = 0; j < WIDTH; j++)
        hidden[j] = net->b1[j];
    for (int f = 0; f < N_FEATURES; f++)
        for (int j = 0; j < WIDTH; j++)
            hidden[j] += x[f] * net->w1[f][j];
    for (int j = 0; j < WIDTH; j++)
        hidden[j] = hidden[j] > 0 ? hidden[j] : 0;
    for (int o = 0; o < N_OUTPUTS; o++)
        raw[o] = net->b2[o] + dot(hidden, net->w2[o]);
}

/* Add a sample's gradients, given the loss's gradient by the raw prediction. */
static inline void backward(const Network *net, Network *grad, const float *x, const float *hidden, const float *delta)
{
    float back[WIDTH];
    for (int j = 0; j < WIDTH; j++) {
        float sum = 0;
        for (int o = 0; o < N_OUTPUTS; o++)
            sum += delta[o] * net->w2[o][j];
        back[j] = hidden[j] > 0 ? sum : 0;
    }
    for (int o = 0; o < N_OUTPUTS; o++) {
        grad->b2[o] += delta[o];
        for (int j = 0; j < WIDTH; j++)
            grad->w2[o][j] += delta[o] * hidden[j];
    }
    for (int j = 0; j < WIDTH; j++)
        grad->b1[j] += back[j];
    for (int f = 0; f < N_FEATURES; f++)
        for (int j = 0; j < WIDTH; j++)
            grad->w1[f][j] += x[f] * back[j];
}

static inline float log_one_plus(float value)
{
    return logf((value > 1e-7f ? value : 1e-7f) + 1.0f);
}

/* The gradient of a sample's loss by its raw prediction, without the division by the batch's size. */
static inline void loss_gradient(const float *raw, const float *y, float *delta)
{
#if LOSS == MEAN_SQUARED_ERROR
    for (int o = 0; o < N_OUTPUTS; o++)
        delta[o] = 2.0f * (raw[o] - y[o]) / N_OUTPUTS;
#elif LOSS == MEAN_ABSOLUTE_ERROR
    for (int o = 0; o < N_OUTPUTS; o++)
        delta[o] = (float)((raw[o] > y[o]) - (raw[o] < y[o])) / N_OUTPUTS;
#elif LOSS == MEAN_SQUARED_LOGARITHMIC_ERROR
    for (int o = 0; o < N_OUTPUTS; o++)
        delta[o] = raw[o] < 1e-7f ? 0 : 2.0f * (log_one_plus(raw[o]) - log_one_plus(y[o])) / (raw[o] + 1.0f) / N_OUTPUTS;
#elif LOSS == SIGMOID_CROSSENTROPY
    float e = expf(-fabsf(raw[0]));
    delta[0] = (raw[0] >= 0 ? 1.0f : e) / (1.0f + e) - y[0];
#elif LOSS == TANH_HINGE
    float p = tanhf(raw[0]);
    delta[0] = 1.0f - y[0] * p > 0 ? -y[0] * (1.0f - p * p) : 0;
#elif LOSS == TANH_SQUARED_HINGE
    float p = tanhf(raw[0]), margin = 1.0f - y[0] * p;
    delta[0] = margin > 0 ? -2.0f * margin * y[0] * (1.0f - p * p) : 0;
#else
    float top = raw[0], sum = 0;
    for (int o = 1; o < N_OUTPUTS; o++)
        top = raw[o] > top ? raw[o] : top;
    for (int o = 0; o < N_OUTPUTS; o++)
        sum += delta[o] = expf(raw[o] - top);
    for (int o = 0; o < N_OUTPUTS; o++)
        delta[o] = delta[o] / sum - y[o];
#endif
}

static inline float loss_value(const float *raw, const float *y)
{
#if LOSS == MEAN_SQUARED_ERROR || LOSS == MEAN_ABSOLUTE_ERROR || LOSS == MEAN_SQUARED_LOGARITHMIC_ERROR
    float sum = 0;
    for (int o = 0; o < N_OUTPUTS; o++) {
#if LOSS == MEAN_SQUARED_LOGARITHMIC_ERROR
        float error = log_one_plus(raw[o]) - log_one_plus(y[o]);
#else
        float error = raw[o] - y[o];
#endif
        sum += LOSS == MEAN_ABSOLUTE_ERROR ? fabsf(error) : error * error;
    }
    return sum / N_OUTPUTS;
#elif LOSS == SIGMOID_CROSSENTROPY
    return (raw[0] > 0 ? raw[0] : 0) - raw[0] * y[0] + log1pf(expf(-fabsf(raw[0])));
#elif LOSS == TANH_HINGE || LOSS == TANH_SQUARED_HINGE
    float margin = 1.0f - y[0] * tanhf(raw[0]);
    margin = margin > 0 ? margin : 0;
    return LOSS == TANH_HINGE ? margin : margin * margin;
#else
    float top = raw[0], sum = 0, loss = 0;
    for (int o = 1; o < N_OUTPUTS; o++)
        top = raw[o] > top ? raw[o] : top;
    for (int o = 0; o < N_OUTPUTS; o++)
        sum += expf(raw[o] - top);
    float log_sum = logf(sum) + top;
    for (int o = 0; o < N_OUTPUTS; o++)
        loss += y[o] * (log_sum - raw[o]);
    return loss;
#endif
}

/* Regression: the squared error. Classification: whether the class is right, by the sign or the largest output. */
static inline float metric_value(const float *raw, const float *y)
{
#if IS_REGRESSION
    float sum = 0;
    for (int o = 0; o < N_OUTPUTS; o++)
        sum += (raw[o] - y[o]) * (raw[o] - y[o]);
    return sum / N_OUTPUTS;
#elif LOSS == SOFTMAX_CROSSENTROPY
    int chosen = 0;
    for (int o = 1; o < N_OUTPUTS; o++)
        chosen = raw[o] > raw[chosen] ? o : chosen;
    return y[chosen];
#else
    return (raw[0] > 0) == (y[0] > 0);
#endif
}

static void evaluate(const Network *net, const float *x, const float *y, int n, float *loss, float *metric)
{
    float hidden[WIDTH], raw[N_OUTPUTS], loss_sum = 0, metric_sum = 0;
    for (int i = 0; i < n; i++) {
        forward(net, x + i * N_FEATURES, hidden, raw);
        loss_sum += loss_value(raw, y + i * N_OUTPUTS);
        metric_sum += metric_value(raw, y + i * N_OUTPUTS);
    }
    *loss = loss_sum / n;
    *metric = IS_REGRESSION ? sqrtf(metric_sum / n) : metric_sum / n;
}

static void step(Network *net, Network *speed, const float *x, const float *y, const int *rows, int n, float rate,
                 float momentum)
{
    Network grad;
    float hidden[WIDTH], raw[N_OUTPUTS], delta[N_OUTPUTS];
    memset(&grad, 0, sizeof grad);
    for (int i = 0; i < n; i++) {
        const float *sample = x + rows[i] * N_FEATURES;
        forward(net, sample, hidden, raw);
        loss_gradient(raw, y + rows[i] * N_OUTPUTS, delta);
        for (int o = 0; o < N_OUTPUTS; o++)
            delta[o] /= n;
        backward(net, &grad, sample, hidden, delta);
    }
    float *w = (float *)net, *v = (float *)speed, *g = (float *)&grad;
    for (size_t i = 0; i < N_FLOATS; i++) {
        v[i] = momentum * v[i] - rate * g[i];
        w[i] += v[i];
    }
}

/* Copy the weights (Keras's order and layout) in, or out. */
static void copy_weights(Network *net, float *weights, int out)
{
    float *flat = weights;
    for (int f = 0; f < N_FEATURES; f++, flat += N_HIDDEN)
        out ? memcpy(flat, net->w1[f], N_HIDDEN * sizeof(float)) : memcpy(net->w1[f], flat, N_HIDDEN * sizeof(float));
    for (int j = 0; j < N_HIDDEN; j++, flat++)
        *(out ? flat : &net->b1[j]) = *(out ? &net->b1[j] : flat);
    for (int j = 0; j < N_HIDDEN; j++)
        for (int o = 0; o < N_OUTPUTS; o++, flat++)
            *(out ? flat : &net->w2[o][j]) = *(out ? &net->w2[o][j] : flat);
    for (int o = 0; o < N_OUTPUTS; o++, flat++)
        *(out ? flat : &net->b2[o]) = *(out ? &net->b2[o] : flat);
}

/* Train from `weights`, which becomes the trained ones; `orders` has a row of n_train indices for each epoch, `history`
 * a row for each epoch: train loss, train metric, test loss, test metric. */
void train(const float *x_train, const float *y_train, int n_train, const float *x_test, const float *y_test,
           int n_test, const int *orders, int epochs, int batch_size, float rate, float momentum, float *weights,
           float *history)
{
    Network net, speed;
    memset(&net, 0, sizeof net);
    memset(&speed, 0, sizeof speed);
    copy_weights(&net, weights, 0);
    for (int e = 0; e < epochs; e++, orders += n_train, history += 4) {
        for (int start = 0; start < n_train; start += batch_size) {
            int n = n_train - start < batch_size ? n_train - start : batch_size;
            step(&net, &speed, x_train, y_train, orders + start, n, rate, momentum);
        }
        evaluate(&net, x_train, y_train, n_train, &history[0], &history[1]);
        evaluate(&net, x_test, y_test, n_test, &history[2], &history[3]);
    }
    copy_weights(&net, weights, 1);
}
