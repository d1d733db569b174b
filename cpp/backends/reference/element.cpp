#include "backends/reference/element.h"

#include <array>
#include <utility>

#include "kernels/scalar_ops.h"

namespace ist::reference {
namespace {

template <int D>
void load(const std::byte* from, Slot& to) {
  typename Storage<D>::type stored;
  std::memcpy(&stored, from, sizeof(stored));
  put(to, Storage<D>::load(stored));
}

template <int D>
void store(const Slot& from, std::byte* to) {
  const typename Storage<D>::type stored = Storage<D>::store(get<typename Storage<D>::compute>(from));
  std::memcpy(to, &stored, sizeof(stored));
}

template <class From, class To>
void convert(const Slot& from, Slot& to) {
  put<To>(to, scalar::cast<To>(get<From>(from)));
}

template <int From, int... To>
constexpr std::array<ConvertFn, kDTypes> converters_from(std::integer_sequence<int, To...>) {
  return {&convert<typename Storage<From>::compute, typename Storage<To>::compute>...};
}

template <int... D>
constexpr std::array<LoadFn, kDTypes> all_loaders(std::integer_sequence<int, D...>) {
  return {&load<D>...};
}

template <int... D>
constexpr std::array<StoreFn, kDTypes> all_storers(std::integer_sequence<int, D...>) {
  return {&store<D>...};
}

template <int... D>
constexpr std::array<int64_t, kDTypes> all_sizes(std::integer_sequence<int, D...>) {
  return {int64_t{sizeof(typename Storage<D>::type)}...};
}

template <int... D>
constexpr std::array<std::array<ConvertFn, kDTypes>, kDTypes> all_converters(std::integer_sequence<int, D...> dtypes) {
  return {converters_from<D>(dtypes)...};
}

constexpr auto dtypes = std::make_integer_sequence<int, kDTypes>();
constexpr auto loaders = all_loaders(dtypes);
constexpr auto storers = all_storers(dtypes);
constexpr auto sizes = all_sizes(dtypes);
constexpr auto converters = all_converters(dtypes);

}  // namespace

LoadFn loader(uint32_t dtype) { return loaders[dtype]; }
StoreFn storer(uint32_t dtype) { return storers[dtype]; }
ConvertFn converter(uint32_t from, uint32_t to) { return converters[from][to]; }
int64_t size_of(uint32_t dtype) { return sizes[dtype]; }

}  // namespace ist::reference
