// Stores past the caches, which end_stream() orders with those that follow.
#pragma once

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace ist::cpu {
namespace {

// A cache line, to where vectors are aligned.
#if defined(__AVX512F__)
inline void stream_line(void* to, const void* from) {
  _mm512_stream_si512(static_cast<__m512i*>(to), _mm512_loadu_si512(from));
}
#elif defined(__AVX__)
inline void stream_line(void* to, const void* from) {
  for (int i = 0; i < 2; ++i) {
    _mm256_stream_si256(static_cast<__m256i*>(to) + i, _mm256_loadu_si256(static_cast<const __m256i*>(from) + i));
  }
}
#elif defined(__SSE2__)
inline void stream_line(void* to, const void* from) {
  for (int i = 0; i < 4; ++i) {
    _mm_stream_si128(static_cast<__m128i*>(to) + i, _mm_loadu_si128(static_cast<const __m128i*>(from) + i));
  }
}
#endif

}  // namespace
}  // namespace ist::cpu
