#include "../segment.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include <luge/seam/detail/kept_kernels.h>
#include <luge/base/detail/dispatch.h>

#include "../../reduce_space.h"
#include "../../update_loop.h"
#include "assembler.h"
#include "listing.h"
#include "switched_off.h"
#include "trace.h"

namespace luge::cpu {
namespace {

using namespace jit;

class MachineSegment final : public Segment {
 public:
  /// False where it cannot be made.
  bool make(const SegmentContext& context, std::span<const Link> links) {
    const std::optional<DType> dtype = common_dtype(context.chain, links);
    if (!dtype) return false;
    dtype_ = *dtype;
    Graph operations(dtype_);
    graph = &operations;
    const bool traced = trace_links(context, links);
    graph = nullptr;
    if (!traced) return false;

    LoopShape shape{.graph = operations,
                    .inputs = static_cast<int>(inputs_.size()),
                    .uniforms = static_cast<int>(uniforms_.size()),
                    .far = {},
                    .outputs = {},
                    .sums = {}};
    for (const Input& input : inputs_) shape.far.push_back(input.value < 0 || context.is_far(input.value));
    const auto is_summed = [&](int value) {
      return std::find(context.sums.begin(), context.sums.end(), value) != context.sums.end();
    };
    LoopShape summing = shape, carrying = shape;
    for (const Link& link : links)
      for (const int value : link.out) {
        if (value == Link::kNothing) continue;
        const LoopShape::Output output{values_.at(value).at, context.streams(value)};
        if (context.is_used_outside(value)) {
          if (context.chain.values[static_cast<std::size_t>(value)] == DType::Bool) return false;  // a mask stays here
          stored_.push_back(value);
          summing.outputs.push_back(output);
        } else if (!is_summed(value)) {
          continue;
        }
        outputs_.push_back(value);
        shape.outputs.push_back(output);
        if (!context.is_carried(value)) continue;
        carried_.push_back(value);
        carrying.outputs.push_back(output);
      }
    if (!loop_.assemble(shape)) return false;
    if (!carried_.empty() && !carrying_.assemble(carrying)) carried_.clear();
    if (!carried_.empty()) hold_in_registers(context, carrying);
    if (context.sums.empty() ||
        !std::all_of(context.sums.begin(), context.sums.end(), [&](int value) { return values_.contains(value); }))
      return true;
    for (const int value : context.sums) summing.sums.push_back(values_.at(value).at);
    sums_ = summing_.assemble(summing);
    walks_rows_ = find_walks(context, summing) && rows_.assemble(summing);
    return true;
  }

  void prepare(std::int64_t steps) override {
    for (Pooled* const loop : loops()) loop->prepare(steps);
    std::array<double, kMostNumbers> numbers{};
    for (std::int64_t step = 0; step < steps; ++step) {
      const std::int64_t* known = nullptr;
      for (std::size_t u = 0; u < uniforms_.size(); ++u) {
        Uniform& uniform = uniforms_[u];
        if (step > 0 && !uniform.counts_steps) {
          // as at the step before
        } else if (uniform.memory) {
          uniform.value = with_floating(
              dtype_, [&]<class T>() { return static_cast<double>(*static_cast<const T*>(uniform.memory)); });
        } else {
          if (known != uniform.update.steps)
            update_numbers(uniform.update, *uniform.update.steps + step + 1, numbers.data());
          known = uniform.update.steps;  // of one optimizer
          uniform.value = numbers[static_cast<std::size_t>(uniform.number)];
        }
        for (Pooled* const loop : loops()) set_pool_entry(loop->pool(step), u, dtype_, uniform.value);
      }
    }
  }

  void run(std::int64_t step, void* const* pointers, std::size_t n) const override { loop_.run(step, pointers, n); }
  void run_summing(std::int64_t step, void* const* pointers, std::size_t n) const override {
    summing_.run(step, pointers, n);
  }
  void run_rows(std::int64_t step, void* const* pointers, std::size_t n) const override {
    rows_.run(step, pointers, n);
  }
  void run_carrying(std::int64_t step, std::int64_t steps, void* const* pointers, std::size_t n) const override {
    constexpr std::int64_t kWorthwhile = 4;  // steps
    const std::size_t count = inputs_.size() + carried_.size();
    std::array<void*, 16> rest;
    std::copy_n(pointers, count, rest.begin());
    if (holding_.code && steps >= kWorthwhile) {
      const std::size_t whole = n - n % holding_.code->block();
      if (whole > 0) holding_.run(step, pointers, whole, steps);
      for (std::size_t i = 0; i < count; ++i) rest[i] = static_cast<std::byte*>(rest[i]) + whole * size_of(dtype_);
      n -= whole;
    }
    if (n > 0) carrying_.run(step, rest.data(), n, steps);
  }

 private:
  /// A loop, and a pool for each step.
  struct Pooled {
    std::unique_ptr<Loop> code;
    std::vector<std::byte> pools;

    bool assemble(const LoopShape& shape) {
      code = Loop::assemble(shape);
      if (code && keeps_kernels()) keep_kernel(listing(shape), "txt");
      return code != nullptr;
    }
    std::size_t bytes() const { return code->pool().size(); }
    std::byte* pool(std::int64_t step) { return pools.data() + static_cast<std::size_t>(step) * bytes(); }
    void prepare(std::int64_t steps) {
      while (pools.size() < static_cast<std::size_t>(steps) * bytes())
        pools.insert(pools.end(), code->pool().begin(), code->pool().end());
    }
    void run(std::int64_t step, void* const* pointers, std::size_t n, std::int64_t steps = 1) const {
      code->function()(pointers, pools.data() + static_cast<std::size_t>(step) * bytes(), n,
                       static_cast<std::size_t>(steps));
    }
  };

  std::vector<Pooled*> loops() {
    std::vector<Pooled*> made;
    for (Pooled* const loop : {&loop_, &summing_, &rows_, &carrying_, &holding_})
      if (loop->code) made.push_back(loop);
    return made;
  }

  /// A loop whose elements stay in registers from step to step, where each result is an input of the next step.
  void hold_in_registers(const SegmentContext& context, LoopShape shape) {
    for (const int value : carried_) {
      const int load = context.next_load(value);
      const auto input = std::find_if(inputs_.begin(), inputs_.end(),
                                      [&](const Input& other) { return load >= 0 && other.value == load; });
      if (input == inputs_.end()) return;
      shape.next_inputs.push_back(static_cast<int>(input - inputs_.begin()));
    }
    holding_.assemble(shape);
  }

  /// How the inputs and stored outputs of a loop over rows lie in memory; false where they do not lie so.
  bool find_walks(const SegmentContext& context, LoopShape& shape) const {
    if (context.row_length == 0) return false;
    shape.row_length = context.row_length;
    std::vector<int> values;
    for (const Input& input : inputs_) values.push_back(input.value);
    values.insert(values.end(), stored_.begin(), stored_.end());
    for (const int value : values) {
      const std::optional<RowWalk> walk = context.row_walk(value);
      if (!walk || (walk->repeats && shape.walks.size() >= inputs_.size())) return false;
      shape.walks.push_back({walk->row_bytes, walk->repeats});
    }
    return true;
  }

  static constexpr int kMostNumbers = RuleTraits::kMaxNumbers + 1;

  /// One number for all elements: from memory, or of an update.
  struct Uniform {
    const void* memory;
    Update update;
    int number;
    bool counts_steps = false;
    double value = 0;
  };

  static bool reads_mask(const Link& link, std::size_t input) {
    if (link.is_update) return false;
    if (link.op == Op::Where) return input == (link.direction == Direction::Forward ? 0u : 1u);
    return kOpDTypes[static_cast<std::size_t>(link.op)] == DTypes::Logical;
  }

  /// That of all numbers; none where they differ. Bools are masks, which links make for each other.
  static std::optional<DType> common_dtype(const Chain& chain, std::span<const Link> links) {
    std::optional<DType> common;
    std::vector<bool> is_mask(chain.values.size());
    const auto fits = [&](DType dtype) {
      if (!common) common = dtype;
      return dtype == *common && is_floating(dtype);
    };
    for (const Link& link : links) {
      for (std::size_t i = 0; i < link.in.size(); ++i) {
        const ChainInput& in = link.in[i];
        const bool value = in.kind == ChainInput::Kind::Value;
        if (in.kind == ChainInput::Kind::Absent) continue;
        if (reads_mask(link, i)) {
          if (!value || !is_mask[static_cast<std::size_t>(in.value)]) return {};
        } else if (!fits(value ? chain.values[static_cast<std::size_t>(in.value)] : in.number.dtype)) {
          return {};
        }
      }
      for (const int out : link.out) {
        if (out == Link::kNothing) continue;
        const auto value = static_cast<std::size_t>(out);
        is_mask[value] = chain.values[value] == DType::Bool;
        if (!is_mask[value] && !fits(chain.values[value])) return {};
      }
    }
    return common;
  }

  bool trace_links(const SegmentContext& context, std::span<const Link> links) {
    for (const Link& link : links) {
      std::array<Traced, Link::kMaxInputs> in;
      std::array<Traced, Link::kMaxOutputs> out;
      for (std::size_t i = 0; i < in.size(); ++i) {
        if (link.in[i].kind == ChainInput::Kind::Number) in[i] = Traced(link.in[i].number.floating);
        if (link.in[i].kind == ChainInput::Kind::Value) in[i] = read(context, link.in[i].value);
      }
      if (link.is_update) {
        const Chain::UpdatePart& part = context.chain.updates[static_cast<std::size_t>(link.update)];
        std::array<Traced, kMostNumbers> numbers;
        if (!read_numbers(part, numbers, in[Link::kActive])) return false;
        trace(part.call, numbers.data(), in, out);
      } else if (!trace(link, in, out)) {
        return false;
      }
      for (std::size_t i = 0; i < out.size(); ++i)
        if (link.out[i] != Link::kNothing) values_[link.out[i]] = out[i];
    }
    return true;
  }

  Traced read(const SegmentContext& context, int value) {
    const auto known = values_.find(value);
    if (known != values_.end()) return known->second;
    Traced result;
    if (const void* const memory = context.scalar(value)) {
      result = Traced::of(graph->uniform(static_cast<int>(uniforms_.size())));
      uniforms_.push_back({memory, {}, 0});
    } else {
      result = Traced::of(graph->input(static_cast<int>(inputs_.size())));
      inputs_.push_back({.value = value});
    }
    return values_[value] = result;
  }

  /// Numbers that are the same for all sets are uniform; a set's own are elements where a set is one element. `active`
  /// is the flag that the chain makes, if it does.
  bool read_numbers(const Chain::UpdatePart& part, std::array<Traced, kMostNumbers>& numbers, Traced active) {
    const Update& call = part.call;
    for (int i = 0; i < call.numbers(); ++i) {
      const math::Number number = call.number(i);
      if (number.hyper == math::kWeightDecay && !call.decays()) continue;  // the rule does not look at it
      auto& result = numbers[static_cast<std::size_t>(i)];
      if (number.hyper == Update::kActive && active.at >= 0) {
        result = active;
        continue;
      }
      const bool is_plain = number.how == math::Derivation::Plain;
      const void* const data = call.hyper[static_cast<std::size_t>(number.hyper)].data;
      if (!call.is_per_set(i)) {
        result = Traced::of(graph->uniform(static_cast<int>(uniforms_.size())));
        if (is_plain && data)
          uniforms_.push_back({data, {}, 0});
        else
          uniforms_.push_back({nullptr, call, i, number.counts_steps()});
        continue;
      }
      if (!is_plain || call.layout.per_set[part.parameter] != 1) return false;
      result = Traced::of(graph->input(static_cast<int>(inputs_.size())));
      inputs_.push_back({.value = -1, .memory = static_cast<const std::byte*>(data)});
    }
    return true;
  }

  DType dtype_ = DType::Float32;
  std::map<int, Traced> values_;
  std::vector<Uniform> uniforms_;
  Pooled loop_, summing_, rows_, carrying_, holding_;
};

}  // namespace

std::unique_ptr<Segment> compile_segment(const SegmentContext& context, std::span<const Link> links) {
  if (switched_off()) return nullptr;
  auto segment = std::make_unique<MachineSegment>();
  return segment->make(context, links) ? std::move(segment) : nullptr;
}

}  // namespace luge::cpu
