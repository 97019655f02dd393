// Plans: each item is a call of the backend or a chain made ready.

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include <luge/seam/detail/plan.h>

#include "backend.h"
#include "fused/chain.h"
#include "fused/set_blocks.h"
#include "fused/set_loop.h"
#include "fused/set_parts.h"

namespace luge::cpu {
namespace {

class CpuExecutable final : public Executable {
 public:
  CpuExecutable(Backend& backend, const Plan& plan) : backend_(backend), plan_(plan) {
    if (plan.segments.empty() && !plan.sets && !plan.repeated)  // nobody else counts the items
      items_ = fused_parts(plan.items, {{plan.memory, plan.memory_bytes}}, 1);
    else
      for (const Plan::Item& item : plan.items) items_.push_back({item, {}});
    chains_.resize(items_.size());
    // Chains of segments are made as such when they are needed: by runs of many steps, and on many threads.
    for (const SetSegment& segment : plan.segments) segments_.emplace_back(segment);
    auto segment = plan.segments.begin();
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (!is_chain(i)) continue;
      while (segment != plan.segments.end() && segment->last <= i) ++segment;
      if (segment == plan.segments.end() || i < segment->first) make_ready(i);
    }
  }

  void run(std::int64_t steps) override {
    if (steps > 1 && plan_.repeated) return run_chain(*plan_.repeated, steps);
    if (steps > 1 && plan_.sets && plan_.sets->sets > 1) return run_by_sets(steps);
    for (std::int64_t step = 0; step < steps; ++step) run_once();
  }

 private:
  void run_once() {
    std::size_t item = 0;
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      if (!segments_[s].suits_threads()) continue;
      while (item < plan_.segments[s].first) run_item(item++);
      segments_[s].run();
      item = plan_.segments[s].last;
    }
    while (item < items_.size()) run_item(item++);
  }

  bool is_chain(std::size_t item) const { return std::holds_alternative<Chain>(items_[item].work); }

  ChainLoop& make_ready(std::size_t item) {
    std::optional<ChainLoop>& loop = chains_[item];
    if (!loop) loop.emplace(std::get<Chain>(items_[item].work), true);
    return *loop;
  }

  void run_item(std::size_t item) {
    if (is_chain(item)) return make_ready(item).run(1);
    const Call& call = std::get<Call>(items_[item].work);
    if (items_[item].fusion.is_some())
      run_fused(std::get<MatMul>(call), items_[item].fusion);
    else
      std::visit([&](const auto& kind) { backend_.execute(kind); }, call);
  }

  void run_chain(const ChainPlan& plan, std::int64_t steps) {
    for (const std::size_t item : plan.before) run_item(item);
    const auto each = [&] {
      for (const std::size_t item : plan.each) run_item(item);
    };
    repeated(plan.chain).run(steps, plan.each.empty() ? std::function<void()>() : each);
    for (const std::size_t item : plan.after) run_item(item);
  }

  /// The chain of an item, for many steps at once.
  ChainLoop& repeated(std::size_t item) {
    ChainLoop& once = make_ready(item);
    if (!once.streams()) return once;
    if (!repeated_) repeated_.emplace(std::get<Chain>(items_[item].work), false);
    return *repeated_;
  }

  void run_by_sets(std::int64_t steps) {
    if (!sets_) sets_.emplace(*plan_.sets);
    for (const std::size_t item : plan_.sets->before) run_item(item);
    sets_->run(steps);
    for (const std::size_t item : plan_.sets->after) run_item(item);
  }

  Backend& backend_;
  const Plan& plan_;
  std::vector<SetPart> items_;                    ///< the plan's, fewer where products take others along
  std::vector<std::optional<ChainLoop>> chains_;  ///< by item; none of a call
  std::deque<SetBlocks> segments_;                ///< as the plan's; they stay where they are
  std::optional<ChainLoop> repeated_;
  std::optional<SetLoop> sets_;
};

}  // namespace

std::unique_ptr<Executable> CpuBackend::compile(const Plan& plan) { return std::make_unique<CpuExecutable>(*this, plan); }

}  // namespace luge::cpu
