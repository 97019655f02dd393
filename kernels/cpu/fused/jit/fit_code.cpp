// A model of fits in machine code. What instructions can compute makes loops, from the traces of its formulas;
// functions without instructions go through their tile functions in between. The last loop of each output adds up the
// sums.

#include "../../fit/fit_code.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>

#include <luge/seam/detail/op_traits.h>

#include "../../fit/program.h"
#include "../../tile.h"
#include "assembler.h"
#include "switched_off.h"
#include "trace.h"

namespace luge::cpu {
namespace {

using namespace jit;

constexpr int kRowBytes = static_cast<int>(kFitLanes * static_cast<std::int64_t>(sizeof(double)));

std::size_t index(std::int64_t at) { return static_cast<std::size_t>(at); }
bool is_value(const ChainInput& in) { return in.kind == ChainInput::Kind::Value; }

/// A loop over rows. Inputs and outputs are numbers of tiles, uniforms numbers of lanes.
struct Part {
  std::unique_ptr<Loop> code;
  std::vector<int> tiles, lanes;
  std::vector<std::byte> pools;  ///< for each vector of lanes
  bool sums = false;
};
/// A function without an instruction, from tiles to a tile.
struct TileCall {
  TileFn function;
  std::array<int, 3> in;
  int out;
  std::array<double, 2> parameters;
};

class MachineFit final : public FitCode {
 public:
  explicit MachineFit(const FitSource& source) : source_(source) {}

  /// False where it cannot be made.
  bool make() {
    const int outputs = static_cast<int>(source_.model.outputs.size());
    for (const Link& link : source_.formulas.links) {
      link_of_[link.out[0]] = &link;
      for (const ChainInput& in : link.in)
        if (in.kind == ChainInput::Kind::Number && in.number.dtype != DType::Float64) return false;
    }
    for (int k = 0; k < source_.model.predictors; ++k) tile_of_[k] = k;
    first_y_ = source_.model.predictors;
    first_weight_ = first_y_ + outputs;
    const std::size_t given = index(first_weight_ + (source_.weighted ? outputs : 0));
    tiles_.assign(given, nullptr);
    find_foreign();
    for (int stage = 0; stage < stages_; ++stage)
      if (!add_stage(stage)) return false;
    for (int o = 0; o < outputs; ++o)
      if (!add_sums(o)) return false;
    place_tiles(given);
    return true;
  }

  void prepare() override {
    for (Part& part : parts_)
      for (std::size_t group = 0; group < groups(); ++group)
        for (std::size_t u = 0; u < part.lanes.size(); ++u)
          std::memcpy(part.pools.data() + group * part.code->pool().size() + u * Loop::kPoolEntry,
                      reinterpret_cast<const std::byte*>(source_.lanes + kFitLanes * part.lanes[u]) + group * bytes_,
                      bytes_);
  }

  void run(const FitTiles& tiles, std::int64_t rows, double* sums) override {
    const auto place = [&](int first, const double* const* from, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i)
        tiles_[index(first) + i] = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(from[i]));
    };
    const std::size_t outputs = source_.model.outputs.size();
    place(0, tiles.predictors, index(source_.model.predictors));
    place(first_y_, tiles.y, outputs);
    if (source_.weighted) place(first_weight_, tiles.weight, outputs);
    for (const auto& [is_part, at] : jobs_) is_part ? run(parts_[at], rows, sums) : run(calls_[at], rows);
  }

 private:
  std::size_t groups() const { return kRowBytes / bytes_; }
  /// A mask, which loops compute where they need it: they read and write numbers alone.
  bool is_condition(int value) const { return source_.formulas.values[index(value)] == DType::Bool; }

  void run(const Part& part, std::int64_t rows, double* sums) const {
    std::array<void*, 16> pointers;
    for (std::size_t group = 0; group < groups(); ++group) {
      std::size_t count = 0;
      for (const int tile : part.tiles) pointers[count++] = tiles_[index(tile)] + group * bytes_;
      if (part.sums) pointers[count++] = reinterpret_cast<std::byte*>(sums) + group * bytes_;
      part.code->function()(pointers.data(), part.pools.data() + group * part.code->pool().size(), index(rows), 1);
    }
  }
  void run(const TileCall& call, std::int64_t rows) const {
    std::array<const void*, 3> in{};
    for (std::size_t i = 0; i < in.size(); ++i)
      if (call.in[i] >= 0) in[i] = tiles_[index(call.in[i])];
    void* const out[] = {tiles_[index(call.out)]};
    call.function(in.data(), out, call.parameters.data(), index(rows * kFitLanes));
  }

  // ---- which functions have no instruction, and when they are called

  static bool is_foreign(const Link& link) {
    Graph trial(DType::Float64);
    graph = &trial;
    std::array<Traced, Link::kMaxInputs> in;
    std::array<Traced, Link::kMaxOutputs> out;
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = Traced::of(trial.input(static_cast<int>(i)));
    const bool traced = trace(link, in, out);
    graph = nullptr;
    return !traced;
  }

  /// A call comes after those whose results it needs: its stage is how many of them follow each other.
  void find_foreign() {
    std::vector<int> stage(source_.formulas.values.size(), 0);
    for (const Link& link : source_.formulas.links) {
      const std::size_t out = index(link.out[0]);
      if (source_.is_lane[out]) continue;
      for (const ChainInput& in : link.in)
        if (is_value(in)) stage[out] = std::max(stage[out], stage[index(in.value)]);
      if (!is_foreign(link)) continue;
      foreign_.emplace_back(&link, stage[out]++);
      stages_ = std::max(stages_, stage[out]);
    }
  }

  // ---- parts

  /// Traces what a loop computes, and notes what it reads.
  struct Trace {
    explicit Trace(MachineFit& of) : fit(of) { graph = &operations; }
    ~Trace() { graph = nullptr; }
    Trace(const Trace&) = delete;

    int tile(int number) {
      const auto found = std::find(part.tiles.begin(), part.tiles.end(), number);
      const auto at = found - part.tiles.begin();
      if (found == part.tiles.end()) part.tiles.push_back(number);
      return operations.input(static_cast<int>(at));
    }
    int lane(int value) {
      part.lanes.push_back(value);
      return operations.uniform(static_cast<int>(part.lanes.size()) - 1);
    }
    Traced read(const ChainInput& in) { return is_value(in) ? read(in.value) : Traced(in.number.floating); }
    Traced read(int value) {
      const auto known = values.find(value);
      if (known != values.end()) return known->second;
      Traced result;
      if (const auto stored = fit.tile_of_.find(value); stored != fit.tile_of_.end())
        result = Traced::of(tile(stored->second));
      else if (fit.source_.is_lane[index(value)] && !fit.is_condition(value))
        result = Traced::of(lane(value));
      else
        result = compute(*fit.link_of_.at(value));
      return values[value] = result;
    }
    Traced compute(const Link& link) {
      std::array<Traced, Link::kMaxInputs> in;
      std::array<Traced, Link::kMaxOutputs> out;
      for (std::size_t i = 0; i < in.size(); ++i)
        if (link.in[i].kind != ChainInput::Kind::Absent) in[i] = read(link.in[i]);
      trace(link, in, out);
      return out[0];
    }

    MachineFit& fit;
    Graph operations{DType::Float64};
    Part part;
    std::map<int, Traced> values;
  };

  LoopShape shape(const Trace& of) const {
    return {.graph = of.operations,
            .inputs = static_cast<int>(of.part.tiles.size()),
            .uniforms = static_cast<int>(of.part.lanes.size()),
            .far = std::vector<bool>(of.part.tiles.size(), false),
            .outputs = {},
            .sums = {},
            .row_bytes = kRowBytes,
            .products = {},
            .accumulators = 0};
  }
  bool add_part(Part&& part, const LoopShape& shape) {
    part.code = Loop::assemble(shape);
    if (!part.code) return false;
    for (std::size_t group = 0; group < groups(); ++group)
      part.pools.insert(part.pools.end(), part.code->pool().begin(), part.code->pool().end());
    jobs_.emplace_back(true, parts_.size());
    parts_.push_back(std::move(part));
    return true;
  }

  int add_tile() {
    tiles_.push_back(nullptr);
    return static_cast<int>(tiles_.size()) - 1;
  }

  /// What the calls of a stage read, as tiles, and the calls.
  bool add_stage(int stage) {
    Trace traced(*this);
    std::vector<std::pair<int, int>> stored;  // operation, tile
    for (const auto& [link, when] : foreign_) {
      if (when != stage) continue;
      TileCall call{forward_tile(link->op, DType::Float64), {-1, -1, -1}, -1, link->parameters};
      for (std::size_t i = 0; i < index(traits(link->op).inputs); ++i) {
        const ChainInput& in = link->in[i];
        const auto known = is_value(in) ? tile_of_.find(in.value) : tile_of_.end();
        if (known != tile_of_.end()) {
          call.in[i] = known->second;
          continue;
        }
        if (is_value(in) && is_condition(in.value)) return false;
        const int operation = traced.read(in).at;
        const auto same =
            std::find_if(stored.begin(), stored.end(), [&](const auto& s) { return s.first == operation; });
        call.in[i] = same != stored.end() ? same->second : add_tile();
        if (same == stored.end()) stored.emplace_back(operation, call.in[i]);
      }
      call.out = add_tile();
      calls_.push_back(call);
      foreign_out_.emplace_back(link->out[0], call.out);
    }
    LoopShape loop = shape(traced);
    for (const auto& [operation, tile] : stored) {
      loop.outputs.push_back({operation, false});
      traced.part.tiles.push_back(tile);
    }
    if (!stored.empty() && !add_part(std::move(traced.part), loop)) return false;
    for (const auto& [value, tile] : foreign_out_) tile_of_[value] = tile;
    for (; called_ < calls_.size(); ++called_) jobs_.emplace_back(false, called_);
    return true;
  }

  /// As add_squares of fit/sums.cpp.
  bool add_sums(int output) {
    const int parameters = source_.model.parameters;
    constexpr int kMost = 5;  // add_rows rounds otherwise beyond
    if (parameters > kMost) return false;
    Trace traced(*this);
    const Traced y = Traced::of(traced.tile(first_y_ + output));
    const Traced weight = source_.weighted ? Traced::of(traced.tile(first_weight_ + output)) : Traced();
    const auto weighted = [&](Traced value) {
      return source_.weighted ? select(weight == Traced(0.0), Traced(0.0), value * weight) : value;
    };
    const Traced residual = weighted(traced.read(source_.model.outputs[index(output)]) - y);
    std::vector<int> columns;
    for (int p = 0; p < parameters; ++p)
      columns.push_back(weighted(traced.read(source_.model.derivative(output, p))).at);
    LoopShape loop = shape(traced);
    loop.accumulators = 1 + parameters + parameters * (parameters + 1) / 2;
    loop.products.push_back({0, residual.at, residual.at});
    for (int p = 0; p < parameters; ++p) loop.products.push_back({1 + p, columns[index(p)], residual.at});
    for (int i = 0, next = 1 + parameters; i < parameters; ++i)
      for (int j = 0; j <= i; ++j) loop.products.push_back({next++, columns[index(i)], columns[index(j)]});
    traced.part.sums = true;
    return add_part(std::move(traced.part), loop);
  }

  void place_tiles(std::size_t first) {
    constexpr std::size_t kAlign = 64, kBytes = static_cast<std::size_t>(kFitRows) * kRowBytes;
    memory_.resize((tiles_.size() - first) * kBytes + kAlign);
    std::byte* next = memory_.data() + (kAlign - reinterpret_cast<std::uintptr_t>(memory_.data()) % kAlign) % kAlign;
    for (std::size_t tile = first; tile < tiles_.size(); ++tile, next += kBytes) tiles_[tile] = next;
  }

  const FitSource source_;
  const std::size_t bytes_ = vector_bytes();
  int first_y_ = 0, first_weight_ = 0, stages_ = 0;
  std::map<int, const Link*> link_of_;                ///< by value
  std::map<int, int> tile_of_;                        ///< by value, of those that have one
  std::vector<std::pair<const Link*, int>> foreign_;  ///< with their stages
  std::vector<std::pair<int, int>> foreign_out_;      ///< value, tile
  std::vector<std::byte*> tiles_;                     ///< predictors, y, weights, then those of its own
  std::vector<std::byte> memory_;
  std::vector<Part> parts_;
  std::vector<TileCall> calls_;
  std::size_t called_ = 0;
  std::vector<std::pair<bool, std::size_t>> jobs_;  ///< parts and calls in order
};

}  // namespace

std::unique_ptr<FitCode> compile_fit(const FitSource& source) {
  if (switched_off() || source.model.dtype != DType::Float64) return nullptr;
  // Where functions among the sums of many parameters need too many registers, they are called.
  for (const bool traces : {true, false}) {
    auto code = std::make_unique<MachineFit>(source);
    traces_functions = traces;
    const bool made = code->make();
    traces_functions = true;
    if (made) return code;
  }
  return nullptr;
}

}  // namespace luge::cpu
