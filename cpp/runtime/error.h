// The one error type of the core. Python and C map it by its code.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "abi/backend.h"

namespace ist {

enum class Code : int {
  value = IST_ERROR_VALUE,
  shape = IST_ERROR_SHAPE,
  dtype = IST_ERROR_DTYPE,
  index = IST_ERROR_INDEX,
  device = IST_ERROR_DEVICE,
  memory = IST_ERROR_MEMORY,
  io = IST_ERROR_IO,
  format = IST_ERROR_FORMAT,
  backend = IST_ERROR_BACKEND,
  state = IST_ERROR_STATE,
};

// `op` is the public name of the function the caller used ("matmul"); `what()` is "op: message".
class Error : public std::runtime_error {
 public:
  Error(Code code, std::string_view op, std::string_view message)
      : std::runtime_error(op.empty() ? std::string(message) : std::string(op) + ": " + std::string(message)),
        code(code),
        op(op),
        message(message) {}
  Code code;
  std::string op;
  std::string message;
};

// fail(Code::shape, "matmul", "inner dimensions differ: lhs ", a.shape(), ", rhs ", b.shape())
template <class... Parts>
[[noreturn]] void fail(Code code, std::string_view op, const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(code, op, text.str());
}

}  // namespace ist
