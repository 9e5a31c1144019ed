/* Runs a compiled model from C: prints what it takes and gives, feeds it, prints what comes out.
 *
 *     intaglio compile model.onnx -o model.so
 *     cc run.c ./model.so -o run -lpthread -Wl,-rpath,'$ORIGIN'
 *     ./run [threads]
 *
 * Every open dimension is 2 here, every input element is its index modulo 7. With a number of threads, each of them makes an
 * instance of its own and runs it; that is all there is to do for threads.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum { OPEN_SIZE = 2, MOST_THREADS = 64, SHOWN = 8 };

static int64_t count(const intaglio_tensor *tensor)
{
    int64_t n = 1;
    for (int32_t d = 0; d < tensor->rank; ++d)
        n *= tensor->dims[d];
    return n;
}

static void print_port(const char *kind, const intaglio_port *port)
{
    printf("%s %s: %s[", kind, port->name, port->type_name);
    for (int32_t d = 0; d < port->rank; ++d) {
        const char *gap = d ? ", " : "";
        if (port->dims[d] < 0)
            printf("%s%s", gap, port->dim_names[d] ? port->dim_names[d] : "?");
        else
            printf("%s%lld", gap, (long long)port->dims[d]);
    }
    printf("]\n");
}

/* Sets element i to i modulo 7; types that this program does not know keep their zeros. */
static void fill(const intaglio_tensor *tensor)
{
    for (int64_t i = 0, n = count(tensor); i < n; ++i) {
        switch (tensor->type) {
        case 1: ((float *)tensor->data)[i] = (float)(i % 7); break;
        case 6: ((int32_t *)tensor->data)[i] = (int32_t)(i % 7); break;
        case 7: ((int64_t *)tensor->data)[i] = i % 7; break;
        case 11: ((double *)tensor->data)[i] = (double)(i % 7); break;
        }
    }
}

static int make_input(const intaglio_port *port, intaglio_tensor *tensor)
{
    int64_t *dims = calloc(port->rank ? port->rank : 1, sizeof *dims);
    if (!dims)
        return 0;
    for (int32_t d = 0; d < port->rank; ++d)
        dims[d] = port->dims[d] < 0 ? OPEN_SIZE : port->dims[d];
    tensor->type = port->type;
    tensor->rank = port->rank;
    tensor->dims = dims;
    tensor->data = calloc(count(tensor) ? count(tensor) : 1, port->element_bytes);
    if (!tensor->data)
        return 0;
    fill(tensor);
    return 1;
}

static void print_output(const intaglio_port *port, const intaglio_tensor *tensor)
{
    printf("%s =", port->name);
    int64_t n = count(tensor);
    for (int64_t i = 0; i < n && i < SHOWN && tensor->type == 1; ++i)
        printf(" %g", ((const float *)tensor->data)[i]);
    printf("%s (%lld elements)\n", n > SHOWN ? " .." : "", (long long)n);
}

/* One instance, one run; prints the outputs if `print` is not NULL. Returns NULL if all went well. */
static void *work(void *print)
{
    static const char failure[] = "failed";
    int32_t inputs = model_num_inputs(), outputs = model_num_outputs();
    intaglio_tensor *in = calloc(inputs ? inputs : 1, sizeof *in), *out = calloc(outputs ? outputs : 1, sizeof *out);
    model_instance *instance = NULL;
    int ready = in && out && !model_create(NULL, &instance);
    for (int32_t i = 0; ready && i < inputs; ++i)
        ready = make_input(model_input(i), &in[i]);
    int good = ready && !model_run(instance, in, inputs, out, outputs);
    if (!good)
        fprintf(stderr, "%s\n", model_last_error(instance));
    for (int32_t i = 0; good && print && i < outputs; ++i)
        print_output(model_output(i), &out[i]);
    for (int32_t i = 0; in && i < inputs; ++i) {
        free(in[i].data);
        free((void *)in[i].dims);
    }
    free(in);
    free(out);
    model_destroy(instance);
    return good ? NULL : (void *)failure;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 0;
    for (int32_t i = 0; i < model_num_inputs(); ++i)
        print_port("input", model_input(i));
    for (int32_t i = 0; i < model_num_outputs(); ++i)
        print_port("output", model_output(i));
    if (threads < 1 || threads > MOST_THREADS)
        return work(argv) != NULL;
    pthread_t thread[MOST_THREADS];
    int bad = 0;
    for (int t = 0; t < threads; ++t)
        if (pthread_create(&thread[t], NULL, work, NULL))
            return 1;
    for (int t = 0; t < threads; ++t) {
        void *result;
        pthread_join(thread[t], &result);
        bad += result != NULL;
    }
    printf("%d threads, %d failed\n", threads, bad);
    return bad != 0;
}
