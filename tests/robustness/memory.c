/* Runs a compiled model whose runs partly fail, for a memory checker to watch: every buffer is of just the size that it must be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

static int faults;

static void expect(int held, const char *what, const char *found)
{
    if (!held) {
        ++faults;
        printf("%s: \"%s\"\n", what, found);
    }
}

static intaglio_tensor make(int32_t type, const int64_t *values, int64_t count, int64_t *dims)
{
    intaglio_tensor tensor;
    memset(&tensor, 0, sizeof tensor);
    *dims = count;
    tensor.type = type;
    tensor.rank = 1;
    tensor.dims = dims;
    tensor.data = malloc(count * (type == 1 ? sizeof(float) : sizeof(int64_t)));
    for (int64_t k = 0; k < count; ++k) {
        if (type == 1)
            ((float *)tensor.data)[k] = (float)values[k];
        else
            ((int64_t *)tensor.data)[k] = values[k];
    }
    return tensor;
}

/* One run on x = 0, 1, .. of that length, indices, a shape of two, and a divisor of each index; says: what the error must tell. */
static void run(model_instance *instance, int64_t length, const int64_t *indices, int64_t count, const int64_t *shape,
                const int64_t *divisors, int32_t status, const char *says)
{
    int64_t dims[4], *numbers = malloc(length * sizeof *numbers);
    for (int64_t k = 0; k < length; ++k)
        numbers[k] = k;
    intaglio_tensor inputs[4] = {
        make(1, numbers, length, &dims[0]),
        make(7, indices, count, &dims[1]),
        make(7, shape, 2, &dims[2]),
        make(7, divisors, count, &dims[3]),
    };
    free(numbers);
    intaglio_tensor outputs[4];
    int32_t found = model_run(instance, inputs, 4, outputs, 4);
    const char *error = model_last_error(instance);
    expect(found == status, says, error);
    expect(strstr(error, says) != NULL, says, error);
    if (found == 0) {
        double total = 0;
        for (int64_t k = 0; k < outputs[0].dims[0]; ++k)
            total += ((const float *)outputs[0].data)[k];
        for (int64_t k = 0; k < outputs[1].dims[0] * outputs[1].dims[1]; ++k)
            total += ((const float *)outputs[1].data)[k];
        for (int64_t k = 0; k < count; ++k)
            total += (double)((const int64_t *)outputs[2].data)[k];
        for (int64_t k = 0; k < outputs[3].dims[0] * outputs[3].dims[1]; ++k)
            total += ((const float *)outputs[3].data)[k];
        expect(total > 0, "the sum of the outputs", "is not positive");
    }
    for (int k = 0; k < 4; ++k)
        free(inputs[k].data);
}

int main(void)
{
    const int64_t good[] = {1, -2, 2}, far[] = {1, 7, 2}, low[] = {-9, 1, 2}, ones[] = {1, 1, 1}, zero[] = {1, 0, 1};
    const int64_t view[] = {2, -1}, impossible[] = {4, 2}, huge[] = {INT64_MAX, 4};
    for (int turn = 0; turn < 2; ++turn) {
        model_instance *instance;
        if (model_create(NULL, &instance))
            return 2;
        for (int64_t length = 6; length <= 600; length *= 10) {
            run(instance, length, good, 3, view, ones, 0, "");
            run(instance, 6, far, 3, view, ones, 5001, "\"pick\": index 7 is outside of [-6, 6)");
            run(instance, 6, low, 1, view, ones, 5001, "\"pick\": index -9 is outside of [-6, 6)");
            run(instance, 6, good, 3, impossible, ones, 5005, "\"view\": ");
            run(instance, 6, good, 3, huge, ones, 5005, "\"view\": ");
            run(instance, length, good, 3, view, zero, 5008, "\"share\": -2 is divided by 0");
            run(instance, length, good, 0, view, ones, 0, "");
            run(instance, length, good, 3, view, ones, 0, "");
        }
        model_destroy(instance);
    }
    return faults ? 1 : 0;
}
