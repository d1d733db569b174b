// Errors on their way to Python.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <string_view>
#include <utility>

#include "runtime/error.h"

namespace py = pybind11;

namespace ist::python {

// An argument of a type that the function does not take: a TypeError in Python (and a ValueError, which upstream
// raises in several of these places).
class ArgumentTypeError : public std::runtime_error {
 public:
  ArgumentTypeError(std::string_view op, std::string_view message)
      : std::runtime_error(std::string(op) + ": " + std::string(message)), op(op), message(message) {}
  std::string op, message;
};

// refuse("add", "b", "a tensor or a number", object): "add: b must be a tensor or a number, got list".
[[noreturn]] void refuse(std::string_view op, std::string_view argument, std::string_view wanted, py::handle got);

// Python's own limit of recursion, for walks over nested lists: one that holds itself raises RecursionError.
struct Deeper {
  explicit Deeper(const char* where) {
    if (Py_EnterRecursiveCall(where)) throw py::error_already_set();
  }
  ~Deeper() { Py_LeaveRecursiveCall(); }
  Deeper(const Deeper&) = delete;
};

// Sets the Python error that stands for the exception in flight; call inside a catch block.
void set_python_error();

// For C slots: runs `body`, turns exceptions into Python errors.
template <class Result, class Body>
Result guarded(Result on_error, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    set_python_error();
    return on_error;
  }
}

}  // namespace ist::python
