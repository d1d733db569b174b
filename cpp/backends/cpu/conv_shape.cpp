#include "backends/cpu/conv_shape.h"

#include <numeric>
#include <utility>

namespace ist::cpu {
namespace {

std::vector<ConvAxis> phases_of(const ConvAxis& axis) {
  if (axis.spread == 1) return {axis};
  std::vector<ConvAxis> phases;
  const int64_t period = axis.spread / std::gcd(axis.spread, axis.stride);
  const int64_t tap_step = axis.spread / std::gcd(axis.spread, axis.dilation);
  std::vector<std::pair<int64_t, int64_t>> firsts;  // of the taps that meet elements together: remainder and tap
  for (int64_t tap = 0; tap < std::min(tap_step, axis.taps); ++tap) {
    firsts.emplace_back(tap * axis.dilation % axis.spread, tap);
  }
  std::sort(firsts.begin(), firsts.end());
  for (int64_t o = 0; o < std::min(period, axis.out); ++o) {
    const int64_t past = axis.position(o) % axis.spread, wanted = past > 0 ? axis.spread - past : -past;
    const auto first = std::lower_bound(firsts.begin(), firsts.end(), std::pair<int64_t, int64_t>(wanted, 0));
    const bool none = first == firsts.end() || first->first != wanted;
    const int64_t tap = none ? 0 : first->second;
    ConvAxis phase;
    phase.in = axis.in;
    phase.out = divide_up(axis.out - o, period);
    phase.taps = none ? 0 : divide_up(axis.taps - tap, tap_step);
    phase.stride = period * axis.stride / axis.spread;
    phase.low = none ? 0 : -(axis.position(o) + tap * axis.dilation) / axis.spread;
    phase.dilation = tap_step * axis.dilation / axis.spread;
    phase.first_out = o;
    phase.out_step = period;
    phase.first_tap = tap;
    phase.tap_step = tap_step;
    phases.push_back(phase);
  }
  return phases;
}

}  // namespace

ConvShape::ConvShape(const Call& call) {
  const auto& attrs = call.attrs<ist_conv_attrs>();
  const View input = call.input(0), weight = call.input(1), out = call.output();
  const int n_dims = out.rank - 2;
  ConvAxis* axes[] = {&d, &h, &w};
  for (int i = 0; i < n_dims; ++i) {
    ConvAxis& axis = *axes[3 - n_dims + i];
    axis.in = input.shape[i + 1];
    axis.out = out.shape[i + 1];
    axis.taps = weight.shape[i + 1];
    axis.stride = attrs.strides[i];
    axis.low = attrs.padding_low[i];
    axis.dilation = attrs.kernel_dilation[i];
    axis.spread = attrs.input_dilation[i];
  }
  batch = out.shape[0];
  channels = input.shape[n_dims + 1];
  outputs = weight.shape[0];
  groups = attrs.groups;
  if (d.is_pointwise() && h.is_pointwise() && w.is_pointwise()) {
    // A matrix product: all pixels are one row.
    w.in = w.out = batch * d.out * h.out * w.out;
    d = h = ConvAxis();
    batch = 1;
  }
  column_step = outputs;
  row_step = w.out * column_step;
  plane_step = h.out * row_step;
  image_step = d.out * plane_step;
  if (k() > 0) find_depths(h.taps, w.taps);
}

void ConvShape::find_depths(int64_t h_taps, int64_t w_taps) {
  depths.clear();
  const int64_t length = group_channels();
  const auto add = [&](int64_t begin, int64_t count) {
    depths.push_back({begin, count, static_cast<int64_t>(depths.size())});
  };
  const bool is_whole = d.tap_step * h.tap_step * w.tap_step == 1 && h.taps == h_taps && w.taps == w_taps;
  if (is_whole && d.first_tap == 0) {
    for (int64_t begin = 0; begin < k(); begin += kMatmulBlock)
      add(begin, std::min<int64_t>(kMatmulBlock, k() - begin));
    return;
  }
  int64_t begin = 0, end = 0, last = -1;  // `last` is the contract's block that [begin, end) belongs to
  for (int64_t tap = 0; tap < taps(); ++tap) {
    const int64_t z = d.first_tap + tap / (h.taps * w.taps) * d.tap_step;
    const int64_t y = h.first_tap + tap / w.taps % h.taps * h.tap_step;
    const int64_t x = w.first_tap + tap % w.taps * w.tap_step;
    const int64_t start = ((z * h_taps + y) * w_taps + x) * length;
    for (int64_t i = 0; i < length;) {
      const int64_t block = (start + i) / kMatmulBlock;
      if (block != last && end > begin) {
        add(begin, end - begin);
        begin = end;
      }
      last = block;
      const int64_t n = std::min(length, (block + 1) * kMatmulBlock - start) - i;
      i += n;
      end += n;
    }
  }
  add(begin, end - begin);
}

ConvPhases::ConvPhases(const ConvShape& whole)
    : whole_(whole), d_(phases_of(whole.d)), h_(phases_of(whole.h)), w_(phases_of(whole.w)) {
  whole_.depths.clear();
}

bool ConvPhases::all_have_taps() const {
  for (const std::vector<ConvAxis>* axis : {&d_, &h_, &w_}) {
    for (const ConvAxis& phase : *axis) {
      if (phase.taps == 0) return false;
    }
  }
  return true;
}

ConvShape ConvPhases::phase(const ConvAxis& d, const ConvAxis& h, const ConvAxis& w) const {
  ConvShape phase = whole_;
  phase.d = d;
  phase.h = h;
  phase.w = w;
  phase.first_out += d.first_out * phase.plane_step + h.first_out * phase.row_step + w.first_out * phase.column_step;
  phase.plane_step *= d.out_step;
  phase.row_step *= h.out_step;
  phase.column_step *= w.out_step;
  phase.find_depths(whole_.h.taps, whole_.w.taps);
  return phase;
}

namespace {

bool joins(const ConvPhases::Run& run, const ConvShape& phase) {
  constexpr size_t kMostParts = 1024;
  if (run.parts.empty()) return true;
  const ConvShape& last = run.parts.back();
  const ConvAxis &w = phase.w, &before = last.w;
  return phase.groups == 1 && phase.first_out == last.first_out + last.outputs && w.low == before.low &&
         w.out == before.out && w.taps == before.taps && run.parts.size() < kMostParts;
}

void append(const ConvShape& phase, ConvPhases::Run& run) {
  // The same from any phase to the next, as all of them read alike.
  if (run.phases == 1) run.tap_shift = phase.w.first_tap - run.parts[0].w.first_tap;
  ++run.phases;
  if (!run.parts.empty() && phase.depths == run.parts.back().depths) {
    run.parts.back().outputs += phase.outputs;
  } else {
    run.parts.push_back(phase);
  }
}

}  // namespace

void ConvPhases::for_each_run(const std::function<void(const Run&)>& fn) const {
  for (const ConvAxis& d : d_) {
    for (const ConvAxis& h : h_) {
      Run run;
      for (const ConvAxis& w : w_) {
        if (d.taps * h.taps * w.taps == 0) continue;
        const ConvShape next = phase(d, h, w);
        if (!joins(run, next)) {
          fn(run);
          run = {};
        }
        append(next, run);
      }
      if (!run.parts.empty()) fn(run);
    }
  }
}

}  // namespace ist::cpu
