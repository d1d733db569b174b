// Evaluation, memory, threads, backends.
#include "abi/isthmus.h"
#include "backends/cpu/isa.h"
#include "bindings/buffer.h"
#include "bindings/module.h"
#include "ops/op_table.h"
#include "runtime/scheduler.h"

namespace ist::python {
namespace {

void collect(PyObject* tree, Tensors& found) {
  if (is_tensor(tree)) {
    if (!tensor_of(tree).is_ready()) found.push_back(tensor_of(tree));
    return;
  }
  const Deeper deeper(" while looking for tensors to evaluate");
  if (PyList_Check(tree)) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(tree); ++i) collect(PyList_GET_ITEM(tree, i), found);
  } else if (PyTuple_Check(tree)) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tree); ++i) collect(PyTuple_GET_ITEM(tree, i), found);
  } else if (PyDict_Check(tree)) {
    PyObject *key = nullptr, *value = nullptr;
    Py_ssize_t at = 0;
    while (PyDict_Next(tree, &at, &key, &value)) collect(value, found);
  }
}

// By the interpreter's own calling convention: on a small tensor, evaluation takes less time than a dispatcher.
PyObject* evaluate(PyObject*, PyObject* const* args, Py_ssize_t n) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    if (n == 1 && is_tensor(args[0])) {
      const Tensor tensor = tensor_of(args[0]);  // a reference of our own: others may rebind it meanwhile
      if (!tensor.is_ready()) eval_released(tensor);
    } else {
      Tensors found;
      for (Py_ssize_t i = 0; i < n; ++i) collect(args[i], found);
      if (!found.empty()) eval_released(found);
    }
    Py_RETURN_NONE;
  });
}

template <class F>
PyMethodDef fast_function(const char* name, F* function, const char* doc) {
  return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function)), METH_FASTCALL, doc};
}

uint64_t bytes_argument(py::handle object, const char* op) {
  const int64_t bytes = int_argument(object, op, "limit");
  if (bytes < 0) fail(Code::value, op, "limit must not be negative, got ", bytes);
  return static_cast<uint64_t>(bytes);
}

py::dict describe(const Backend& backend) {
  py::dict info;
  const ist_backend* table = backend.table;
  info["name"] = table->name;
  info["version"] = table->version != nullptr ? table->version : "";
  const char* text = table->describe != nullptr ? table->describe(table->self) : nullptr;
  info["description"] = text != nullptr ? text : "";
  info["path"] = backend.path;
  info["abi"] = py::make_tuple(table->abi_major, table->abi_minor);
  info["computes"] = (table->flags & IST_BACKEND_COMPUTES_NOTHING) == 0;
  return info;
}

py::list op_table() {
  py::list rows;
#define IST_OP(id, op_name, op_family, op_arity, attrs, op_dtypes, op_derivative, op_execution, op_doc) \
  {                                                                                                     \
    py::dict entry;                                                                                     \
    entry["id"] = id;                                                                                   \
    entry["name"] = #op_name;                                                                           \
    entry["family"] = #op_family;                                                                       \
    entry["arity"] = op_arity;                                                                          \
    entry["dtypes"] = #op_dtypes;                                                                       \
    entry["derivative"] = #op_derivative;                                                               \
    entry["execution"] = #op_execution;                                                                 \
    entry["doc"] = op_doc;                                                                              \
    rows.append(entry);                                                                                 \
  }
#include "ops/ops.def"
#undef IST_OP
  return rows;
}

void bind_memory(py::module_& m) {
  m.def("get_active_memory", [] { return memory::figures().active; }, "Bytes in live buffers.");
  m.def("get_peak_memory", [] { return memory::figures().peak; }, "Most bytes in live buffers since the last reset.");
  m.def("get_cache_memory", [] { return memory::figures().cache; }, "Bytes kept for reuse.");
  m.def("get_memory_limit", [] { return memory::figures().limit; }, "Bytes beyond which allocations fail.");
  m.def("get_cache_limit", [] { return memory::figures().cache_limit; }, "Bytes that the cache keeps at most.");
  m.def("reset_peak_memory", memory::reset_peak, "Starts the peak figure anew.");
  m.def("clear_cache", memory::clear_cache, "Gives the memory kept for reuse back to the system.");
  m.def(
      "set_memory_limit", [](py::object limit) { return memory::set_limit(bytes_argument(limit, "set_memory_limit")); },
      py::arg("limit"), "Sets the bytes beyond which allocations raise MemoryError; returns the previous limit.");
  m.def(
      "set_cache_limit",
      [](py::object limit) { return memory::set_cache_limit(bytes_argument(limit, "set_cache_limit")); },
      py::arg("limit"), "Sets the bytes that the cache keeps at most; returns the previous limit.");
}

}  // namespace

void bind_runtime(py::module_& m) {
  static PyMethodDef functions[] = {
      fast_function("eval", evaluate,
                    "eval(*args) -> None\n\nComputes the tensors among the arguments, which may be trees of lists, "
                    "tuples and dicts; other leaves are ignored. Other threads run meanwhile.\n"),
      fast_function("async_eval", evaluate,
                    "async_eval(*args) -> None\n\nAs eval: evaluation runs on the calling thread and its pool.\n"),
      {nullptr, nullptr, 0, nullptr}};
  if (PyModule_AddFunctions(m.ptr(), functions) != 0) throw py::error_already_set();
  bind_memory(m);
  m.def("num_threads", num_threads, "How many threads CPU backends use.");
  m.def(
      "set_num_threads",
      [](py::object n) {
        const int64_t count = int_argument(n, "set_num_threads", "n");
        if (count < 1 || count > 4096) fail(Code::value, "set_num_threads", "n must be in [1, 4096], got ", count);
        set_num_threads(static_cast<int>(count));
      },
      py::arg("n"), "Sets how many threads CPU backends may use; results do not depend on it.");
  m.def(
      "load_backend", [](const std::string& path) { return device_object(registry::load(path)); }, py::arg("path"),
      "Loads a backend from a shared library; returns its Device. Raises BackendError if it does not fit.");
  m.def(
      "backends",
      [] {
        py::list all;
        for (size_t i = 0; i < registry::count(); ++i)
          all.append(describe(registry::backend(static_cast<DeviceId>(i))));
        return all;
      },
      "The loaded backends: dicts of name, version, description, path, abi.");
  m.def(
      "refused_backends",
      [] {
        py::list all;
        for (const RefusedBackend& refused : registry::refused())
          all.append(py::make_tuple(refused.path, refused.reason));
        return all;
      },
      "(path, reason) for each library that ISTHMUS_BACKENDS named and that was not taken.");
  m.def("fallback_allowed", fallback_allowed, "May ops run on \"cpu\" that their device does not support?");
  m.def("allow_fallback", allow_fallback, py::arg("allowed"),
        "Lets ops run on \"cpu\" that their device does not support, or not (the default).");
  m.def(
      "cpu_isa_levels",
      [] {
        py::list names;
        for (const char* level : cpu::supported_levels()) names.append(level);
        return names;
      },
      "The ISA levels that this machine runs, slowest first; ISTHMUS_CPU_ISA names one that the cpu backend shall "
      "use.");
  m.def("op_table", op_table, "The rows of the op table, dicts.");
  m.attr("__version__") = registry::host().version;
  m.attr("c_abi_version") = py::make_tuple(IST_ABI_MAJOR, IST_ABI_MINOR);
  m.attr("abi_version") = py::make_tuple(IST_BACKEND_ABI_MAJOR, IST_BACKEND_ABI_MINOR);
}

}  // namespace ist::python
