// Cumulative ops along one axis: inference and derivatives.
#include <limits>

#include "ops/derivative.h"
#include "ops/ops.h"
#include "runtime/error.h"

namespace ist {
namespace {

Tensor scan(Op op, const Tensor& a, std::optional<int64_t> axis, bool reverse, bool inclusive) {
  const Tensor x = axis ? a : ops::reshape(a, Dims{a.size()});
  const int along = axis ? normalize_axis(*axis, a.rank(), public_name(name(op))) : 0;
  return make_node(op, x.dtype(), x.shape(), std::span<const Tensor>(&x, 1), ScanAttrs{along, reverse, inclusive});
}

// ---- parts of derivatives, which see every scan as an inclusive one from the first element on ----

Tensor flipped(const Tensor& a, int axis) {
  Dims starts(a.rank(), 0), steps(a.rank(), 1);
  starts[axis] = std::max<int64_t>(a.shape(axis) - 1, 0);
  steps[axis] = -1;
  return ops::slice(a, starts, steps, a.shape());
}

// Element i + distance at i, and `fill` at the end; a negative distance fills the start.
Tensor shifted(const Tensor& a, int axis, int64_t distance, double fill) {
  Dims starts(a.rank(), 0), steps(a.rank(), 1), sizes = a.shape(), low(a.rank(), 0), high(a.rank(), 0);
  starts[axis] = std::max<int64_t>(distance, 0);
  sizes[axis] -= std::abs(distance);
  (distance > 0 ? high : low)[axis] = std::abs(distance);
  return ops::pad(ops::slice(a, starts, steps, sizes), low, high, PadMode::constant, ops::scalar_like(fill, a));
}

// s[i] = g[i] + factor[i + 1] * s[i + 1], by doubling: no division, so that zeros are right, also in higher
// derivatives.
Tensor suffix_sums(const Tensor& g, const Tensor& factor, int axis) {
  Tensor sums = g, products = shifted(factor, axis, 1, 1);
  const int64_t n = g.shape(axis);
  for (int64_t reach = 1; reach < n; reach *= 2) {
    sums = ops::add(sums, ops::multiply(products, shifted(sums, axis, reach, 0)));
    if (2 * reach < n) products = ops::multiply(products, shifted(products, axis, reach, 1));
  }
  return sums;
}

// `rule` takes operand, result and cotangent of the scan, and the axis.
template <class Rule>
Tensor vjp_scan(Op op, const RuleArgs& args, const Tensor& cotangent, Rule rule) {
  const ScanAttrs& attrs = args.get<ScanAttrs>();
  if (cotangent.size() == 0) return cotangent;
  const auto turned = [&](const Tensor& t) { return attrs.reverse ? flipped(t, attrs.axis) : t; };
  const Tensor x = turned(args.inputs[0]);
  Tensor y, g = turned(cotangent);
  if (attrs.inclusive) {
    y = turned(args.output);
  } else {
    y = scan(op, x, attrs.axis, false, true);
    g = shifted(g, attrs.axis, 1, 0);
  }
  return turned(rule(x, y, g, attrs.axis));
}

// The cotangents go to where the values came from: of equal ones, to the latest.
Tensor vjp_extreme(Op op, const RuleArgs& args, const Tensor& cotangent) {
  return vjp_scan(op, args, cotangent, [](const Tensor& x, const Tensor& y, const Tensor& g, int axis) {
    Dims along(x.rank(), 1);
    along[axis] = x.shape(axis);
    const Tensor position = ops::reshape(ops::arange(0, static_cast<double>(x.shape(axis)), 1, DType::int64), along);
    const Tensor is_source = ops::logical_or(ops::equal(x, y), ops::isnan(x));
    const Tensor source = ops::cummax(ops::where(is_source, position, ops::scalar_like(0, position)), axis);
    return ops::add_along_axis(ops::zeros_like(g), source, g, axis);
  });
}

DType summed_dtype(DType dtype) { return dtype == DType::bool_ ? DType::int32 : dtype; }

}  // namespace

// ---- derivatives ----

Tensor transpose_cumsum(const RuleArgs& args, int, const Tensor& g) {
  const ScanAttrs& attrs = args.get<ScanAttrs>();
  return ops::cumsum(g, attrs.axis, !attrs.reverse, attrs.inclusive);
}

// The product of what comes before, times the sum of g[i] and the product of what comes between.
Tensor vjp_cumprod(const RuleArgs& args, int, const Tensor& cotangent) {
  const auto rule = [](const Tensor& a, const Tensor& result, const Tensor& g, int axis) {
    const Tensor x = conjugate_if_complex(a), y = conjugate_if_complex(result);
    return ops::multiply(shifted(y, axis, -1, 1), suffix_sums(g, x, axis));
  };
  return vjp_scan(Op::cumprod, args, cotangent, rule);
}

Tensor vjp_cummax(const RuleArgs& args, int, const Tensor& g) { return vjp_extreme(Op::cummax, args, g); }
Tensor vjp_cummin(const RuleArgs& args, int, const Tensor& g) { return vjp_extreme(Op::cummin, args, g); }

// The sum of g[i] exp(x - y[i]) from here on, where y[i] does not fall: no exponential is large. Elements of minus
// infinity weigh nothing, also in sums of nothing else.
Tensor vjp_logcumsumexp(const RuleArgs& args, int, const Tensor& cotangent) {
  const auto rule = [](const Tensor& x, const Tensor& y, const Tensor& g, int axis) {
    const auto ratio = [](const Tensor& part, const Tensor& whole) {
      const Tensor weight = conjugate_if_complex(ops::exp(ops::subtract(part, whole)));
      return ops::where(ops::isneginf(ops::real(part)), ops::scalar_like(0, weight), weight);
    };
    const Tensor before = shifted(y, axis, -1, -std::numeric_limits<double>::infinity());
    return ops::multiply(ratio(x, y), suffix_sums(g, ratio(before, y), axis));
  };
  return vjp_scan(Op::logcumsumexp, args, cotangent, rule);
}

// ---- inference: without an axis, of the flat tensor ----

namespace ops {

Tensor cumsum(const Tensor& a, std::optional<int64_t> axis, bool reverse, bool inclusive) {
  return scan(Op::cumsum, astype(a, summed_dtype(a.dtype())), axis, reverse, inclusive);
}
Tensor cumprod(const Tensor& a, std::optional<int64_t> axis, bool reverse, bool inclusive) {
  return scan(Op::cumprod, a, axis, reverse, inclusive);
}
Tensor cummax(const Tensor& a, std::optional<int64_t> axis, bool reverse, bool inclusive) {
  return scan(Op::cummax, a, axis, reverse, inclusive);
}
Tensor cummin(const Tensor& a, std::optional<int64_t> axis, bool reverse, bool inclusive) {
  return scan(Op::cummin, a, axis, reverse, inclusive);
}
Tensor logcumsumexp(const Tensor& a, std::optional<int64_t> axis, bool reverse, bool inclusive) {
  return scan(Op::logcumsumexp, astype(a, at_least_float(a.dtype())), axis, reverse, inclusive);
}

}  // namespace ops

#define IST_CALL_SCAN(name)                                                  \
  Tensor call_##name(std::span<const Tensor> inputs, const Attrs& attrs) {   \
    const auto& given = std::get<ScanAttrs>(attrs);                          \
    return ops::name(inputs[0], given.axis, given.reverse, given.inclusive); \
  }
IST_CALL_SCAN(cumsum)
IST_CALL_SCAN(cumprod)
IST_CALL_SCAN(cummax)
IST_CALL_SCAN(cummin)
IST_CALL_SCAN(logcumsumexp)
#undef IST_CALL_SCAN

}  // namespace ist
