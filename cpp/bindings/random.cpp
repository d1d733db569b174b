#include "ops/random.h"

#include "bindings/convert.h"
#include "bindings/module.h"

namespace ist::python {
namespace {

uint64_t seed_argument(py::handle object, const char* op) {
  if (!PyIndex_Check(object.ptr())) refuse(op, "seed", "an int", object);
  const py::object number = py::reinterpret_steal<py::object>(PyNumber_Index(object.ptr()));
  if (!number) throw py::error_already_set();
  const uint64_t value = PyLong_AsUnsignedLongLongMask(number.ptr());
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  return value;
}

std::optional<Tensor> key_argument(const Placement& place, py::handle key, const char* op) {
  if (key.is_none()) return std::nullopt;
  return place(tensor_argument(key, op, "key"));
}

// A number becomes a tensor of `dtype`; tensors stay what they are.
Tensor parameter(const Placement& place, py::handle object, DType dtype, const char* op, const char* argument) {
  if (is_number(object.ptr())) return number_tensor(object.ptr(), dtype, op);
  return place(operand(object, nullptr, op, argument));
}

// Nothing if it is this int, which stands for the default.
std::optional<Tensor> parameter_unless(int standard, const Placement& place, py::handle object, DType dtype,
                                       const char* op, const char* argument) {
  if (PyLong_CheckExact(object.ptr()) && object.equal(py::int_(standard))) return std::nullopt;
  return parameter(place, object, dtype, op, argument);
}

std::optional<Tensor> optional_parameter(const Placement& place, py::handle object, DType dtype, const char* op,
                                         const char* argument) {
  if (object.is_none()) return std::nullopt;
  return parameter(place, object, dtype, op, argument);
}

}  // namespace

void bind_random(py::module_& m) {
  m.def(
      "key", [](py::object seed) { return random::key(seed_argument(seed, "random.key")); }, py::arg("seed"),
      "The key of a seed: uint32, shape (2,).");
  m.def(
      "seed", [](py::object seed) { random::seed(seed_argument(seed, "random.seed")); }, py::arg("seed"),
      "Seeds the key of the process that functions without a `key` take theirs from.");
  m.def(
      "split",
      [](py::object key, py::object num, py::object stream, py::object device) {
        const Placement place(stream, device, "random.split");
        return random::split(place(tensor_argument(key, "random.split", "key")),
                             int_argument(num, "random.split", "num"));
      },
      py::arg("key"), py::arg("num") = 2, IST_PLACE_POSITIONAL, "`num` new keys from one, shape (num, 2).");
  m.def(
      "bits",
      [](py::object shape, py::object width, py::object key, py::object stream, py::object device) {
        const Placement place(stream, device, "random.bits");
        return random::bits(dims_argument(shape, "random.bits", "shape", true),
                            static_cast<int>(int_argument(width, "random.bits", "width")),
                            key_argument(place, key, "random.bits"));
      },
      py::arg("shape") = py::tuple(), py::arg("width") = 4, py::arg("key") = py::none(), IST_PLACE_POSITIONAL,
      "Random bits: uint8, uint16 or uint32 for a width of 1, 2 or 4 bytes.");
  m.def(
      "uniform",
      [](py::object low, py::object high, py::object shape, py::object dtype, py::object key, py::object stream,
         py::object device) {
        const char* op = "random.uniform";
        const Placement place(stream, device, op);
        const DType type = optional_dtype(dtype, op).value_or(DType::float32);
        return random::uniform(parameter_unless(0, place, low, type, op, "low"),
                               parameter_unless(1, place, high, type, op, "high"),
                               dims_argument(shape, op, "shape", true), type, key_argument(place, key, op));
      },
      py::arg("low") = 0, py::arg("high") = 1, py::arg("shape") = py::tuple(), py::arg("dtype") = py::none(),
      py::arg("key") = py::none(), IST_PLACE_POSITIONAL,
      "Uniform numbers in [low, high), a float dtype (float32 by default). low and high broadcast to `shape`.");
  m.def(
      "normal",
      [](py::object shape, py::object dtype, py::object loc, py::object scale, py::object key, py::object stream,
         py::object device) {
        const char* op = "random.normal";
        const Placement place(stream, device, op);
        const DType type = optional_dtype(dtype, op).value_or(DType::float32);
        return random::normal(dims_argument(shape, op, "shape", true), type,
                              optional_parameter(place, loc, type, op, "loc"),
                              optional_parameter(place, scale, type, op, "scale"), key_argument(place, key, op));
      },
      py::arg("shape") = py::tuple(), py::arg("dtype") = py::none(), py::arg("loc") = py::none(),
      py::arg("scale") = py::none(), py::arg("key") = py::none(), IST_PLACE_POSITIONAL,
      "Normal numbers of mean `loc` (0) and standard deviation `scale` (1), float32 by default.");
  m.def(
      "randint",
      [](py::object low, py::object high, py::object shape, py::object dtype, py::object key, py::object stream,
         py::object device) {
        const char* op = "random.randint";
        const Placement place(stream, device, op);
        const DType type = optional_dtype(dtype, op).value_or(DType::int32);
        return random::randint(parameter(place, low, type, op, "low"), parameter(place, high, type, op, "high"),
                               dims_argument(shape, op, "shape", true), type, key_argument(place, key, op));
      },
      py::arg("low"), py::arg("high"), py::arg("shape") = py::tuple(), py::arg("dtype") = py::none(),
      py::arg("key") = py::none(), IST_PLACE_POSITIONAL,
      "Integers in [low, high), int32 by default. low and high broadcast to `shape`.");
}

}  // namespace ist::python
