// Plans: each item is a call of the backend or a chain made ready.

#include <optional>

#include <luge/seam/detail/plan.h>

#include "backend.h"
#include "fused/chain.h"
#include "fused/set_loop.h"

namespace luge::cpu {
namespace {

class CpuExecutable final : public Executable {
 public:
  CpuExecutable(Backend& backend, const Plan& plan) : backend_(backend), plan_(plan) {
    for (const Plan::Item& item : plan.items) {
      if (const auto* const call = std::get_if<Call>(&item))
        items_.emplace_back(*call);
      else
        items_.emplace_back(ChainLoop(std::get<Chain>(item), true));
    }
  }

  void run(std::int64_t steps) override {
    if (steps > 1 && plan_.items.size() == 1 && std::holds_alternative<Chain>(plan_.items[0]))
      return repeated().run(steps);
    if (steps > 1 && plan_.sets && plan_.sets->sets > 1) return run_by_sets(steps);
    for (std::int64_t step = 0; step < steps; ++step)
      for (std::variant<Call, ChainLoop>& item : items_) run(item);
  }

 private:
  void run(std::variant<Call, ChainLoop>& item) {
    if (auto* const chain = std::get_if<ChainLoop>(&item))
      chain->run(1);
    else
      std::visit([&](const auto& call) { backend_.execute(call); }, std::get<Call>(item));
  }

  /// The one chain that there is, for many steps at once.
  ChainLoop& repeated() {
    auto& once = std::get<ChainLoop>(items_[0]);
    if (!once.streams()) return once;
    if (!repeated_) repeated_.emplace(std::get<Chain>(plan_.items[0]), false);
    return *repeated_;
  }

  void run_by_sets(std::int64_t steps) {
    if (!sets_) sets_.emplace(*plan_.sets);
    for (const std::size_t item : plan_.sets->before) run(items_[item]);
    sets_->run(steps);
    for (const std::size_t item : plan_.sets->after) run(items_[item]);
  }

  Backend& backend_;
  const Plan& plan_;
  std::vector<std::variant<Call, ChainLoop>> items_;
  std::optional<ChainLoop> repeated_;
  std::optional<SetLoop> sets_;
};

}  // namespace

std::unique_ptr<Executable> CpuBackend::compile(const Plan& plan) { return std::make_unique<CpuExecutable>(*this, plan); }

}  // namespace luge::cpu
