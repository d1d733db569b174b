/* Safetensors files through the C library. The argument is a directory to write into. */
#include "check.h"

static void write_bytes(const char* path, const char* header, const void* data, size_t n) {
  FILE* file = fopen(path, "wb");
  CHECK(file != NULL);
  const uint64_t length = strlen(header);
  CHECK(fwrite(&length, 8, 1, file) == 1);
  CHECK(fwrite(header, 1, (size_t)length, file) == length);
  CHECK(fwrite(data, 1, n, file) == n);
  CHECK(fclose(file) == 0);
}

static void round_trip(const char* path) {
  const int64_t shape[] = {2, 2}, two = 2;
  const int64_t wide[] = {INT64_MAX, -1};
  const unsigned char bools[] = {1, 0, 7};
  const int64_t three = 3;
  ist_array* arrays[3] = {NULL, floats(2, shape, (float[]){1, 2, 3, 4}), NULL};
  OK(ist_array_create(IST_BOOL, 1, &three, NULL, bools, &arrays[0]));
  OK(ist_array_create(IST_INT64, 1, &two, NULL, wide, &arrays[2]));
  const char* const names[] = {"mask", "weight \"\xc3\xa9\"", "ids"};
  const char* const keys[] = {"format"};
  const char* const values[] = {"line\nbreak"};
  OK(ist_save_safetensors(path, names, arrays, 3, keys, values, 1));

  ist_file* file = NULL;
  OK(ist_load_safetensors(path, &file));
  CHECK(ist_file_count(file) == 3 && ist_file_name(file, 3) == NULL);
  for (size_t i = 0; i < 3; ++i) CHECK(strcmp(ist_file_name(file, i), names[i]) == 0);
  const char *key = NULL, *value = NULL;
  CHECK(ist_file_metadata_count(file) == 1);
  OK(ist_file_metadata(file, 0, &key, &value));
  CHECK(strcmp(key, keys[0]) == 0 && strcmp(value, values[0]) == 0);
  ist_array *weight = NULL, *mask = NULL, *none = NULL;
  OK(ist_file_find(file, names[1], &weight));
  OK(ist_file_array(file, 0, &mask));
  FAILS(ist_file_find(file, "bias", &none), IST_ERROR_VALUE, "bias");
  FAILS(ist_file_array(file, 3, &none), IST_ERROR_INDEX, "3");
  ist_file_release(file);

  /* Saving over a file whose tensors are in use leaves them as they were. */
  ist_array* negative = unary(IST_OP_NEGATIVE, weight);
  OK(ist_save_safetensors(path, names, &negative, 1, NULL, NULL, 0));
  CHECK_FLOATS(weight, 1, 2, 3, 4);
  OK(ist_load_safetensors(path, &file));
  ist_array* again = NULL;
  OK(ist_file_array(file, 0, &again));
  CHECK_FLOATS(again, -1, -2, -3, -4);
  unsigned char found[3];
  OK(ist_array_copy(mask, found, 3));
  CHECK(found[0] == 1 && found[1] == 0 && found[2] == 1);

  ist_file_release(file);
  ist_array_release(again);
  ist_array_release(negative);
  ist_array_release(mask);
  ist_array_release(weight);
  for (size_t i = 0; i < 3; ++i) ist_array_release(arrays[i]);
}

static void unaligned(const char* path) {
  const float values[] = {1.5f, -2};
  char data[9] = {1};
  memcpy(data + 1, values, 8);
  write_bytes(path,
              "{\"flag\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
              "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}",
              data, 9);
  ist_file* file = NULL;
  OK(ist_load_safetensors(path, &file));
  ist_array* w = NULL;
  OK(ist_file_find(file, "w", &w));
  ist_file_release(file);
  CHECK_FLOATS(w, 1.5f, -2);
  ist_array_release(w);
}

static void malformed(const char* path) {
  static const struct {
    const char* header;
    size_t data;
    const char* said;
  } cases[] = {
      {"", 0, "does not start with '{'"},
      {"[]", 0, "does not start with '{'"},
      {"{\"a\":", 0, "JSON"},
      {"{\"a\":{}}", 0, "no dtype"},
      {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "F8_E4M3"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "non-negative"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "needs 4 bytes"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 2, "only 2"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "begins at 4"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "belong to no tensor"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, "belong to no tensor"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
       "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
       3, "inside the tensor before"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
       "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
       2, "twice"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "63 bits"},
      {"{\"__metadata__\":{\"k\":1}}", 0, "not a string"},
  };
  const char data[8] = {0};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    write_bytes(path, cases[i].header, data, cases[i].data);
    ist_file* file = NULL;
    FAILS(ist_load_safetensors(path, &file), IST_ERROR_FORMAT, path, cases[i].said);
    CHECK(file == NULL);
  }
}

int main(int argc, char** argv) {
  CHECK(argc == 2);
  char path[4096];
  CHECK(snprintf(path, sizeof(path), "%s/test_io.safetensors", argv[1]) < (int)sizeof(path));
  round_trip(path);
  unaligned(path);
  malformed(path);
  remove(path);
  ist_file* file = NULL;
  FAILS(ist_load_safetensors(path, &file), IST_ERROR_IO, path, "No such file");
  FAILS(ist_load_safetensors(argv[1], &file), IST_ERROR_IO, "directory");
  FAILS(ist_save_safetensors("/nonexistent/x.safetensors", NULL, NULL, 0, NULL, NULL, 0), IST_ERROR_IO, "/nonexistent");
  puts("ok");
  return 0;
}
