#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_set>

#include "io/json.h"
#include "io/safetensors.h"
#include "io/safetensors_format.h"
#include "runtime/error.h"

namespace ist {
namespace {

static_assert(std::endian::native == std::endian::little, "the format stores little-endian elements");

template <class... Parts>
[[noreturn]] void malformed(const std::string& path, const Parts&... parts) {
  fail(Code::format, safetensors::kLoad, "'", path, "': ", parts...);
}

DType dtype_of(const std::string& text, const std::string& path, const std::string& tensor) {
  for (const safetensors::NamedDType& known : safetensors::kDTypes)
    if (text == known.name) return known.dtype;
  malformed(path, "tensor '", tensor, "' has dtype '", text,
            "'; supported are BOOL, U8, I8, U16, I16, U32, I32, U64, I64, F16, BF16, F32, F64, C64");
}

struct EntryReader {
  json::Cursor& cursor;
  const std::string& path;
  SafetensorsEntry entry{};
  bool has_dtype = false, has_shape = false, has_offsets = false;

  void first_time(bool& seen, const char* field) {
    if (seen) malformed(path, "tensor '", entry.name, "' has the field '", field, "' twice");
    seen = true;
  }

  void read_shape() {
    first_time(has_shape, "shape");
    cursor.array([&] {
      const uint64_t extent = cursor.unsigned_int();
      if (extent > static_cast<uint64_t>(INT64_MAX))
        malformed(path, "tensor '", entry.name, "' has an extent of ", extent, ", which exceeds 63 bits");
      entry.shape.push_back(static_cast<int64_t>(extent));
    });
  }

  void read_offsets() {
    first_time(has_offsets, "data_offsets");
    uint64_t offsets[2] = {0, 0};
    size_t found = 0;
    cursor.array([&] {
      const uint64_t offset = cursor.unsigned_int();
      if (found < 2) offsets[found] = offset;
      ++found;
    });
    if (found != 2) malformed(path, "tensor '", entry.name, "' has ", found, " data_offsets, 2 wanted");
    entry.begin = offsets[0];
    entry.end = offsets[1];
  }

  void read(const std::string& name) {
    entry.name = name;
    if (cursor.peek() != json::Cursor::Kind::object)
      malformed(path, "the entry of tensor '", name, "' is not an object");
    cursor.object([&](const std::string& field) {
      if (field == "dtype") {
        first_time(has_dtype, "dtype");
        entry.dtype = dtype_of(cursor.string(), path, name);
      } else if (field == "shape") {
        read_shape();
      } else if (field == "data_offsets") {
        read_offsets();
      } else {
        cursor.skip();  // a later version of the format may say more about a tensor
      }
    });
    if (!has_dtype) malformed(path, "tensor '", name, "' has no dtype");
    if (!has_shape) malformed(path, "tensor '", name, "' has no shape");
    if (!has_offsets) malformed(path, "tensor '", name, "' has no data_offsets");
  }
};

// The size that dtype and shape ask for; extents of 0 do not excuse a product that overflows before them.
uint64_t wanted_bytes(const SafetensorsEntry& entry, const std::string& path) {
  uint64_t bytes = static_cast<uint64_t>(itemsize(entry.dtype));
  for (const int64_t extent : entry.shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(extent), &bytes) || bytes > uint64_t{INT64_MAX})
      malformed(path, "tensor '", entry.name, "' of shape ", entry.shape, " does not fit 63 bits");
  return bytes;
}

void check_entry(const SafetensorsEntry& entry, uint64_t data_size, const std::string& path) {
  if (entry.begin > entry.end)
    malformed(path, "tensor '", entry.name, "' begins at ", entry.begin, " and ends before, at ", entry.end);
  if (entry.end > data_size)
    malformed(path, "tensor '", entry.name, "' ends at byte ", entry.end, " of the data, but the file has only ",
              data_size);
  const uint64_t wanted = wanted_bytes(entry, path);
  if (entry.end - entry.begin != wanted)
    malformed(path, "tensor '", entry.name, "' of shape ", entry.shape, " and dtype ", entry.dtype, " needs ", wanted,
              " bytes, data_offsets give it ", entry.end - entry.begin);
}

// Every byte of the data belongs to exactly one tensor.
void check_cover(const std::vector<SafetensorsEntry>& entries, uint64_t data_size, const std::string& path) {
  std::vector<const SafetensorsEntry*> sorted;
  sorted.reserve(entries.size());
  for (const auto& entry : entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return std::pair(a->begin, a->end) < std::pair(b->begin, b->end); });
  uint64_t covered = 0;
  for (const auto* entry : sorted) {
    if (entry->begin < covered)
      malformed(path, "tensor '", entry->name, "' begins at byte ", entry->begin,
                " of the data, inside the tensor before it, which ends at ", covered);
    if (entry->begin > covered)
      malformed(path, "bytes ", covered, " to ", entry->begin, " of the data, before tensor '", entry->name,
                "', belong to no tensor");
    covered = entry->end;
  }
  if (covered != data_size)
    malformed(path, "bytes ", covered, " to ", data_size, " of the data, at the end of the file, belong to no tensor");
}

void read_metadata(json::Cursor& cursor, Metadata& metadata, const std::string& path) {
  using Kind = json::Cursor::Kind;
  if (cursor.peek() == Kind::null) return cursor.skip();
  if (cursor.peek() != Kind::object) malformed(path, "'__metadata__' is not an object");
  std::unordered_set<std::string> keys;
  cursor.object([&](const std::string& key) {
    if (!keys.insert(key).second) malformed(path, "'__metadata__' has the key '", key, "' twice");
    if (cursor.peek() != Kind::string)
      malformed(path, "'__metadata__' has a value that is not a string, under '", key, "'");
    metadata.emplace_back(key, cursor.string());
  });
}

}  // namespace

SafetensorsHeader parse_header(std::string_view bytes, uint64_t file_size, const std::string& path) {
  bytes = bytes.substr(0, static_cast<size_t>(std::min<uint64_t>(bytes.size(), file_size)));
  if (bytes.size() < safetensors::kLengthSize)
    malformed(path, "has ", bytes.size(), " bytes; a safetensors file starts with the 8-byte length of its header");
  uint64_t length;
  std::memcpy(&length, bytes.data(), safetensors::kLengthSize);
  if (length > safetensors::kMaxHeader)
    malformed(path, "the header's length is ", length, ", at most ", safetensors::kMaxHeader, " is allowed");
  if (length > bytes.size() - safetensors::kLengthSize)
    malformed(path, "the header's length is ", length, ", but only ", bytes.size() - safetensors::kLengthSize,
              " bytes follow");

  const std::string_view text = bytes.substr(safetensors::kLengthSize, static_cast<size_t>(length));
  if (text.empty() || text[0] != '{') malformed(path, "the header does not start with '{'");
  SafetensorsHeader header;
  header.data_start = safetensors::kLengthSize + length;
  json::Cursor cursor(text);
  std::unordered_set<std::string> names;
  try {
    cursor.object([&](const std::string& name) {
      if (!names.insert(name).second) malformed(path, "the name '", name, "' appears twice");
      if (name == "__metadata__") return read_metadata(cursor, header.metadata, path);
      EntryReader reader{cursor, path};
      reader.read(name);
      header.entries.push_back(std::move(reader.entry));
    });
    cursor.finish();
  } catch (const json::SyntaxError& error) {
    malformed(path, "the header is not valid JSON: ", error.what());
  }

  const uint64_t data_size = file_size - header.data_start;
  for (const auto& entry : header.entries) check_entry(entry, data_size, path);
  check_cover(header.entries, data_size, path);
  return header;
}

}  // namespace ist
