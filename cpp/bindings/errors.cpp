#include "bindings/errors.h"

#include "bindings/module.h"

namespace ist::python {
namespace {

struct ErrorClasses {
  PyObject* base = nullptr;
  PyObject* type = nullptr;  // an argument of a wrong Python type
  PyObject* by_code[IST_ERROR_STATE + 1] = {};
};
// Kept for the life of the process: errors may be raised while the module is being torn down.
ErrorClasses classes;

const char* code_name(Code code) {
  switch (code) {
    case Code::value:
      return "value";
    case Code::shape:
      return "shape";
    case Code::dtype:
      return "dtype";
    case Code::index:
      return "index";
    case Code::device:
      return "device";
    case Code::memory:
      return "memory";
    case Code::io:
      return "io";
    case Code::format:
      return "format";
    case Code::backend:
      return "backend";
    case Code::state:
      return "state";
  }
  return "unknown";
}

PyObject* new_class(py::module_& m, const char* name, const char* doc, std::initializer_list<PyObject*> bases) {
  py::tuple tuple(bases.size());
  size_t i = 0;
  for (PyObject* base : bases) tuple[i++] = py::reinterpret_borrow<py::object>(base);
  const std::string full = std::string("isthmus.") + name;
  PyObject* made = PyErr_NewExceptionWithDoc(full.c_str(), doc, tuple.ptr(), nullptr);
  if (made == nullptr) throw py::error_already_set();
  m.attr(name) = py::reinterpret_borrow<py::object>(made);
  return made;
}

void raise(PyObject* cls, const char* text, const std::string& op, const char* code, const std::string& message) {
  PyErr_Clear();  // an error that is still pending would make the call below fail with a SystemError
  PyObject* instance = PyObject_CallFunction(cls, "s", text);
  if (instance == nullptr) return;
  const auto set = [&](const char* name, const char* value) {
    PyObject* string = PyUnicode_DecodeUTF8(value, static_cast<Py_ssize_t>(std::strlen(value)), "replace");
    if (string == nullptr || PyObject_SetAttrString(instance, name, string) != 0) PyErr_Clear();
    Py_XDECREF(string);
  };
  set("op", op.c_str());
  set("code", code);
  set("message", message.c_str());
  PyErr_SetObject(cls, instance);
  Py_DECREF(instance);
}

}  // namespace

void refuse(std::string_view op, std::string_view argument, std::string_view wanted, py::handle got) {
  throw ArgumentTypeError(op, std::string(argument) + " must be " + std::string(wanted) + ", got " +
                                  (got.is_none() ? "None" : Py_TYPE(got.ptr())->tp_name));
}

void set_python_error() {
  try {
    throw;
  } catch (py::error_already_set& e) {
    e.restore();
  } catch (const py::builtin_exception& e) {
    e.set_error();
  } catch (const Error& e) {
    PyObject* cls = classes.by_code[static_cast<int>(e.code)];
    raise(cls != nullptr ? cls : classes.base, e.what(), e.op, code_name(e.code), e.message);
  } catch (const ArgumentTypeError& e) {
    raise(classes.type, e.what(), e.op, "type", e.message);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "isthmus: an unknown C++ exception");
  }
}

void bind_errors(py::module_& m) {
  PyObject* base = new_class(m, "IsthmusError",
                             "Base of the errors that isthmus raises. `op` is the public function, `code` the kind of "
                             "error as a word, `message` the text without the function's name.",
                             {PyExc_Exception});
  classes.base = base;
  classes.type = new_class(m, "ArgumentTypeError", "An argument of a type that the function does not take.",
                           {base, PyExc_TypeError, PyExc_ValueError});
  auto& by_code = classes.by_code;
  by_code[IST_ERROR_VALUE] = new_class(m, "ArgumentError", "An argument without a meaning.", {base, PyExc_ValueError});
  by_code[IST_ERROR_SHAPE] = new_class(m, "ShapeError", "Shapes that do not fit.", {base, PyExc_ValueError});
  by_code[IST_ERROR_DTYPE] = new_class(m, "DTypeError", "A dtype that the op does not take.", {base, PyExc_ValueError});
  by_code[IST_ERROR_INDEX] =
      new_class(m, "OutOfBoundsError", "An axis or an index that is out of bounds.", {base, PyExc_IndexError});
  by_code[IST_ERROR_DEVICE] =
      new_class(m, "DeviceError", "An unknown device, or tensors of several devices.", {base, PyExc_ValueError});
  by_code[IST_ERROR_MEMORY] = new_class(m, "OutOfMemoryError", "No room for an allocation.", {base, PyExc_MemoryError});
  by_code[IST_ERROR_IO] =
      new_class(m, "FileError", "A file that cannot be opened, read or written.", {base, PyExc_RuntimeError});
  by_code[IST_ERROR_FORMAT] = new_class(m, "FormatError", "A file with malformed content.", {base, PyExc_RuntimeError});
  by_code[IST_ERROR_BACKEND] = new_class(m, "BackendError", "A backend refused or failed.", {base, PyExc_RuntimeError});
  by_code[IST_ERROR_STATE] = new_class(m, "StateError", "A call that is not possible now.", {base, PyExc_RuntimeError});
  py::register_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const Error&) {
      set_python_error();
    } catch (const ArgumentTypeError&) {
      set_python_error();
    }
  });
}

}  // namespace ist::python
