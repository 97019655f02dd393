// Plans: each item is a call of the backend or a chain made ready.

#include <luge/plan.h>

#include "backend.h"
#include "chain.h"

namespace luge::cpu {
namespace {

class CpuExecutable final : public Executable {
 public:
  CpuExecutable(Backend& backend, const Plan& plan) : backend_(backend) {
    for (const Plan::Item& item : plan.items) {
      if (const auto* const call = std::get_if<Call>(&item))
        items_.emplace_back(*call);
      else
        items_.emplace_back(ChainLoop(std::get<Chain>(item)));
    }
  }

  void run(std::int64_t steps) override {
    for (std::int64_t step = 0; step < steps; ++step)
      for (std::variant<Call, ChainLoop>& item : items_) run(item);
  }

 private:
  void run(std::variant<Call, ChainLoop>& item) {
    if (auto* const chain = std::get_if<ChainLoop>(&item))
      chain->run();
    else
      std::visit([&](const auto& call) { backend_.execute(call); }, std::get<Call>(item));
  }

  Backend& backend_;
  std::vector<std::variant<Call, ChainLoop>> items_;
};

}  // namespace

std::unique_ptr<Executable> CpuBackend::compile(const Plan& plan) { return std::make_unique<CpuExecutable>(*this, plan); }

}  // namespace luge::cpu
