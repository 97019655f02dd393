// The driver of all elementwise calls: it walks the iteration space in tiles and brings each operand
// into the contiguous form the tile functions want.

#include "boxes.h"
#include "kernels.h"
#include "strided.h"
#include "threads.h"
#include "tile.h"

#include <algorithm>
#include <cstddef>

namespace luge::cpu {
namespace {

/// Elements of a tile that has to be made up: a few of them share the first-level cache.
constexpr std::int64_t kTile = 1024;
/// Rows at least this long are walked one by one, so that an operand repeated from row to row is used
/// where it lies; shorter ones are gathered across rows.
constexpr std::int64_t kLongRow = 128;
/// Streaming breaks whole cache lines at the ends of a row; it pays from this many elements on.
constexpr std::int64_t kLongStream = 512;
/// Tile of calls whose operands lie in memory rather than in a cache: with touch() it makes the memory
/// serve one run after the other, which was measured to be up to 1.7 times as fast.
constexpr std::int64_t kColdTile = 512;

const TileTable& tiles() {
  static const TileTable table = [] {
    TileTable made;
    add_unary_tiles(made);
    add_binary_tiles(made);
    add_choice_tiles(made);
    return made;
  }();
  return table;
}

TileFn tile_of(const Elementwise& call) {
  if (call.direction == Direction::Backward) return backward_tile(call.op, call.in[0].dtype);
  // Where has its condition first; everything else has a value there.
  return forward_tile(call.op, call.in[call.op == Op::Where ? 1 : 0].dtype);
}

/// The tile that fetches ahead, and writes its only output past the caches by itself; null where there is none.
TileFn streaming_tile_of(const Elementwise& call) {
  if (reinterpret_cast<std::uintptr_t>(call.out[0].data) % kPastCaches != 0) return nullptr;
  const bool forward = call.direction == Direction::Forward;
  const auto& streaming = forward ? tiles().past_caches : tiles().past_caches_backward;
  return streaming[static_cast<int>(call.op)][static_cast<int>(call.in[0].dtype)];
}

/// Brings a run into the first-level cache. Prefetchers follow one stream well and several in turn badly;
/// two accesses to each line were measured to set them going faster than one.
void touch(const void* data, std::size_t bytes) {
  const auto* const from = static_cast<const volatile std::byte*>(data);
  for (std::size_t i = 0; i < bytes; i += 32) static_cast<void>(from[i]);
}

struct alignas(64) TileBuffer {
  std::byte bytes[kTile * 8];
};

/// One call of at most a tile, all operands contiguous: the short way for small tensors.
bool run_small(const Elementwise& call, TileFn tile, std::int64_t n) {
  const std::int64_t unit = n == 1 ? 0 : 1;
  const auto contiguous = [&](const Operand& operand) { return unit == 0 || operand.strides[0] == 1; };
  for (int i = 0; i < call.inputs; ++i) {
    const Operand& operand = call.in[static_cast<std::size_t>(i)];
    if (operand.is_memory() && !contiguous(operand)) return false;
  }
  for (int i = 0; i < call.outputs; ++i) {
    const Operand& operand = call.out[static_cast<std::size_t>(i)];
    if (operand.is_memory() && !contiguous(operand)) return false;
  }
  TileBuffer buffers[Elementwise::kMaxInputs + Elementwise::kMaxOutputs];
  const void* in[Elementwise::kMaxInputs];
  void* out[Elementwise::kMaxOutputs];
  for (int i = 0; i < call.inputs; ++i) {
    const auto u = static_cast<std::size_t>(i);
    const Operand& operand = call.in[u];
    in[i] = operand.is_memory() ? operand.data : nullptr;
    if (!operand.is_immediate()) continue;
    std::byte* const bytes = buffers[i].bytes;
    write_immediate(bytes, operand);
    if (n > 1) fill(bytes, bytes, size_of(operand.dtype), n);
    in[i] = bytes;
  }
  bool sums = false;
  for (int i = 0; i < call.outputs; ++i) {
    const auto u = static_cast<std::size_t>(i);
    out[i] = call.out[u].is_memory() ? call.out[u].data : nullptr;
    if (out[i] == nullptr || call.store[u] == Store::Overwrite) continue;
    out[i] = buffers[Elementwise::kMaxInputs + i].bytes;
    sums = true;
  }
  tile(in, out, call.parameters.data(), static_cast<std::size_t>(n));
  if (sums) {
    for (int i = 0; i < call.outputs; ++i) {
      const auto u = static_cast<std::size_t>(i);
      if (out[i] != nullptr && call.store[u] == Store::Accumulate)
        accumulate(call.out[u].data, out[i], call.out[u].dtype, n);
    }
  }
  return true;
}

/// How an operand reaches the tile function (or its result the memory).
enum class Access : std::uint8_t {
  Absent,
  Whole,     ///< contiguous over the whole extent: used where it lies
  Constant,  ///< one element for all: a tile filled once
  Row,       ///< contiguous along the row: used where it lies
  Repeated,  ///< one element per row: a tile filled for each row
  Gather,    ///< anything else: gathered into a tile, or scattered from it
};

struct Plan {
  const Elementwise& call;
  TileFn tile;
  Extent space;              ///< as walked: one dimension where every operand permits
  std::int64_t row = 0;      ///< length of a row of `space`
  std::int64_t segment = 0;  ///< longest run handed to the tile function
  std::array<Access, Elementwise::kMaxInputs> in;
  std::array<Access, Elementwise::kMaxOutputs> out;
  std::array<bool, Elementwise::kMaxOutputs> stream{};
  bool past_caches = false;  ///< `tile` fetches ahead and streams by itself
  bool cold = false;         ///< the operands come from memory

  explicit Plan(const Elementwise& c);
  void run(std::int64_t begin, std::int64_t end) const;

 private:
  Access access(const Operand& operand, bool rows) const;
  bool is_input(const Operand& output) const;
};

Access Plan::access(const Operand& operand, bool rows) const {
  if (operand.is_absent()) return Access::Absent;
  if (operand.is_immediate() || is_constant(call.extent, operand.strides)) return Access::Constant;
  if (is_contiguous(call.extent, operand.strides)) return Access::Whole;
  if (!rows) return Access::Gather;
  const std::int64_t inner = operand.strides[static_cast<std::size_t>(call.extent.ndim - 1)];
  return inner == 1 ? Access::Row : inner == 0 ? Access::Repeated : Access::Gather;
}

bool Plan::is_input(const Operand& output) const {
  return std::any_of(call.in.begin(), call.in.begin() + call.inputs,
                     [&](const Operand& input) { return input.is_memory() && input.data == output.data; });
}

Plan::Plan(const Elementwise& c) : call(c), tile(tile_of(c)), space(c.extent) {
  const std::int64_t n = call.extent.count();
  const std::int64_t inner =
      call.extent.ndim == 0 ? 1 : call.extent.sizes[static_cast<std::size_t>(call.extent.ndim - 1)];
  const bool rows = call.extent.ndim > 1 && inner >= kLongRow;
  bool walks_rows = false, made_up = false;
  const auto note = [&](Access access) {
    walks_rows |= access == Access::Row || access == Access::Repeated;
    made_up |= access == Access::Constant || access == Access::Repeated || access == Access::Gather;
  };
  for (int i = 0; i < call.inputs; ++i)
    note(in[static_cast<std::size_t>(i)] = access(call.in[static_cast<std::size_t>(i)], rows));
  for (int i = 0; i < call.outputs; ++i) {
    const auto u = static_cast<std::size_t>(i);
    Access& how = out[u] = access(call.out[u], rows);
    if (how == Access::Constant) how = Access::Whole;  // an output of one element
    note(how);
    if (how == Access::Absent) continue;
    made_up |= call.store[u] == Store::Accumulate;
  }
  row = walks_rows ? inner : n;
  for (int i = 0; i < call.outputs; ++i) {
    const auto u = static_cast<std::size_t>(i);
    stream[u] = out[u] == Access::Whole && call.store[u] == Store::Overwrite && row >= kLongStream &&
                worth_streaming(n * static_cast<std::int64_t>(size_of(call.out[u].dtype))) && !is_input(call.out[u]);
    made_up |= stream[u];
  }
  cold = worth_streaming(n * static_cast<std::int64_t>(size_of(call.in[0].dtype)));
  if (stream[0] && row == n) {
    if (const TileFn streaming = streaming_tile_of(call); streaming != nullptr) tile = streaming, past_caches = true;
  }
  segment = past_caches ? kTile : cold ? kColdTile : made_up ? kTile : row;
}

void Plan::run(std::int64_t begin, std::int64_t end) const {
  TileBuffer buffers[Elementwise::kMaxInputs + Elementwise::kMaxOutputs];
  const void* in_data[Elementwise::kMaxInputs];
  void* out_data[Elementwise::kMaxOutputs];
  std::array<std::int64_t, Elementwise::kMaxInputs> in_row{};
  std::array<std::int64_t, Elementwise::kMaxOutputs> out_row{};
  for (int i = 0; i < call.inputs; ++i) {
    const auto u = static_cast<std::size_t>(i);
    in_data[i] = in[u] == Access::Absent ? nullptr : buffers[i].bytes;
    if (in[u] != Access::Constant) continue;
    const std::size_t size = size_of(call.in[u].dtype);
    if (call.in[u].is_immediate())
      write_immediate(buffers[i].bytes, call.in[u]);
    else
      fill(buffers[i].bytes, call.in[u].data, size, 1);
    fill(buffers[i].bytes, buffers[i].bytes, size, std::min(kTile, end - begin));
  }
  std::int64_t row_index = begin / row, column = begin - row_index * row;
  bool new_row = true;
  for (std::int64_t position = begin; position < end;) {
    const std::int64_t n = std::min({segment, row - column, end - position});
    for (int i = 0; i < call.inputs; ++i) {
      const auto u = static_cast<std::size_t>(i);
      const Operand& operand = call.in[u];
      const std::size_t size = size_of(operand.dtype);
      const std::byte* const data = static_cast<const std::byte*>(operand.data);
      if (new_row && (in[u] == Access::Row || in[u] == Access::Repeated)) {
        in_row[u] = offset_at(call.extent, operand.strides, row_index * row) * static_cast<std::int64_t>(size);
        if (in[u] == Access::Repeated) fill(buffers[i].bytes, data + in_row[u], size, std::min(kTile, row));
      }
      switch (in[u]) {
        case Access::Whole: in_data[i] = data + position * static_cast<std::int64_t>(size); break;
        case Access::Row: in_data[i] = data + in_row[u] + column * static_cast<std::int64_t>(size); break;
        case Access::Gather: gather(buffers[i].bytes, data, size, call.extent, operand.strides, position, n); break;
        case Access::Absent:
        case Access::Constant:
        case Access::Repeated: break;
      }
      if (cold && !past_caches && (in[u] == Access::Whole || in[u] == Access::Row))
        touch(in_data[i], static_cast<std::size_t>(n) * size);
    }
    std::array<std::byte*, Elementwise::kMaxOutputs> target{};  // where it lies, if it lies in one piece
    for (int i = 0; i < call.outputs; ++i) {
      const auto u = static_cast<std::size_t>(i);
      out_data[i] = nullptr;
      if (out[u] == Access::Absent) continue;
      const Operand& operand = call.out[u];
      const auto size = static_cast<std::int64_t>(size_of(operand.dtype));
      std::byte* const data = static_cast<std::byte*>(operand.data);
      if (out[u] == Access::Whole) target[u] = data + position * size;
      if (out[u] == Access::Row) {
        if (new_row) out_row[u] = offset_at(call.extent, operand.strides, row_index * row) * size;
        target[u] = data + out_row[u] + column * size;
      }
      if (cold && target[u] != nullptr && call.store[u] == Store::Accumulate)
        touch(target[u], static_cast<std::size_t>(n * size));
      const bool direct = target[u] != nullptr && call.store[u] == Store::Overwrite && (!stream[u] || past_caches);
      out_data[i] = direct ? target[u] : buffers[Elementwise::kMaxInputs + i].bytes;
    }
    tile(in_data, out_data, call.parameters.data(), static_cast<std::size_t>(n));
    for (int i = 0; i < call.outputs; ++i) {
      const auto u = static_cast<std::size_t>(i);
      if (out_data[i] == nullptr || out_data[i] == target[u]) continue;
      const Operand& operand = call.out[u];
      if (target[u] == nullptr)
        scatter(out_data[i], operand.data, operand.dtype, call.store[u], call.extent, operand.strides, position, n);
      else if (call.store[u] == Store::Accumulate)
        accumulate(target[u], out_data[i], operand.dtype, n);
      else
        luge::cpu::stream(target[u], out_data[i], static_cast<std::size_t>(n) * size_of(operand.dtype));
    }
    position += n;
    column += n;
    new_row = column == row;
    if (new_row) ++row_index, column = 0;
  }
  if (std::find(stream.begin(), stream.end(), true) != stream.end()) finish_streams();
}

/// Elements from which on crossed operands are worth walking in boxes.
constexpr std::int64_t kManyCrossed = 4096;

/// The dimension along which an operand is contiguous that is not so along the last one; -1: none.
int crossed_dim(const Elementwise& call) {
  const int last = call.extent.ndim - 1;
  if (last < 1 || call.extent.ndim + 2 > kMaxDims || call.extent.count() < kManyCrossed) return -1;
  const auto dim_of = [&](const Operand& operand) {
    if (!operand.is_memory() || operand.strides[static_cast<std::size_t>(last)] < BoxGrid::kBoxRows) return -1;
    for (int d = 0; d < last; ++d)
      if (operand.strides[static_cast<std::size_t>(d)] == 1 &&
          call.extent.sizes[static_cast<std::size_t>(d)] >= BoxGrid::kBoxRows)
        return d;
    return -1;
  };
  int dim = -1;
  for (int i = 0; i < call.inputs; ++i) dim = std::max(dim, dim_of(call.in[static_cast<std::size_t>(i)]));
  for (int i = 0; i < call.outputs; ++i) dim = std::max(dim, dim_of(call.out[static_cast<std::size_t>(i)]));
  return dim;
}

void run_planned(const Elementwise& call) {
  const Plan plan(call);
  parallel_for(
      call.extent.count(), 1, [&](std::int64_t begin, std::int64_t end) { plan.run(begin, end); }, kTile);
}

void run_boxes(const Elementwise& call, int dim) {
  for (int part = 0; part < BoxGrid::kGrids; ++part) {
    const BoxGrid grid(call.extent, dim, part);
    if (grid.empty()) continue;
    Elementwise boxes = call;
    boxes.extent = grid.extent();
    for (int i = 0; i < call.inputs; ++i)
      boxes.in[static_cast<std::size_t>(i)] = grid.operand(call.in[static_cast<std::size_t>(i)]);
    for (int i = 0; i < call.outputs; ++i)
      boxes.out[static_cast<std::size_t>(i)] = grid.operand(call.out[static_cast<std::size_t>(i)]);
    run_planned(boxes);
  }
}

}  // namespace

TileFn forward_tile(Op op, DType dtype) { return tiles().forward[static_cast<int>(op)][static_cast<int>(dtype)]; }
TileFn backward_tile(Op op, DType dtype) { return tiles().backward[static_cast<int>(op)][static_cast<int>(dtype)]; }

void run(const Elementwise& call) {
  if (call.extent.ndim <= 1) {
    const std::int64_t n = call.extent.ndim == 0 ? 1 : call.extent.sizes[0];
    if (n <= kTile && run_small(call, tile_of(call), n)) return;
  }
  if (const int dim = crossed_dim(call); dim >= 0) return run_boxes(call, dim);
  run_planned(call);
}

}  // namespace luge::cpu
