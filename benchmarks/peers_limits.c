// What this machine can do at most, measured: c = a + b and reading, in bytes per second; fma, in flops per second.
// Usage: limits THREADS ELEMENTS. Prints JSON.
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { BYTES = 64, CHAINS = 12 };
#elif defined(__AVX__)
enum { BYTES = 32, CHAINS = 12 };
#elif defined(__aarch64__)
enum { BYTES = 16, CHAINS = 24 };
#else
enum { BYTES = 16, CHAINS = 12 };
#endif
enum { LANES = BYTES / 4, ROUNDS = 7, FMA_STEPS = 4000000 };
typedef float Vector __attribute__((vector_size(BYTES)));

typedef enum { ADD, ADD_STREAMED, READ, READ_IN_TURNS, FMA } Kind;

static size_t elements;
static int threads;
static float *a, *b, *c;
static volatile float sink;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void add(size_t begin, size_t end, int streamed) {
  for (size_t i = begin; i < end; i += LANES) {
    Vector sum = *(Vector*)(a + i) + *(Vector*)(b + i);
#if defined(__AVX512F__)
    if (streamed) {
      _mm512_stream_ps(c + i, (__m512)sum);
      continue;
    }
#elif defined(__AVX__)
    if (streamed) {
      _mm256_stream_ps(c + i, (__m256)sum);
      continue;
    }
#endif
    *(Vector*)(c + i) = sum;
  }
}

// In one place, or in several in turns, each of which memory is read ahead in: the limit is what is faster.
static void read_all(size_t begin, size_t end, size_t places) {
  Vector sums[8] = {{0}};
  size_t each = (end - begin) / places / (8 * LANES) * (8 * LANES);
  for (size_t i = 0; i < each; i += 8 * LANES)
    for (size_t place = 0; place < places; ++place)
      for (int k = 0; k < 8; ++k) sums[k] += *(Vector*)(a + begin + place * each + i + k * LANES);
  for (int k = 1; k < 8; ++k) sums[0] += sums[k];
  sink = sums[0][0];
}

// As many independent chains as hide the latency of an fma, in registers.
static void fma_chains(void) {
  Vector x[CHAINS], scale, shift;
  for (int k = 0; k < CHAINS; ++k)
    for (int i = 0; i < LANES; ++i) x[k][i] = (float)(k + i);
  for (int i = 0; i < LANES; ++i) {
    scale[i] = 0.5f + sink * 0;
    shift[i] = 0.25f + sink * 0;
  }
  for (long step = 0; step < FMA_STEPS; ++step)
#pragma GCC unroll 32
    for (int k = 0; k < CHAINS; ++k) x[k] = x[k] * scale + shift;
  for (int k = 1; k < CHAINS; ++k) x[0] += x[k];
  sink = x[0][0];
}

typedef struct {
  Kind kind;
  int part;
} Share;

static void* work(void* argument) {
  const Share* share = argument;
  int part = share->part;
  size_t blocks = elements / (8 * LANES), begin = blocks * part / threads, end = blocks * (part + 1) / threads;
  begin *= 8 * LANES, end *= 8 * LANES;
  switch (share->kind) {
    case ADD:
      add(begin, end, 0);
      break;
    case ADD_STREAMED:
      add(begin, end, 1);
      break;
    case READ:
      read_all(begin, end, 1);
      break;
    case READ_IN_TURNS:
      read_all(begin, end, 4);
      break;
    case FMA:
      fma_chains();
      break;
  }
  return NULL;
}

static double best_seconds(Kind kind) {
  double best = 1e9;
  for (int round = 0; round < ROUNDS; ++round) {
    pthread_t started[256];
    Share shares[256];
    double start = now();
    for (int i = 0; i < threads; ++i) {
      shares[i] = (Share){kind, i};
      if (i > 0 && pthread_create(&started[i], NULL, work, &shares[i]) != 0) exit(1);
    }
    work(&shares[0]);
    for (int i = 1; i < threads; ++i) pthread_join(started[i], NULL);
    double seconds = now() - start;
    if (seconds < best) best = seconds;
  }
  return best;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  threads = atoi(argv[1]);
  elements = (size_t)atoll(argv[2]);
  if (threads < 1 || threads > 256) return 2;
  float** arrays[] = {&a, &b, &c};
  for (int k = 0; k < 3; ++k) {
    *arrays[k] = aligned_alloc(4096, (elements * sizeof(float) + 4095) / 4096 * 4096);
    if (!*arrays[k]) return 1;
    for (size_t i = 0; i < elements; ++i) (*arrays[k])[i] = 1.0f;
  }
  double add_seconds = best_seconds(ADD), streamed = best_seconds(ADD_STREAMED);
  if (streamed < add_seconds) add_seconds = streamed;
  double read_seconds = best_seconds(READ), in_turns = best_seconds(READ_IN_TURNS);
  if (in_turns < read_seconds) read_seconds = in_turns;
  double flops = 2.0 * LANES * CHAINS * FMA_STEPS * threads;
  printf("{\"add_bytes\": %.6g, \"read_bytes\": %.6g, \"fma_flops\": %.6g}\n", 12.0 * elements / add_seconds,
         4.0 * elements / read_seconds, flops / best_seconds(FMA));
  return 0;
}
