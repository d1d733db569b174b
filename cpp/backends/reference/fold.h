// Sequences folded in the order that docs/bit_contract.md gives to reductions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace ist::reference {

inline constexpr size_t kBlock = 4096;
inline constexpr size_t kLanes = 32;

// Steps 1 to 3: one block of at most 4096 elements.
template <class A, class Combine>
A fold_block(const A* x, size_t n, A identity, Combine combine) {
  A lanes[kLanes];
  for (A& lane : lanes) lane = identity;
  for (size_t j = 0; j < n; ++j) lanes[j % kLanes] = combine(lanes[j % kLanes], x[j]);
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t i = 0; i < half; ++i) lanes[i] = combine(lanes[i], lanes[i + half]);
  }
  return lanes[0];
}

// Step 4: a run of block results, split at the largest power of two below its length.
template <class A, class Combine>
A fold_tree(const A* results, size_t m, Combine combine) {
  if (m == 1) return results[0];
  size_t left = 1;
  while (left * 2 < m) left *= 2;
  return combine(fold_tree(results, left, combine), fold_tree(results + left, m - left, combine));
}

template <class A, class Combine>
A fold(const std::vector<A>& x, A identity, Combine combine) {
  if (x.empty()) return identity;
  std::vector<A> results;
  for (size_t start = 0; start < x.size(); start += kBlock) {
    results.push_back(fold_block(&x[start], std::min(kBlock, x.size() - start), identity, combine));
  }
  return fold_tree(results.data(), results.size(), combine);
}

}  // namespace ist::reference
