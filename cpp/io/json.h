// A strict reader and writer for JSON as file headers use it. The reader is a cursor that the caller drives through
// the structure it expects: nothing recurses, and no tree is built from a file that nobody has checked yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ist::json {

// What is wrong, and at which byte of the text.
class SyntaxError : public std::runtime_error {
 public:
  SyntaxError(const std::string& message, size_t offset)
      : std::runtime_error(message + " at byte " + std::to_string(offset)) {}
};

class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  enum class Kind { object, array, string, number, boolean, null };
  // The kind of the value that comes next.
  Kind peek();

  // Read the next value; `on_member(key)` and `on_element()` must read exactly one value each.
  template <class F>
  void object(F on_member) {
    open('{');
    if (close('}')) return;
    do {
      const std::string key = string();
      expect(':');
      on_member(key);
    } while (more('}'));
  }
  template <class F>
  void array(F on_element) {
    open('[');
    if (close(']')) return;
    do on_element();
    while (more(']'));
  }
  std::string string();     // as UTF-8, escapes resolved
  uint64_t unsigned_int();  // no sign, fraction or exponent; an error if it does not fit 64 bits
  void skip();              // any value, nested at most kMaxDepth deep
  void finish();            // raises unless only whitespace is left

  static constexpr size_t kMaxDepth = 64;

 private:
  [[noreturn]] void error(const std::string& message) const { throw SyntaxError(message, at_); }
  bool at_end() const { return at_ == text_.size(); }
  void skip_space();
  void open(char bracket);
  bool close(char bracket);
  bool more(char bracket);
  void expect(char c);
  void literal(std::string_view word);
  void number();
  void utf8_character(std::string& out);
  void escape(std::string& out);
  uint32_t hex4();

  std::string_view text_;
  size_t at_ = 0;
};

// `text` as a JSON string with quotes. Raises std::invalid_argument if it is not UTF-8.
std::string quote(std::string_view text);

}  // namespace ist::json
