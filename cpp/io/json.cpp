#include "io/json.h"

#include <vector>

#include "io/utf8.h"

namespace ist::json {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string shown(char c) {
  if (c > 0x20 && c < 0x7f) return std::string("'") + c + "'";
  static const char digits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return std::string("byte 0x") + digits[byte >> 4] + digits[byte & 15];
}

}  // namespace

void Cursor::skip_space() {
  while (!at_end() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
}

void Cursor::expect(char c) {
  skip_space();
  if (at_end()) error(std::string("text ends where '") + c + "' was expected");
  if (text_[at_] != c) error(std::string("'") + c + "' expected, found " + shown(text_[at_]));
  ++at_;
}

void Cursor::open(char bracket) { expect(bracket); }

bool Cursor::close(char bracket) {
  skip_space();
  if (at_end() || text_[at_] != bracket) return false;
  ++at_;
  return true;
}

bool Cursor::more(char bracket) {
  if (close(bracket)) return false;
  if (at_end()) error(std::string("text ends where ',' or '") + bracket + "' was expected");
  if (text_[at_] != ',') error(std::string("',' or '") + bracket + "' expected, found " + shown(text_[at_]));
  ++at_;
  return true;
}

Cursor::Kind Cursor::peek() {
  skip_space();
  if (at_end()) error("text ends where a value was expected");
  const char c = text_[at_];
  switch (c) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      if (c == '-' || is_digit(c)) return Kind::number;
      error("a value expected, found " + shown(c));
  }
}

void Cursor::literal(std::string_view word) {
  // Not a sum of strings: GCC 12 warns of copies too long in one that it has inlined.
  if (text_.substr(at_, word.size()) != word) error(std::string("'").append(word).append("' expected"));
  at_ += word.size();
}

uint32_t Cursor::hex4() {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    if (at_end()) error("text ends inside a \\u escape");
    const char c = text_[at_];
    const char lower = static_cast<char>(c | 0x20);
    if (!is_digit(c) && !(lower >= 'a' && lower <= 'f')) error("hexadecimal digit expected, found " + shown(c));
    value = value * 16 + static_cast<uint32_t>(is_digit(c) ? c - '0' : lower - 'a' + 10);
  }
  return value;
}

void Cursor::escape(std::string& out) {
  if (at_end()) error("text ends inside an escape");
  const char c = text_[at_++];
  switch (c) {
    case '"':
    case '\\':
    case '/':
      out.push_back(c);
      return;
    case 'b':
      out.push_back('\b');
      return;
    case 'f':
      out.push_back('\f');
      return;
    case 'n':
      out.push_back('\n');
      return;
    case 'r':
      out.push_back('\r');
      return;
    case 't':
      out.push_back('\t');
      return;
    case 'u':
      break;
    default:
      --at_;
      error("unknown escape " + shown(c));
  }
  uint32_t code = hex4();
  if (code >= 0xdc00 && code <= 0xdfff) error("low surrogate without a high one");
  if (code >= 0xd800 && code <= 0xdbff) {
    if (text_.substr(at_, 2) != "\\u") error("high surrogate without a low one");
    at_ += 2;
    const uint32_t low = hex4();
    if (low < 0xdc00 || low > 0xdfff) error("high surrogate without a low one");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  append_utf8(out, code);
}

void Cursor::utf8_character(std::string& out) {
  const size_t length = utf8_length(text_.substr(at_));
  if (length == 0) error("malformed UTF-8: " + shown(text_[at_]));
  out.append(text_.substr(at_, length));
  at_ += length;
}

std::string Cursor::string() {
  expect('"');
  std::string out;
  for (;;) {
    if (at_end()) error("text ends inside a string");
    const char c = text_[at_];
    if (static_cast<unsigned char>(c) < 0x20) error("control character in a string: " + shown(c));
    if (c == '"') {
      ++at_;
      return out;
    }
    if (c == '\\') {
      ++at_;
      escape(out);
    } else {
      utf8_character(out);
    }
  }
}

uint64_t Cursor::unsigned_int() {
  if (peek() != Kind::number || text_[at_] == '-')
    error("a non-negative whole number expected, found " + shown(text_[at_]));
  const size_t start = at_;
  number();
  uint64_t value = 0;
  for (const char c : text_.substr(start, at_ - start)) {
    if (!is_digit(c)) throw SyntaxError("a whole number expected, found " + shown(c), start);
    const auto digit = static_cast<uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) throw SyntaxError("a number exceeds 64 bits", start);
    value = value * 10 + digit;
  }
  return value;
}

void Cursor::number() {
  const auto digits = [&] {
    if (at_end() || !is_digit(text_[at_])) error("a digit expected");
    while (!at_end() && is_digit(text_[at_])) ++at_;
  };
  if (text_[at_] == '-') ++at_;
  if (!at_end() && text_[at_] == '0') {
    ++at_;
    if (!at_end() && is_digit(text_[at_])) error("a number starts with a needless zero");
  } else {
    digits();
  }
  if (!at_end() && text_[at_] == '.') {
    ++at_;
    digits();
  }
  if (!at_end() && (text_[at_] == 'e' || text_[at_] == 'E')) {
    ++at_;
    if (!at_end() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
    digits();
  }
}

void Cursor::skip() {
  std::vector<char> open_brackets;  // the closing brackets still owed, innermost last
  do {
    const Kind kind = peek();
    if (kind == Kind::object || kind == Kind::array) {
      if (open_brackets.size() == kMaxDepth) error("nested deeper than " + std::to_string(kMaxDepth) + " levels");
      const char bracket = kind == Kind::object ? '}' : ']';
      ++at_;
      if (!close(bracket)) {
        open_brackets.push_back(bracket);
        if (bracket == '}') {
          string();
          expect(':');
        }
        continue;
      }
    } else if (kind == Kind::string) {
      string();
    } else if (kind == Kind::number) {
      number();
    } else if (kind == Kind::null) {
      literal("null");
    } else {
      literal(text_[at_] == 't' ? "true" : "false");
    }
    while (!open_brackets.empty() && !more(open_brackets.back())) open_brackets.pop_back();
    if (!open_brackets.empty() && open_brackets.back() == '}') {
      string();
      expect(':');
    }
  } while (!open_brackets.empty());
}

void Cursor::finish() {
  skip_space();
  if (!at_end()) error("nothing more expected, found " + shown(text_[at_]));
}

std::string quote(std::string_view text) {
  static const char digits[] = "0123456789abcdef";
  std::string out = "\"";
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0) throw std::invalid_argument("not UTF-8");
    const char c = text[0];
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return out + '"';
}

}  // namespace ist::json
