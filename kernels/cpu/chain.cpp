#include "chain.h"

#include <algorithm>
#include <cstring>

#include "losses.h"
#include "reduce_space.h"
#include "scratch.h"
#include "strided.h"
#include "threads.h"
#include "update_loop.h"

namespace luge::cpu {

namespace {

/// Elements of a tile: a dozen tiles of float32 share the first-level cache.
constexpr std::int64_t kTile = 1024;
/// A tile's bytes, and a line more: tiles at multiples of 4096 bytes would wait for one another's stores.
constexpr std::int64_t kSlotBytes = kTile * 8 + 64;
static_assert(kSumChunk == kLossChunk && kSumChunk % kTile == 0);

std::int64_t bytes_of(DType dtype, std::int64_t count) { return count * static_cast<std::int64_t>(size_of(dtype)); }

/// Asks for a run of memory ahead of its use.
void prefetch(const std::byte* from, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(from + i, 0, 3);
}

std::int64_t row_length(const Reduce& call) {
  std::int64_t length = 1;
  for (int d = call.extent.ndim - call.reduced; d < call.extent.ndim; ++d) length *= call.extent.sizes[static_cast<std::size_t>(d)];
  return length;
}

/// The result of one row's sum goes where the call says.
void finish_row(const Reduce& call, std::int64_t length, std::int64_t row, double total) {
  Extent kept = call.extent;
  kept.ndim -= call.reduced;
  const std::int64_t at = offset_at(kept, call.out.strides, row);
  const double value = call.op == ReduceOp::Mean ? total / static_cast<double>(length) : total;
  const auto put = [&]<class T>(T* out) {
    out[at] = call.store == luge::Store::Accumulate ? static_cast<T>(out[at] + static_cast<T>(value)) : static_cast<T>(value);
  };
  call.out.dtype == DType::Float32 ? put(static_cast<float*>(call.out.data)) : put(static_cast<double*>(call.out.data));
}

}  // namespace

// ---- made ready ---------------------------------------------------------------------------------

ChainLoop::ChainLoop(const Chain& chain) : chain_(chain), count_(chain.extent.count()) {
  for (const Chain::Reduction& reduction : chain.reductions) row_ = row_length(reduction.call);
  if (!chain.recordings.empty()) row_ = count_;
  for (const Link& link : chain.links) add_job(link);
  place_values(chain);
}

int ChainLoop::constant(const Operand& number) {
  for (std::size_t c = 0; c < constants_.size(); ++c)
    if (constants_[c].dtype == number.dtype && std::memcmp(&constants_[c].integer, &number.integer, sizeof number.integer) == 0)
      return ~static_cast<int>(c);
  constants_.push_back(number);
  return ~(static_cast<int>(constants_.size()) - 1);
}

void ChainLoop::add_job(const Link& link) {
  Job job;
  job.in.fill(kNothing);
  job.out.fill(kNothing);
  job.parameters = link.parameters;
  DType dtype = DType::Float32;
  for (std::size_t i = 0; i < link.in.size(); ++i) {
    const ChainInput& in = link.in[i];
    if (in.kind == ChainInput::Kind::Absent) continue;
    const bool number = in.kind == ChainInput::Kind::Number;
    job.in[i] = number ? constant(in.number) : in.value;
    // Where has its condition first; everything else has a value there.
    if (i == (link.op == Op::Where && link.direction == Direction::Forward ? 1u : 0u))
      dtype = number ? in.number.dtype : chain_.values[static_cast<std::size_t>(in.value)];
  }
  for (std::size_t i = 0; i < link.out.size(); ++i)
    if (link.out[i] != Link::kNothing) job.out[i] = link.out[i];
  if (link.is_update) {
    job.tile = nullptr;
    job.update = link.update;
    const Chain::UpdatePart& part = chain_.updates[static_cast<std::size_t>(link.update)];
    job.per_set = part.call.layout.per_set[part.parameter];
  } else {
    job.tile = link.direction == Direction::Forward ? forward_tile(link.op, dtype) : backward_tile(link.op, dtype);
  }
  jobs_.push_back(job);
}

void ChainLoop::place_values(const Chain& chain) {
  places_.resize(chain.values.size());
  const auto is_whole = [&](const Operand& window) { return is_contiguous(chain.extent, window.strides); };
  const auto bytes = [&](const Operand& window) { return bytes_of(window.dtype, count_); };

  // The last job that reads a value; what is read when all jobs are done counts as one more.
  std::vector<int> last(chain.values.size(), -1);
  for (std::size_t j = 0; j < jobs_.size(); ++j)
    for (const int in : jobs_[j].in)
      if (in >= 0) last[static_cast<std::size_t>(in)] = static_cast<int>(j);
  const auto read_at_end = [&](int value) { last[static_cast<std::size_t>(value)] = static_cast<int>(jobs_.size()); };
  for (const Chain::Reduction& reduction : chain.reductions) read_at_end(reduction.value);
  for (const Chain::Recording& recording : chain.recordings) read_at_end(recording.value);
  for (const Chain::Window& load : chain.loads)
    for (const Chain::Window& store : chain.stores)
      if (store.value == load.value) read_at_end(load.value);

  for (const Chain::Window& load : chain.loads) {
    const Operand& window = load.memory;
    const Access access = is_constant(chain.extent, window.strides) && count_ > 1 ? Access::Constant
                          : is_whole(window)                                      ? Access::Whole
                                                                                  : Access::Gather;
    loads_.push_back({access, worth_streaming(bytes(window)), load.value, window});
    if (access == Access::Whole) places_[static_cast<std::size_t>(load.value)].memory = static_cast<std::byte*>(window.data);
  }

  for (const Chain::Window& store : chain.stores) {
    const Operand& window = store.memory;
    const auto value = static_cast<std::size_t>(store.value);
    const auto old = std::find_if(loads_.begin(), loads_.end(), [&](const Load& load) {
      return load.access == Access::Whole && load.window.data == window.data;
    });
    if (old != loads_.end() && old->value == store.value) continue;  // unchanged
    const auto maker = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) {
      return std::find(job.out.begin(), job.out.end(), store.value) != job.out.end();
    });
    // Written where it belongs at once, unless what was there is still to be read.
    const bool in_place = is_whole(window) && maker != jobs_.end() && places_[value].memory == nullptr &&
                          (old == loads_.end() || last[static_cast<std::size_t>(old->value)] <= maker - jobs_.begin());
    const bool streams = is_whole(window) && old == loads_.end() && worth_streaming(bytes(window));
    if (in_place && !streams)
      places_[value].memory = static_cast<std::byte*>(window.data);
    else
      stores_.push_back({store.value, is_whole(window), streams, window});
  }
  for (const Store& store : stores_) read_at_end(store.value);

  // Slots are used again as soon as nobody reads them any more.
  std::vector<int> free_slots;
  const auto take = [&](int value) {
    Place& place = places_[static_cast<std::size_t>(value)];
    if (place.memory != nullptr || place.slot >= 0) return;
    if (free_slots.empty()) free_slots.push_back(slots_++);
    place.slot = free_slots.back();
    free_slots.pop_back();
  };
  for (const Load& load : loads_) take(load.value);
  const auto is_kept = [&](int value) {  // filled once for many tiles
    return std::any_of(loads_.begin(), loads_.end(), [&](const Load& load) {
      return load.value == value && load.access == Access::Constant;
    });
  };
  for (std::size_t j = 0; j < jobs_.size(); ++j) {
    for (const int out : jobs_[j].out)
      if (out >= 0) take(out);
    for (const int in : jobs_[j].in) {
      if (in < 0 || last[static_cast<std::size_t>(in)] != static_cast<int>(j) || is_kept(in)) continue;
      Place& place = places_[static_cast<std::size_t>(in)];
      if (place.slot >= 0 && std::find(free_slots.begin(), free_slots.end(), place.slot) == free_slots.end())
        free_slots.push_back(place.slot);
    }
  }
}

// ---- run ----------------------------------------------------------------------------------------

/// One thread's walk over a range of elements.
class ChainLoop::Walk {
 public:
  explicit Walk(const ChainLoop& loop, std::int64_t tile)
      : loop_(loop), memory_((static_cast<std::int64_t>(loop.constants_.size()) + loop.slots_) * kSlotBytes) {
    std::byte* const constants = memory_.data() + loop.slots_ * kSlotBytes;
    tiles_.resize(loop.places_.size());
    for (std::size_t v = 0; v < tiles_.size(); ++v)
      if (loop.places_[v].slot >= 0) tiles_[v] = memory_.data() + loop.places_[v].slot * kSlotBytes;
    for (std::size_t c = 0; c < loop.constants_.size(); ++c) {
      std::byte* const to = constants + static_cast<std::int64_t>(c) * kSlotBytes;
      write_immediate(to, loop.constants_[c]);
      fill(to, to, size_of(loop.constants_[c].dtype), tile);
      constants_.push_back(to);
    }
    for (const Load& load : loop.loads_)
      if (load.access == Access::Constant)
        fill(tiles_[static_cast<std::size_t>(load.value)], load.window.data, size_of(load.window.dtype), tile);
    for (const Chain::UpdatePart& part : loop.chain_.updates) updates_.push_back(update_loop(part.call));
  }

  /// Computes the n <= kTile elements from `position` on.
  void tile(std::int64_t position, std::int64_t n) {
    for (const Load& load : loop_.loads_) {
      const auto v = static_cast<std::size_t>(load.value);
      const std::size_t size = size_of(load.window.dtype);
      if (load.access == Access::Whole) {
        const std::int64_t bytes = n * static_cast<std::int64_t>(size);
        tiles_[v] = loop_.places_[v].memory + position * static_cast<std::int64_t>(size);
        if (load.far && position + 2 * n <= loop_.count_) prefetch(tiles_[v] + bytes, bytes);
      } else if (load.access == Access::Gather) {
        gather(tiles_[v], load.window.data, size, loop_.chain_.extent, load.window.strides, position, n);
      }
    }
    for (const Job& job : loop_.jobs_) run(job, position, n);
    for (const Store& store : loop_.stores_) {
      const std::byte* const from = tiles_[static_cast<std::size_t>(store.value)];
      const Operand& window = store.window;
      const auto bytes = static_cast<std::size_t>(bytes_of(window.dtype, n));
      std::byte* const to = static_cast<std::byte*>(window.data) + bytes_of(window.dtype, position);
      if (store.streams)
        stream(to, from, bytes);
      else if (store.contiguous)
        std::memcpy(to, from, bytes);
      else
        scatter(from, window.data, window.dtype, luge::Store::Overwrite, loop_.chain_.extent, window.strides, position, n);
    }
  }

  const std::byte* value(int v) const { return tiles_[static_cast<std::size_t>(v)]; }

  ~Walk() {
    if (std::any_of(loop_.stores_.begin(), loop_.stores_.end(), [](const Store& store) { return store.streams; }))
      finish_streams();
  }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

 private:
  std::byte* at(int v, std::int64_t position) {
    const auto value = static_cast<std::size_t>(v);
    const Place& place = loop_.places_[value];
    if (place.memory != nullptr) tiles_[value] = place.memory + bytes_of(loop_.chain_.values[value], position);
    return tiles_[value];
  }

  void run(const Job& job, std::int64_t position, std::int64_t n) {
    const void* in[Elementwise::kMaxInputs];
    void* out[Elementwise::kMaxOutputs];
    for (std::size_t i = 0; i < job.in.size(); ++i) {
      const int v = job.in[i];
      in[i] = v == kNothing ? nullptr : v < 0 ? constants_[static_cast<std::size_t>(~v)] : tiles_[static_cast<std::size_t>(v)];
    }
    for (std::size_t i = 0; i < job.out.size(); ++i) out[i] = job.out[i] == kNothing ? nullptr : at(job.out[i], position);
    if (job.tile != nullptr) return job.tile(in, out, job.parameters.data(), static_cast<std::size_t>(n));
    // An update steps in place: where its results belong elsewhere, what it goes on from is brought there.
    const std::size_t from[] = {0, 2, 3};
    for (std::size_t i = 0; i < 3; ++i)
      if (out[i] != nullptr && out[i] != in[from[i]])
        std::memcpy(out[i], in[from[i]], static_cast<std::size_t>(bytes_of(loop_.chain_.values[static_cast<std::size_t>(job.out[i])], n)));
    updates_[static_cast<std::size_t>(job.update)]->run(job.per_set, position, n, out[0], in[1], out[1], out[2]);
  }

  const ChainLoop& loop_;
  Scratch<std::byte> memory_;
  std::vector<std::byte*> tiles_;  ///< by value
  std::vector<std::byte*> constants_;
  std::vector<std::unique_ptr<UpdateLoop>> updates_;
};

namespace {

/// A row's chunks, for every reduction and recording of a chain.
struct Partials {
  Partials(std::size_t sums, std::size_t recordings, std::int64_t chunks)
      : total(chunks * static_cast<std::int64_t>(sums)), losses(chunks * static_cast<std::int64_t>(recordings)) {}
  Scratch<double> total;
  Scratch<LossPartial> losses;
};

}  // namespace

void ChainLoop::run() const {
  const auto& sums = chain_.reductions;
  const auto& recordings = chain_.recordings;
  if (row_ == 0) {
    parallel_for(
        count_, static_cast<std::int64_t>(jobs_.size()),
        [&](std::int64_t begin, std::int64_t end) {
          Walk walk(*this, std::min(kTile, end - begin));
          for (std::int64_t p = begin; p < end; p += kTile) walk.tile(p, std::min(kTile, end - p));
        },
        kTile);
    return;
  }
  const std::int64_t rows = count_ / row_;
  if (row_ <= kTile && recordings.empty()) {  // whole rows in a tile
    const std::int64_t together = kTile / row_;
    parallel_for(
        rows, row_ * static_cast<std::int64_t>(jobs_.size()),
        [&](std::int64_t begin, std::int64_t end) {
          Walk walk(*this, std::min(together, end - begin) * row_);
          for (std::int64_t r = begin; r < end; r += together) {
            const std::int64_t n = std::min(together, end - r);
            walk.tile(r * row_, n * row_);
            for (const Chain::Reduction& sum : sums) {
              const DType dtype = chain_.values[static_cast<std::size_t>(sum.value)];
              for (std::int64_t i = 0; i < n; ++i)
                finish_row(sum.call, row_, r + i, sum_chunk(dtype, walk.value(sum.value) + bytes_of(dtype, i * row_), row_));
            }
          }
        },
        together);
    return;
  }
  const std::int64_t chunks = (row_ + kSumChunk - 1) / kSumChunk;
  Partials partials(sums.size(), recordings.size(), rows * chunks);
  parallel_for(rows * chunks, std::min(row_, kSumChunk) * static_cast<std::int64_t>(jobs_.size()),
               [&](std::int64_t begin, std::int64_t end) {
    Walk walk(*this, std::min(kTile, row_));
    const std::size_t values = sums.size() + recordings.size();
    Scratch<std::byte> chunk(static_cast<std::int64_t>(values) * kSumChunk * 8);
    const auto part = [&](std::size_t value) { return chunk.data() + static_cast<std::int64_t>(value) * kSumChunk * 8; };
    for (std::int64_t c = begin; c < end; ++c) {
      const std::int64_t first = c % chunks * kSumChunk, n = std::min(kSumChunk, row_ - first),
                         position = c / chunks * row_ + first;
      const auto collect = [&](std::size_t slot, int value, std::int64_t done, std::int64_t count) {
        const DType dtype = chain_.values[static_cast<std::size_t>(value)];
        std::memcpy(part(slot) + bytes_of(dtype, done), walk.value(value), static_cast<std::size_t>(bytes_of(dtype, count)));
      };
      for (std::int64_t done = 0; done < n; done += kTile) {
        const std::int64_t count = std::min(kTile, n - done);
        walk.tile(position + done, count);
        for (std::size_t s = 0; s < sums.size(); ++s) collect(s, sums[s].value, done, count);
        for (std::size_t r = 0; r < recordings.size(); ++r) collect(sums.size() + r, recordings[r].value, done, count);
      }
      for (std::size_t s = 0; s < sums.size(); ++s)
        partials.total[c * static_cast<std::int64_t>(sums.size()) + static_cast<std::int64_t>(s)] =
            sum_chunk(chain_.values[static_cast<std::size_t>(sums[s].value)], part(s), n);
      for (std::size_t r = 0; r < recordings.size(); ++r) {
        const DType dtype = chain_.values[static_cast<std::size_t>(recordings[r].value)];
        keep_losses(recordings[r].call, dtype, part(sums.size() + r), first, n);
        partials.losses[c * static_cast<std::int64_t>(recordings.size()) + static_cast<std::int64_t>(r)] =
            summarize(dtype, part(sums.size() + r), n);
      }
    }
  });
  for (std::size_t s = 0; s < sums.size(); ++s)
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto at = [&](std::int64_t c) {
        return partials.total[(row * chunks + c) * static_cast<std::int64_t>(sums.size()) + static_cast<std::int64_t>(s)];
      };
      double total = at(0);
      for (std::int64_t c = 1; c < chunks; ++c) total += at(c);
      finish_row(sums[s].call, row_, row, total);
    }
  for (std::size_t r = 0; r < recordings.size(); ++r) {
    LossPartial all = partials.losses[static_cast<std::int64_t>(r)];
    for (std::int64_t c = 1; c < chunks; ++c)
      all.add(partials.losses[c * static_cast<std::int64_t>(recordings.size()) + static_cast<std::int64_t>(r)]);
    record(recordings[r].call, all);
  }
}

}  // namespace luge::cpu
