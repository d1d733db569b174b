// What the drivers of the cpu backend are given for one node, and the drivers.
#pragma once

#include "backends/cpu/kernels_table.h"
#include "backends/cpu/strided.h"
#include "backends/program_view.h"
#include "runtime/error.h"

namespace ist::cpu {

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t unit) { return divide_up(a, unit) * unit; }

struct View {
  char* data;  // first element: the offset is applied
  uint32_t dtype;
  int rank;
  const int64_t* shape;
  const int64_t* strides;  // in elements

  int log2() const { return size_log2(dtype); }
  int64_t count() const { return element_count(rank, shape); }
  bool dense() const { return is_dense(rank, shape, strides); }
};

struct KeptPrograms;

struct Context {
  const Kernels& kernels;
  const ist_host& host;
  const ist_program& program;
  int threads;
  KeptPrograms* kept = nullptr;  // from slice to slice of a program that runs slice by slice
};

struct Call {
  const Context& context;
  const ist_node& node;

  const Kernels& kernels() const { return context.kernels; }
  int threads() const { return context.threads; }
  View view(const ist_tensor& t) const {
    char* data = static_cast<char*>(value_at(context.program, t.value).buffer->data);
    data += t.offset * (int64_t{1} << size_log2(t.dtype));
    return {data, t.dtype, static_cast<int>(t.rank), t.shape, t.strides};
  }
  View input(uint32_t i) const { return view(input_at(node, context.program.tensor_size, i)); }
  View output() const { return view(node.output); }
  template <class A>
  const A& attrs() const {
    const A* given = static_cast<const A*>(node.attrs);
    if (given == nullptr || given->struct_size < sizeof(A)) fail(Code::value, "", "the op's attributes are missing");
    return *given;
  }
};

// n dense elements between dtypes; `middle` holds n float32 for the conversions that go by it.
void convert(const Kernels& kernels, uint32_t from, uint32_t to, int64_t n, const void* src, void* dst, void* middle);

// Elements of `src` to the places that dst_strides address, split over threads.
void copy_strided(const Kernels& kernels, int threads, int log2, int rank, const int64_t* shape, char* dst,
                  const int64_t* dst_strides, const char* src, const int64_t* src_strides);

// The first operand's elements to the output, unless the output has taken over its memory.
void copy_first_operand(const Call& call);

using RunFn = void (*)(const Call&);

void run_reduce(const Call&);      // sum prod max min all any
void run_arg_reduce(const Call&);  // argmax argmin
void run_logsumexp(const Call&);
void run_softmax(const Call&);
void run_scan(const Call&);  // cumsum cumprod cummax cummin logcumsumexp
void run_sort(const Call&);
void run_argsort(const Call&);
void run_partition(const Call&);
void run_argpartition(const Call&);
void run_matmul(const Call&);
void run_quantized_matmul(const Call&);
void run_conv(const Call&);
void run_contiguous(const Call&);
void run_concatenate(const Call&);
void run_pad(const Call&);
void run_slice_update(const Call&);
void run_gather(const Call&);
void run_scatter(const Call&);  // and scatter_add
void run_take_along_axis(const Call&);
void run_put_along_axis(const Call&);  // and add_along_axis
void run_arange(const Call&);
void run_random_bits(const Call&);
void run_layer_norm(const Call&);
void run_rms_norm(const Call&);
void run_attention(const Call&);

}  // namespace ist::cpu
