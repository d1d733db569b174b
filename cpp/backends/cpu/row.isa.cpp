// Pieces of softmax and logsumexp, over rows in the accumulator type.
#include "backends/cpu/isa_common.h"
#include "backends/cpu/reduce_kernels.h"
#include "kernels/scalar_ops.h"

namespace ist::cpu {
namespace {

template <class T>
void exp_sub(int64_t n, const void* x, const void* m, void* out) {
  const T* a = static_cast<const T*>(x);  // may be `out` itself
  const T top = *static_cast<const T*>(m);
  T* r = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) r[i] = scalar::exp(a[i] - top);
}

template <class T>
void divide(int64_t n, void* x, const void* s) {
  T* r = static_cast<T*>(x);
  const T total = *static_cast<const T*>(s);
  for (int64_t i = 0; i < n; ++i) r[i] = r[i] / total;
}

template <class T>
void log_add(const void* s, const void* m, void* out) {
  *static_cast<T*>(out) = scalar::log(*static_cast<const T*>(s)) + *static_cast<const T*>(m);
}

constexpr RowTable table = {{
    {&exp_sub<float>, &divide<float>, &log_add<float>},
    {&exp_sub<double>, &divide<double>, &log_add<double>},
}};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::RowTable* IST_ISA_NAME(row)() { return &ist::cpu::table; }
