#include "../segment.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>

#include "../update_loop.h"
#include "assembler.h"
#include "trace.h"

namespace luge::cpu {
namespace {

using namespace jit;

bool switched_off() {
  static const bool off = [] {
    const char* const text = std::getenv("LUGE_JIT");
    return text && std::string_view(text) == "0";
  }();
  return off;
}

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

    std::vector<Loop::Output> outputs;
    for (const Link& link : links)
      for (const int value : link.out) {
        if (value == Link::kNothing || !context.is_used_outside(value)) continue;
        outputs_.push_back(value);
        outputs.push_back({values_.at(value).at, context.streams(value)});
      }
    std::vector<bool> far;
    for (const Input& input : inputs_) far.push_back(input.value < 0 || context.is_far(input.value));
    loop_ = Loop::assemble(operations, static_cast<int>(inputs_.size()), static_cast<int>(uniforms_.size()), far, outputs);
    if (!loop_) return false;
    pool_ = loop_->pool();
    return true;
  }

  void prepare() override {
    const Update* known = nullptr;
    std::array<double, kUpdateNumbers> numbers{};
    for (std::size_t u = 0; u < uniforms_.size(); ++u) {
      const Uniform& uniform = uniforms_[u];
      double value = 0;
      if (uniform.memory) {
        value = dtype_ == DType::Float32 ? static_cast<double>(*static_cast<const float*>(uniform.memory))
                                         : *static_cast<const double*>(uniform.memory);
      } else {
        if (known != &uniform.update) update_numbers(uniform.update, numbers);
        known = &uniform.update;
        value = numbers[static_cast<std::size_t>(uniform.number)];
      }
      set_pool_entry(pool_.data(), u, dtype_, value);
    }
  }

  void run(void* const* pointers, std::size_t n) const override { loop_->function()(pointers, pool_.data(), n); }

 private:
  /// One number for all elements: from memory, or of an update.
  struct Uniform {
    const void* memory;
    Update update;
    int number;
  };

  static std::optional<DType> common_dtype(const Chain& chain, std::span<const Link> links) {
    std::optional<DType> common;
    const auto fits = [&](DType dtype) {
      if (!common) common = dtype;
      return dtype == *common && is_floating(dtype);
    };
    for (const Link& link : links) {
      for (const ChainInput& in : link.in) {
        if (in.kind == ChainInput::Kind::Value && !fits(chain.values[static_cast<std::size_t>(in.value)])) return {};
        if (in.kind == ChainInput::Kind::Number && !fits(in.number.dtype)) return {};
      }
      for (const int out : link.out)
        if (out != Link::kNothing && !fits(chain.values[static_cast<std::size_t>(out)])) return {};
    }
    return common;
  }

  bool trace_links(const SegmentContext& context, std::span<const Link> links) {
    for (const Link& link : links) {
      std::array<Traced, Elementwise::kMaxInputs> in;
      std::array<Traced, Elementwise::kMaxOutputs> out;
      for (std::size_t i = 0; i < in.size(); ++i) {
        if (link.in[i].kind == ChainInput::Kind::Number) in[i] = Traced(link.in[i].number.floating);
        if (link.in[i].kind == ChainInput::Kind::Value) in[i] = read(context, link.in[i].value);
      }
      if (link.is_update) {
        const Chain::UpdatePart& part = context.chain.updates[static_cast<std::size_t>(link.update)];
        std::array<Traced, kUpdateNumbers> numbers;
        if (!read_numbers(part, numbers)) return false;
        trace(part.call, numbers, in, out);
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

  /// Numbers that are the same for all sets are uniform; a set's own are elements where a set is one element.
  bool read_numbers(const Chain::UpdatePart& part, std::array<Traced, kUpdateNumbers>& numbers) {
    const Update& call = part.call;
    const bool adam = call.rule != UpdateRule::Sgd, momentum = call.first != nullptr;
    const auto add = [&](int number, const Hyper* hyper, bool raw, bool is_read) {
      if (!is_read) return true;
      auto& result = numbers[static_cast<std::size_t>(number)];
      if (!hyper || hyper->stride == 0) {
        result = Traced::of(graph->uniform(static_cast<int>(uniforms_.size())));
        uniforms_.push_back({nullptr, call, number});
        return true;
      }
      if (!raw || call.layout.per_set[part.parameter] != 1) return false;
      result = Traced::of(graph->input(static_cast<int>(inputs_.size())));
      inputs_.push_back({.value = -1, .memory = static_cast<const std::byte*>(hyper->data)});
      return true;
    };
    return add(kLr, &call.lr, true, true) && add(kDecay, &call.weight_decay, true, true) &&
           add(kMomentum, &call.momentum, true, !adam && momentum) && add(kKept, &call.dampening, false, !adam && momentum) &&
           add(kBeta1, &call.beta1, true, adam) && add(kRest1, &call.beta1, false, adam) &&
           add(kBeta2, &call.beta2, true, adam) && add(kRest2, &call.beta2, false, adam) &&
           add(kEpsilon, &call.epsilon, true, adam) && add(kBias1, &call.beta1, false, adam) &&
           add(kRootBias2, &call.beta2, false, adam) && add(kFirstStep, nullptr, false, !adam && momentum);
  }

  DType dtype_ = DType::Float32;
  std::map<int, Traced> values_;
  std::vector<Uniform> uniforms_;
  std::unique_ptr<Loop> loop_;
  std::vector<std::byte> pool_;
};

}  // namespace

std::unique_ptr<Segment> compile_segment(const SegmentContext& context, std::span<const Link> links) {
  if (switched_off()) return nullptr;
  auto segment = std::make_unique<MachineSegment>();
  return segment->make(context, links) ? std::move(segment) : nullptr;
}

}  // namespace luge::cpu
