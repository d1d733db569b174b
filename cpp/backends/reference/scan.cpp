// Cumulative ops, in the order of docs/bit_contract.md: a function of the logical sequence alone.
#include <algorithm>
#include <limits>

#include "backends/reference/fold.h"
#include "backends/reference/kernel.h"
#include "kernels/scalar_ops.h"

namespace ist::reference {
namespace {

// Blocks of running results, each from its own first element, then joined from left to right.
template <class A, class Combine>
std::vector<A> running(const std::vector<A>& x, Combine combine) {
  std::vector<A> y = x;
  for (size_t j = 0; j < y.size(); ++j) {
    if (j % kBlock != 0) y[j] = combine(y[j - 1], y[j]);
  }
  if (y.size() <= kBlock) return y;
  A offset = y[kBlock - 1];
  for (size_t start = kBlock; start < y.size(); start += kBlock) {
    const size_t end = std::min(start + kBlock, y.size());
    const A total = y[end - 1];
    for (size_t j = start; j < end; ++j) y[j] = combine(offset, y[j]);
    offset = combine(offset, total);
  }
  return y;
}

template <class A>
A from_real(double x) {
  return static_cast<A>(x);
}
template <>
complex64 from_real(double x) {
  return {static_cast<float>(x), 0.0f};
}

// What is above every other value; negative: below.
template <class A>
A extreme(bool negative) {
  using limits = std::numeric_limits<A>;
  if (limits::has_infinity) return negative ? -limits::infinity() : limits::infinity();
  return negative ? limits::lowest() : limits::max();
}
template <>
complex64 extreme(bool negative) {
  return {extreme<float>(negative), extreme<float>(negative)};
}

// bool is a byte, since a vector of bool has no elements that can be pointed at.
template <class Identity, class Combine>
void run(const Call& call, Identity identity, Combine combine) {
  const auto& attrs = attributes<ist_scan_attrs>(call.node);
  const View& in = call.inputs[0];
  const int64_t n = in.shape[attrs.axis];
  const Extents out_strides = row_major(in.rank, in.shape);
  Extents others(in.shape, in.shape + in.rank);
  others[attrs.axis] = std::min<int64_t>(n, 1);
  visit_dtype(in.dtype, [&](auto id) {
    using Compute = typename Storage<decltype(id)::value>::compute;
    using A = std::conditional_t<std::is_same_v<Compute, bool>, uint8_t, Compute>;
    Walk sequences(others);
    sequences.follow(in);
    sequences.follow(out_strides.data(), 0);
    for (; !sequences.done(); sequences.next()) {
      std::vector<A> x(static_cast<size_t>(n));
      Slot slot;
      for (int64_t i = 0; i < n; ++i) {
        loader(in.dtype)(in.at(sequences[0] + i * in.strides[attrs.axis]), slot);
        x[static_cast<size_t>(i)] = get<A>(slot);
      }
      if (attrs.reverse != 0) std::reverse(x.begin(), x.end());
      if (attrs.inclusive == 0) x.pop_back();
      std::vector<A> y = running(x, combine);
      if (attrs.inclusive == 0) y.insert(y.begin(), identity(A(), in.dtype));
      if (attrs.reverse != 0) std::reverse(y.begin(), y.end());
      for (int64_t i = 0; i < n; ++i) {
        put<A>(slot, y[static_cast<size_t>(i)]);
        storer(in.dtype)(slot, call.out.at(sequences[1] + i * out_strides[attrs.axis]));
      }
    }
  });
}

bool supports(const ist_node& node) {
  return node.n_inputs == 1 && node.output.rank >= 1 && all_of_dtype(node, 0, node.output.dtype);
}

}  // namespace

void run_cumsum(const Call& call) {
  run(
      call, [](auto a, uint32_t) { return from_real<decltype(a)>(0); },
      [](auto a, auto b) { return scalar::add(a, b); });
}
bool supports_cumsum(const ist_node& node) { return supports(node) && node.output.dtype != IST_BOOL; }

void run_cumprod(const Call& call) {
  run(
      call, [](auto a, uint32_t) { return from_real<decltype(a)>(1); },
      [](auto a, auto b) { return scalar::multiply(a, b); });
}
bool supports_cumprod(const ist_node& node) { return supports(node); }

void run_cummax(const Call& call) {
  run(
      call, [](auto a, uint32_t) { return extreme<decltype(a)>(true); },
      [](auto a, auto b) { return scalar::maximum(a, b); });
}
bool supports_cummax(const ist_node& node) { return supports(node); }

void run_cummin(const Call& call) {
  run(
      call,
      [](auto a, uint32_t dtype) {
        return dtype == IST_BOOL ? from_real<decltype(a)>(1) : extreme<decltype(a)>(false);
      },
      [](auto a, auto b) { return scalar::minimum(a, b); });
}
bool supports_cummin(const ist_node& node) { return supports(node); }

void run_logcumsumexp(const Call& call) {
  run(
      call, [](auto a, uint32_t) { return from_real<decltype(a)>(-std::numeric_limits<double>::infinity()); },
      [](auto a, auto b) {
        if constexpr (std::is_integral_v<decltype(a)>) {
          return b;  // not reached: supports() refuses integers
        } else {
          return scalar::logaddexp(a, b);
        }
      });
}
bool supports_logcumsumexp(const ist_node& node) { return supports(node) && node.output.dtype >= IST_FLOAT16; }

}  // namespace ist::reference
