/* CUDA's words on the CPU: the threads of a block are those of the system that call a
kernel, each after `become`. */

#define _POSIX_C_SOURCE 200112L
#include <math.h>
#include <pthread.h>

typedef struct {
    int x;
} Index;

static __thread Index threadIdx, blockIdx;
static Index blockDim;
static pthread_barrier_t barrier;

#define __CUDACC__
#define __global__
#define __device__
#define __syncthreads() pthread_barrier_wait(&barrier)

#include "loop.c"

void begin_block(int n_threads)
{
    blockDim.x = n_threads;
    pthread_barrier_init(&barrier, 0, n_threads);
}

void become(int thread, int block)
{
    threadIdx.x = thread;
    blockIdx.x = block;
}
