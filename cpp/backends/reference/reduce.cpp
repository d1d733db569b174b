// Reductions, in the order of docs/bit_contract.md: a function of the logical sequence alone.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/reference/fold.h"
#include "backends/reference/kernel.h"
#include "kernels/scalar_ops.h"

namespace ist::reference {
namespace {

template <class A>
A zero() {
  return static_cast<A>(0);
}
template <>
complex64 zero() {
  return {0.0f, 0.0f};
}

template <class A>
A one() {
  return static_cast<A>(1);
}
template <>
complex64 one() {
  return {1.0f, 0.0f};
}

template <class A>
A lowest() {
  using limits = std::numeric_limits<A>;
  return limits::has_infinity ? -limits::infinity() : limits::lowest();
}
template <>
complex64 lowest() {
  return {lowest<float>(), lowest<float>()};
}

template <class A>
A highest() {
  using limits = std::numeric_limits<A>;
  return limits::has_infinity ? limits::infinity() : limits::max();
}
template <>
complex64 highest() {
  return {highest<float>(), highest<float>()};
}

template <class A>
A fold_sum(const std::vector<A>& x) {
  return fold(x, zero<A>(), [](A a, A b) { return scalar::add(a, b); });
}

template <class A>
A fold_max(const std::vector<A>& x) {
  return fold(x, lowest<A>(), [](A a, A b) { return scalar::maximum(a, b); });
}

// Calls f(std::type_identity<A>()) with the compute type of a dtype; bool is a byte, since a vector of bool has no
// elements that can be pointed at.
template <class F>
void visit_accumulator(uint32_t dtype, F f) {
  visit_dtype(dtype, [&](auto id) {
    using A = typename Storage<decltype(id)::value>::compute;
    f(std::type_identity<std::conditional_t<std::is_same_v<A, bool>, uint8_t, A>>());
  });
}

// Calls `each(sequence, position)` for every output element, where the sequence holds what it is reduced from as the
// compute type A of `dtype`.
template <class A, class Each>
void for_each_sequence(const View& in, const Extents& axes, uint32_t dtype, Each each) {
  Extents kept_shape, kept_strides, shape, strides;
  for (int axis = 0; axis < in.rank; ++axis) {
    const bool reduced = std::find(axes.begin(), axes.end(), axis) != axes.end();
    (reduced ? shape : kept_shape).push_back(in.shape[axis]);
    (reduced ? strides : kept_strides).push_back(in.strides[axis]);
  }
  const LoadFn load = loader(in.dtype);
  const ConvertFn convert = converter(in.dtype, dtype);
  std::vector<A> x;
  Slot loaded, converted;
  Walk kept(kept_shape);
  kept.follow(kept_strides.data(), in.offset);
  for (int64_t position = 0; !kept.done(); kept.next(), ++position) {
    x.clear();
    Walk inner(shape);
    inner.follow(strides.data(), kept[0]);
    for (; !inner.done(); inner.next()) {
      load(in.at(inner[0]), loaded);
      convert(loaded, converted);
      x.push_back(get<A>(converted));
    }
    each(x, position);
  }
}

Extents axes_of(const Call& call) {
  const auto& attrs = attributes<ist_axes_attrs>(call.node);
  return Extents(attrs.axes, attrs.axes + attrs.n_axes);
}

// One result for each sequence of elements converted to `dtype`; `reduce` takes a std::vector of its compute type.
template <class Reduce>
void reduce_as(const Call& call, uint32_t dtype, Reduce reduce) {
  const Extents axes = axes_of(call);
  const StoreFn store = storer(call.out.dtype);
  visit_accumulator(dtype, [&](auto type) {
    using A = typename decltype(type)::type;
    for_each_sequence<A>(call.inputs[0], axes, dtype, [&](const std::vector<A>& x, int64_t position) {
      Slot result;
      put<A>(result, reduce(x));
      store(result, call.out.at(position));
    });
  });
}

template <class A>
void require_elements(const std::vector<A>& x) {
  if (x.empty()) fail(Code::value, "", "an empty sequence has no largest or smallest element");
}

template <class A>
bool is_nan(A x) {
  return x != x;
}
bool is_nan(complex64 x) { return is_nan(x.re) || is_nan(x.im); }

template <class A>
bool is_less(A a, A b) {
  return a < b;
}
bool is_less(complex64 a, complex64 b) { return a.re < b.re || (a.re == b.re && a.im < b.im); }

template <class MoreExtreme>
void run_arg(const Call& call, MoreExtreme more_extreme) {
  const auto& attrs = attributes<ist_axis_attrs>(call.node);
  const View& in = call.inputs[0];
  Extents axes;
  for (int axis = 0; axis < in.rank; ++axis) {
    if (!attrs.has_axis || axis == attrs.axis) axes.push_back(axis);
  }
  visit_accumulator(in.dtype, [&](auto type) {
    using A = typename decltype(type)::type;
    for_each_sequence<A>(in, axes, in.dtype, [&](const std::vector<A>& x, int64_t position) {
      require_elements(x);
      size_t best = 0;
      for (size_t i = 1; i < x.size() && !is_nan(x[best]); ++i) {
        if (is_nan(x[i]) || more_extreme(x[i], x[best])) best = i;
      }
      const uint32_t index = static_cast<uint32_t>(best);
      std::memcpy(call.out.at(position), &index, sizeof(index));
    });
  });
}

// Accumulating reductions keep the dtype of floating and complex inputs; integers and bool may widen.
bool supports_accumulation(const ist_node& node) {
  if (node.n_inputs != 1) return false;
  const uint32_t in = node.inputs[0].dtype, out = node.output.dtype;
  return is_inexact(in) ? out == in : is_known(in) && is_integer(out);
}

bool supports_same(const ist_node& node) {
  return node.n_inputs == 1 && is_known(node.output.dtype) && node.inputs[0].dtype == node.output.dtype;
}

bool supports_output(const ist_node& node, uint32_t dtype) {
  return node.n_inputs == 1 && is_known(node.inputs[0].dtype) && node.output.dtype == dtype;
}

bool supports_float(const ist_node& node) { return supports_same(node) && is_float(node.output.dtype); }

// exp and log of the compute type, for the two types that floats are computed in.
template <class A>
constexpr bool is_float_compute = std::is_same_v<A, float> || std::is_same_v<A, double>;

}  // namespace

void run_sum(const Call& call) {
  reduce_as(call, call.out.dtype, [](const auto& x) { return fold_sum(x); });
}
bool supports_sum(const ist_node& node) { return supports_accumulation(node); }

void run_prod(const Call& call) {
  reduce_as(call, call.out.dtype, [](const auto& x) {
    using A = typename std::remove_cvref_t<decltype(x)>::value_type;
    return fold(x, one<A>(), [](A a, A b) { return scalar::multiply(a, b); });
  });
}
bool supports_prod(const ist_node& node) { return supports_accumulation(node); }

void run_max(const Call& call) {
  reduce_as(call, call.out.dtype, [](const auto& x) {
    require_elements(x);
    return fold_max(x);
  });
}
bool supports_max(const ist_node& node) { return supports_same(node); }

void run_min(const Call& call) {
  reduce_as(call, call.out.dtype, [](const auto& x) {
    using A = typename std::remove_cvref_t<decltype(x)>::value_type;
    require_elements(x);
    return fold(x, highest<A>(), [](A a, A b) { return scalar::minimum(a, b); });
  });
}
bool supports_min(const ist_node& node) { return supports_same(node); }

void run_all(const Call& call) {
  for_each_sequence<bool>(call.inputs[0], axes_of(call), IST_BOOL, [&](const std::vector<bool>& x, int64_t position) {
    bool result = true;
    for (bool element : x) result = result && element;
    std::memcpy(call.out.at(position), &result, 1);
  });
}
bool supports_all(const ist_node& node) { return supports_output(node, IST_BOOL); }

void run_any(const Call& call) {
  for_each_sequence<bool>(call.inputs[0], axes_of(call), IST_BOOL, [&](const std::vector<bool>& x, int64_t position) {
    bool result = false;
    for (bool element : x) result = result || element;
    std::memcpy(call.out.at(position), &result, 1);
  });
}
bool supports_any(const ist_node& node) { return supports_output(node, IST_BOOL); }

void run_argmax(const Call& call) {
  run_arg(call, [](auto a, auto b) { return is_less(b, a); });
}
bool supports_argmax(const ist_node& node) { return supports_output(node, IST_UINT32); }

void run_argmin(const Call& call) {
  run_arg(call, [](auto a, auto b) { return is_less(a, b); });
}
bool supports_argmin(const ist_node& node) { return supports_output(node, IST_UINT32); }

void run_logsumexp(const Call& call) {
  reduce_as(call, call.out.dtype, [](const auto& x) {
    using A = typename std::remove_cvref_t<decltype(x)>::value_type;
    if constexpr (is_float_compute<A>) {
      require_elements(x);
      const A m = fold_max(x);
      if (std::isinf(m) || std::isnan(m)) return m;
      std::vector<A> e;
      for (A element : x) e.push_back(scalar::exp(element - m));
      return scalar::log(fold_sum(e)) + m;
    } else {
      return A();
    }
  });
}
bool supports_logsumexp(const ist_node& node) { return supports_float(node); }

void run_softmax(const Call& call) {
  const View& in = call.inputs[0];
  const Extents axes = axes_of(call);
  const StoreFn store = storer(call.out.dtype);
  visit_accumulator(in.dtype, [&](auto type) {
    using A = typename decltype(type)::type;
    if constexpr (is_float_compute<A>) {
      for_each_sequence<A>(in, axes, in.dtype, [&](const std::vector<A>& x, int64_t row) {
        if (x.empty()) return;
        const A m = fold_max(x);
        std::vector<A> e;
        for (A element : x) e.push_back(scalar::exp(element - m));
        const A inverse = A(1) / fold_sum(e);
        for (size_t i = 0; i < e.size(); ++i) {
          Slot result;
          put<A>(result, e[i] * inverse);
          store(result, call.out.at(row * static_cast<int64_t>(x.size()) + static_cast<int64_t>(i)));
        }
      });
    }
  });
}
bool supports_softmax(const ist_node& node) { return supports_float(node); }

}  // namespace ist::reference
