#include <luge/capture/detail/describe.h>

#include <algorithm>
#include <chrono>

#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

Cost cost_of(const Chain& chain) {
  Cost cost;
  for (const auto* const windows : {&chain.loads, &chain.stores})
    for (Chain::Window window : *windows)
      cost.bytes += static_cast<double>(window_effect(window.memory, chain.extent, true, true).bytes);
  const auto n = static_cast<double>(chain.extent.count());
  for (const Link& link : chain.links) {
    if (!link.is_update) {
      cost.flops += n;
      continue;
    }
    Update part = chain.updates[static_cast<std::size_t>(link.update)].call;
    part.layout.size = chain.extent.count();
    cost.flops += part.flops();
  }
  // Hyperparameters that each set has of its own are read besides the windows.
  for (const Chain::UpdatePart& part : chain.updates) {
    const Update& call = part.call;
    for_each_effect(call, [&](const Effect& effect) {
      if (!effect.writes && *effect.data != call.grad && effect.bytes > bytes_of(call.dtype, 1))
        cost.bytes += static_cast<double>(effect.bytes);
    });
  }
  cost.flops += n * static_cast<double>(chain.reductions.size() + 3 * chain.recordings.size());
  return cost;
}

Cost cost_of(const Plan::Item& item) {
  const auto* const call = std::get_if<Call>(&item);
  return call ? luge::cost_of(*call) : cost_of(std::get<Chain>(item));
}

std::string words(const Chain& chain) {
  std::string text;
  const auto add = [&](std::string_view word) {
    if (!text.empty()) text += ' ';
    text += word;
  };
  for (const Link& link : chain.links) {
    if (link.is_update)
      add(chain.updates[static_cast<std::size_t>(link.update)].call.name());
    else
      add(link.direction == Direction::Forward ? std::string(name(link.op)) : fmt::format("d{}", name(link.op)));
  }
  for (const Chain::Reduction& reduction : chain.reductions) add(reduction.call.name());
  for (std::size_t i = 0; i < chain.recordings.size(); ++i) add("record");
  return text;
}

std::string shape_of(const Plan::Item& item) {
  const auto* const chain = std::get_if<Chain>(&item);
  return chain ? fmt::format("{}", chain->extent.count()) : std::string();
}

/// Bytes read and written per second by a copy that no cache holds.
double copy_bandwidth(Backend& backend) {
  constexpr std::int64_t kCount = std::int64_t{1} << 24;
  const Tensor from = empty_tensor({kCount}, DType::Float32, backend), to = empty_tensor({kCount}, DType::Float32, backend);
  fill_values(from, 1);
  double best = 0;
  for (int i = 0; i < 4; ++i) {
    backend.synchronize();
    const auto begun = std::chrono::steady_clock::now();
    copy_values(from, to, Store::Overwrite);
    backend.synchronize();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    best = std::max(best, 2.0 * kCount * sizeof(float) / seconds);
  }
  return best;
}

}  // namespace

StepFigures count(const std::vector<Call>& recorded, const Plan& plan) {
  StepFigures figures;
  figures.recorded_calls = static_cast<std::int64_t>(recorded.size());
  figures.launches = static_cast<std::int64_t>(plan.items.size());
  for (const Call& call : recorded) figures.recorded_bytes += luge::cost_of(call).bytes;
  for (const Plan::Item& item : plan.items) {
    const Cost cost = cost_of(item);
    figures.bytes += cost.bytes;
    figures.flops += cost.flops;
  }
  return figures;
}

std::string describe(const Plan& plan, const StepFigures& figures, Backend& backend) {
  std::string text = fmt::format("{:>4}  {:>12}  {:>12}  {:>14}  {}\n", "", "elements", "bytes", "flops", "what");
  int number = 0;
  for (const Plan::Item& item : plan.items) {
    const Cost cost = cost_of(item);
    const auto* const call = std::get_if<Call>(&item);
    text += fmt::format("{:>4}  {:>12}  {:>12.0f}  {:>14.0f}  {}\n", ++number, shape_of(item), cost.bytes, cost.flops,
                        call ? std::string(name_of(*call)) : fmt::format("[{}]", words(std::get<Chain>(item))));
  }
  for (const SetSegment& segment : plan.segments)
    text += fmt::format("{} to {} set by set: {} sets of {} bytes\n", segment.first + 1, segment.last, segment.sets,
                        segment.set_bytes);
  const double bandwidth = copy_bandwidth(backend);
  text += fmt::format("calls {} -> {}, bytes {:.0f} -> {:.0f}, flops {:.0f}, memory {} -> {} bytes\n",
                      figures.recorded_calls, figures.launches, figures.recorded_bytes, figures.bytes, figures.flops,
                      figures.recorded_peak, figures.peak);
  text += fmt::format("at the {:.1f} GB/s of a copy on {} the bytes take {:.3g} us\n", bandwidth / 1e9,
                      to_string(backend.device()), figures.bytes / bandwidth * 1e6);
  return text;
}

}  // namespace luge
