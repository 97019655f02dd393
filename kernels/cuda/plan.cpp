// Plans: the calls of a step, launched as one graph.

#include <luge/seam/detail/plan.h>

#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <luge/base/error.h>
#include <luge/seam/detail/copies.h>

#include "backend.h"
#include "fused/chain_item.h"
#include "fused/segment_item.h"
#include "graph.h"
#include "item.h"
#include "onto.h"

namespace luge::cuda {
namespace {

constexpr const char* kOp = "captured step";

void warn_once(const std::string& why) {
  static std::once_flag once;
  std::call_once(once, [&] {
    fmt::print(stderr, "luge: captured steps are queued call by call, because they cannot be made a graph: {}\n", why);
  });
}

/// A call as it was recorded.
class CallItem final : public Item {
 public:
  CallItem(Backend& backend, const Call& call) : backend_(backend), call_(call) {}

  void queue() const override {
    std::visit([&](const auto& call) { backend_.execute(call); }, call_);
  }

 private:
  Backend& backend_;
  Call call_;
};

/// A product that reads its layer's bias where that lies.
class OntoItem final : public Item {
 public:
  OntoItem(Gpu& gpu, const MatMul& call, const Operand& before) : gpu_(gpu), call_(call), before_(before) {}

  void queue() const override { run_onto(Context(gpu_, call_.name()), call_, before_); }

 private:
  Gpu& gpu_;
  MatMul call_;
  Operand before_;
};

/// Keeps the place of an item that has nothing left to do.
class EmptyItem final : public Item {
 public:
  void queue() const override {}
};

class CudaExecutable final : public Executable {
 public:
  CudaExecutable(Gpu& gpu, const Plan& plan, std::vector<std::unique_ptr<const Item>> items)
      : gpu_(gpu), plan_(plan), items_(std::move(items)) {
    const Context context(gpu_, kOp);
    try {
      graph_.emplace(gpu_, [&] { queue(); });
    } catch (const Error& error) {
      warn_once(error.what());
    }
  }

  void run(std::int64_t steps) override {
    const Context context(gpu_, kOp);
    if (steps > 1 && repeated()) return queue_many(steps);
    for (std::int64_t step = 0; step < steps; ++step) graph_ ? graph_->launch(context) : queue();
  }

 private:
  /// Whether nothing but a chain takes part in every step.
  bool is_alone() const { return plan_.repeated && plan_.repeated->each.empty(); }

  /// Whether there is one kernel for many steps; it is made when it is wanted first.
  bool repeated() {
    if (std::exchange(tried_, true)) return repeated_ != nullptr;
    const Chain* const chain = is_alone() ? &std::get<Chain>(plan_.items[plan_.repeated->chain]) : nullptr;
    if (chain && can_repeat(*chain))
      repeated_ = make_chain_item(gpu_, [&](unsigned* finished, const Allocate& allocate) {
        return generate(*chain, Steps::Many, finished, allocate);
      });
    else if (plan_.sets && can_repeat(*plan_.sets))
      repeated_ = make_chain_item(gpu_, [&](unsigned* finished, const Allocate& allocate) {
        return generate(*plan_.sets, finished, allocate);
      });
    return repeated_ != nullptr;
  }

  void queue_many(std::int64_t steps) const {
    const auto& [before, after] = is_alone() ? std::tie(plan_.repeated->before, plan_.repeated->after)
                                             : std::tie(plan_.sets->before, plan_.sets->after);
    for (const std::size_t item : before) items_[item]->queue();
    repeated_->queue(steps);
    for (const std::size_t item : after) items_[item]->queue();
  }

  void queue() const {
    for (const std::unique_ptr<const Item>& item : items_) item->queue();
  }

  Gpu& gpu_;
  const Plan& plan_;
  std::vector<std::unique_ptr<const Item>> items_;
  std::optional<Graph> graph_;  ///< none where the driver could not make it
  std::unique_ptr<const ChainItem> repeated_;
  bool tried_ = false;
};

}  // namespace

bool CudaBackend::fuses() const { return can_fuse(); }

std::unique_ptr<Executable> CudaBackend::compile(const Plan& plan) {
  // Not where sets may be steps ahead of each other: parts of such a plan are run apart.
  const Context context(gpu_, kOp);
  const std::vector<PlanPart> parts = without_copies(plan.items, [&](const MatMul& call, const Operand& before) {
    return !plan.sets && takes_before(context, call, before);
  });
  std::vector<std::unique_ptr<const Item>> items;
  // A plan of many steps at once needs its items one by one. Products of a segment are small, those onto something large.
  auto segment = plan.sets || plan.repeated ? plan.segments.end() : plan.segments.begin();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (segment != plan.segments.end() && segment->first == i)
      if (auto whole = make_segment_item(gpu_, *segment++)) {
        items.push_back(std::move(whole));
        i = (segment - 1)->last - 1;
        continue;
      }
    const PlanPart& part = parts[i];
    const auto* const call = std::get_if<Call>(&part.work);
    if (part.is_empty)
      items.push_back(std::make_unique<EmptyItem>());
    else if (part.before.is_memory())
      items.push_back(std::make_unique<OntoItem>(gpu_, std::get<MatMul>(*call), part.before));
    else if (call)
      items.push_back(std::make_unique<CallItem>(*this, *call));
    else
      items.push_back(make_chain_item(gpu_, [&](unsigned* finished, const Allocate& allocate) {
        return generate(std::get<Chain>(part.work), Steps::One, finished, allocate);
      }));
    if (!items.back()) return nullptr;
  }
  return std::make_unique<CudaExecutable>(gpu_, plan, std::move(items));
}

}  // namespace luge::cuda
