// Random numbers from Threefry keys, bit for bit those of upstream for equal seeds.
#pragma once

#include <optional>
#include <utility>

#include "ops/ops.h"

namespace ist::random {

Tensor key(uint64_t seed);  // uint32, shape (2,)
// Seeds the process-wide key that the functions below use when they get none.
void seed(uint64_t seed);
// The next key of that sequence; safe from several threads.
Tensor next_key();
Tensor split(const Tensor& key, int64_t num = 2);  // (num, 2)
Tensor bits(const Dims& shape, int width = 4, const std::optional<Tensor>& key = std::nullopt);
// In [low, high), [0, 1) without them.
Tensor uniform(const std::optional<Tensor>& low, const std::optional<Tensor>& high, const Dims& shape, DType dtype,
               const std::optional<Tensor>& key = std::nullopt);
Tensor normal(const Dims& shape, DType dtype, const std::optional<Tensor>& loc, const std::optional<Tensor>& scale,
              const std::optional<Tensor>& key = std::nullopt);
Tensor randint(const Tensor& low, const Tensor& high, const Dims& shape, DType dtype,
               const std::optional<Tensor>& key = std::nullopt);

}  // namespace ist::random
