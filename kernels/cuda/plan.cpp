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

#include "backend.h"
#include "fused/chain_item.h"
#include "graph.h"
#include "item.h"

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
  std::vector<std::unique_ptr<const Item>> items;
  for (const Plan::Item& item : plan.items) {
    if (const auto* const call = std::get_if<Call>(&item))
      items.push_back(std::make_unique<CallItem>(*this, *call));
    else
      items.push_back(make_chain_item(gpu_, [&](unsigned* finished, const Allocate& allocate) {
        return generate(std::get<Chain>(item), Steps::One, finished, allocate);
      }));
    if (!items.back()) return nullptr;
  }
  return std::make_unique<CudaExecutable>(gpu_, plan, std::move(items));
}

}  // namespace luge::cuda
