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

void evaluate(const py::args& args) {
  Tensors found;
  collect(args.ptr(), found);
  if (!found.empty()) eval_released(found);
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
  static const char* const kFamilies[] = {"leaf",  "elementwise", "reduce", "arg_reduce", "linalg",
                                          "shape", "copy",        "index",  "create",     "random"};
  static const char* const kClasses[] = {"any",     "inexact", "real_inexact", "real",   "magnitude",
                                         "compare", "logical", "bitwise",      "select", "rule"};
  static const char* const kDerivatives[] = {"partial", "linear", "vjp", "zero", "composite"};
  static const char* const kExecutions[] = {"kernel", "view", "composite", "many", "data"};
  py::list rows;
  for (const Op op : all_ops()) {
    const OpInfo& row = info(op);
    py::dict entry;
    entry["id"] = static_cast<int>(op);
    entry["name"] = row.name;
    entry["family"] = kFamilies[static_cast<int>(row.family)];
    entry["arity"] = row.arity;
    entry["dtypes"] = kClasses[static_cast<int>(row.dtypes)];
    entry["derivative"] = kDerivatives[static_cast<int>(row.derivative)];
    entry["execution"] = kExecutions[static_cast<int>(row.execution)];
    entry["doc"] = row.doc;
    rows.append(entry);
  }
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
  m.def("eval", evaluate,
        "Computes the tensors among the arguments, which may be trees of lists, tuples and dicts; other leaves are "
        "ignored. Other threads run meanwhile.");
  m.def("async_eval", evaluate, "As eval: evaluation runs on the calling thread and its pool.");
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
