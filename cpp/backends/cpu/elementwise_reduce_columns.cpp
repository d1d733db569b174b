// Elementwise nodes and the reduction of their result where outputs are neighbours in memory, or every few elements of
// a row: the rows of a tile are added to the contract's lanes, each of which is a row of accumulators, while the tile
// is in cache.
#include <algorithm>
#include <bit>
#include <cstring>

#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/sequence.h"
#include "backends/cpu/squared_distances.h"
#include "backends/cpu/temporary.h"
#include "backends/cpu/threads.h"
#include "backends/cpu/tile_program.h"

namespace ist::cpu {
namespace {

constexpr int64_t kTile = 2048;             // elements
constexpr int64_t kWidest = 1024;           // columns that lanes are kept for at a time
constexpr int64_t kLaneBytes = 256 * 1024;  // of all lanes together, unless one matrix has more

// The run's shape as matrices whose columns are reduced. An output takes `neighbours` columns, which share its lanes.
struct Matrices {
  int64_t outer = 1, rows = 1, columns = 1, neighbours = 1;
  bool fits = true;

  Matrices(const ist_node& reduction, const ist_tensor& in) {
    const auto& attrs = *static_cast<const ist_axes_attrs*>(reduction.attrs);
    int64_t kept = 1;
    int64_t* const parts[] = {&neighbours, &kept, &rows, &outer};
    int part = 0;
    for (int axis = static_cast<int>(in.rank); axis-- > 0;) {
      if (in.shape[axis] == 1) continue;
      const bool is_reduced = std::find(attrs.axes, attrs.axes + attrs.n_axes, axis) != attrs.axes + attrs.n_axes;
      if (is_reduced != (part % 2 == 0)) ++part;
      fits &= part < 4;
      if (fits) *parts[part] *= in.shape[axis];
    }
    columns = kept * neighbours;
  }
  int64_t lanes() const { return kLanes / neighbours; }  // of a column
  int64_t block() const { return kBlock / neighbours; }  // rows
  int64_t blocks() const { return (rows + block() - 1) / block(); }
  int64_t outputs() const { return columns / neighbours; }
};

// How the rows of `n` matrices are cut: blocks of the contract, in each of them groups of lanes, and pieces of the
// columns.
struct Cut {
  int64_t n_blocks, n_pieces;  // of a matrix; pieces are `width` columns wide
  int64_t lanes;
  int64_t width, rows;  // of a tile, either all lanes of several rounds, or a part of them
  int64_t group;        // lanes that a thread takes

  // `rounds`: of all lanes, that a tile longer than kTile may hold; 0: it may not be longer.
  Cut(const Matrices& m, int64_t n, int threads, int64_t rounds) : n_blocks(m.blocks()), lanes(m.lanes()) {
    width = std::min(m.columns, kWidest);
    n_pieces = (m.columns + width - 1) / width;
    rows = n_pieces > 1 ? 1 : kTile / width;
    if (rows >= lanes) {
      rows = rounds > 0 && n_pieces == 1 ? rounds * lanes : rows - rows % lanes;
    } else {
      rows = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(rows)));
    }
    group = lanes;
    while (group > rows && n * tasks() < 2 * threads) group /= 2;
  }
  int64_t groups() const { return lanes / group; }
  int64_t tasks() const { return n_blocks * groups() * n_pieces; }
};

// Those with one centre for each column of a matrix, which the neighbours of an output share.
struct DistancesInColumns : SquaredDistances {
  static constexpr int64_t kCost = 3;  // of an element, in additions

  DistancesInColumns(const Context& context, uint32_t first, uint32_t end) : SquaredDistances(context, first, end) {
    if (!found) return;
    const ist_node& sum = node_at(context.program, end - 1);
    const ist_tensor& in = input_at(sum, context.program.tensor_size, 0);
    const auto& attrs = *static_cast<const ist_axes_attrs*>(sum.attrs);
    found = static_cast<int>(in.rank) == x.rank && std::equal(x.shape, x.shape + x.rank, in.shape);
    for (uint32_t i = 0; found && i < attrs.n_axes; ++i) {
      found = x.shape[attrs.axes[i]] <= 1 || centre.strides[attrs.axes[i]] == 0;
    }
  }

  // Of `width` neighbours from this element on, for as many rows.
  void load_centres(const Context& context, int64_t element, int64_t width, int64_t rows, char* to) const {
    Nest<1> nest;
    for (int i = 0; i < centre.rank; ++i) nest.add(centre.shape[i], centre.strides[i]);
    nest.finish();
    const CopyTable& copy = *context.kernels.copy;
    copy.gather[centre.log2()](element, width, nest.rank, nest.shape, nest.strides[0], centre.data, to);
    const int64_t bytes = width << centre.log2();
    for (int64_t row = 1; row < rows; ++row) std::memcpy(to + row * bytes, to, static_cast<size_t>(bytes));
  }
};

}  // namespace

bool reduces_columns(const ist_node& reduction, const ist_tensor& in) {
  const Matrices m(reduction, in);
  if (!m.fits || kLanes % m.neighbours != 0) return false;
  constexpr int64_t kRounds = 4;  // which lanes of each matrix are worth
  return (m.outer == 1 && m.neighbours == 1) || m.rows >= kRounds * m.lanes();
}

void run_elementwise_reduce_columns(const Context& context, uint32_t first, uint32_t end) {
  const Call call = {context, node_at(context.program, end - 1)};
  const View out = call.output();
  const uint32_t acc = compute_dtype(out.dtype);
  const Reducer& reducer = context.kernels.reduce->fn[reduce_kind(call.node.op)][acc];
  const ist_tensor& input = input_at(call.node, context.program.tensor_size, 0);
  const Matrices m(call.node, input);
  const int log2 = size_log2(acc);
  const int64_t acc_size = int64_t{1} << log2, lane_bytes = m.columns * acc_size;
  const int64_t n_blocks = m.blocks(), block_bytes = m.lanes() * lane_bytes;
  const int64_t together = std::clamp<int64_t>(kLaneBytes / (n_blocks * block_bytes), 1, m.outer);
  const DistancesInColumns distances(context, first, end);
  const Cut cut(m, together, context.threads, distances.found ? kRowsTogether : 0);

  Temporary memory, levels;
  char* const lanes = memory.make(call, together * n_blocks * block_bytes);
  Tree tree(reducer, levels.make(call, Tree::kDepth * lane_bytes), m.outputs(), acc_size);

  const auto square_columns = context.kernels.row->fn[acc == IST_FLOAT64 ? 1 : 0].square_columns;
  // Rows of matrices [matrix, matrix + n) to their lanes. `program` is null where there are distances.
  const auto add_rows = [&](const TileProgram* program, int64_t matrix, int64_t n) {
    const int64_t cost = program ? program->cost() + 1 : DistancesInColumns::kCost;
    const int64_t work = n * m.rows * m.columns * cost, tasks = n * cut.tasks();
    parallel_for(context.threads, tasks, 1 + kGrain * tasks / work, [&](int64_t begin, int64_t end) {
      TileProgram::Frame frame;
      if (program) program->enter(frame);
      const int64_t centre_rows = std::min(cut.rows, m.lanes());
      char* centres = program ? nullptr : scratch(static_cast<size_t>(centre_rows * cut.width * acc_size));
      for (int64_t task = begin; task < end; ++task) {
        const int64_t column = task % cut.n_pieces * cut.width, width = std::min(cut.width, m.columns - column);
        const int64_t lane = task / cut.n_pieces % cut.groups() * cut.group;
        const int64_t block = task / (cut.n_pieces * cut.groups()), start = block % n_blocks * m.block();
        const int64_t stop = std::min(start + m.block(), m.rows), first_row = (matrix + block / n_blocks) * m.rows;
        char* at = lanes + block * block_bytes + lane * lane_bytes + column * acc_size;
        if (!program) distances.load_centres(context, first_row * m.columns + column, width, centre_rows, centres);
        for (int64_t k = 0; k < cut.group; ++k) reducer.identity(width, at + k * lane_bytes);
        const int64_t round = std::max(m.lanes(), cut.rows), taken = std::max(cut.group, cut.rows);
        for (int64_t r = start + lane; r < stop; r += round) {
          for (int64_t row = r; row < std::min(r + taken, stop); row += cut.rows) {
            const int64_t n_rows = std::min(cut.rows, stop - row), rounds = n_rows / m.lanes();
            const int64_t rest = n_rows % m.lanes(), of_round = m.lanes() * width;
            const int64_t element = (first_row + row) * m.columns + column;
            char* to = at + (row - r) * lane_bytes;
            if (!program) {
              const char* x = distances.x.data + element * acc_size;
              square_columns(of_round, to, x, of_round, rounds, centres);
              square_columns(rest * width, to, x + rounds * of_round * acc_size, 0, 1, centres);
              continue;
            }
            program->run(frame, element, n_rows * width);
            const char* x = frame.at[program->asked()];
            if (rounds > 0) reducer.columns(of_round, to, x, of_round, rounds);
            if (rest > 0) reducer.columns(rest * width, to, x + rounds * of_round * acc_size, 0, 1);
          }
        }
      }
    });
  };
  const auto reduce_all = [&](const TileProgram* program) {
    for (int64_t matrix = 0; matrix < m.outer; matrix += together) {
      const int64_t n = std::min(together, m.outer - matrix);
      add_rows(program, matrix, n);
      parallel_for(context.threads, n * n_blocks, 1 + kGrain / (kLanes * m.outputs()), [&](int64_t begin, int64_t end) {
        char* folded = scratch(static_cast<size_t>(lane_bytes));
        for (int64_t b = begin; b < end; ++b) {
          char* row = lanes + b * block_bytes;
          fold_lanes(reducer, m.lanes(), m.columns, lane_bytes, row);
          fold_neighbours(context.kernels, reducer, log2, m.neighbours, m.outputs(), row, folded);
        }
      });
      for (int64_t i = 0; i < n; ++i) {
        tree.clear();
        for (int64_t b = 0; b < n_blocks; ++b) tree.push(lanes + (i * n_blocks + b) * block_bytes);
        char* to = out.data + ((matrix + i) * m.outputs() << out.log2());
        convert(context.kernels, acc, out.dtype, m.outputs(), tree.finish(), to, nullptr);
      }
    }
  };
  if (distances.found) return reduce_all(nullptr);
  const auto plan = [&](TileProgram& program) {
    program.value_as(input, acc);
    program.finish(cut.rows * cut.width, m.rows * m.columns);
  };
  run_planned(context, first, end - 1, end - 1, plan, [&](const TileProgram& program) { reduce_all(&program); });
}

}  // namespace ist::cpu
