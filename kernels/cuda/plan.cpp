// Plans: the calls of a step, queued one after the other.

#include <luge/plan.h>

#include "backend.h"

namespace luge::cuda {
namespace {

class CudaExecutable final : public Executable {
 public:
  CudaExecutable(Backend& backend, const Plan& plan) : backend_(backend) {
    for (const Plan::Item& item : plan.items) calls_.push_back(std::get<Call>(item));
  }

  void run(std::int64_t steps) override {
    for (std::int64_t step = 0; step < steps; ++step)
      for (const Call& item : calls_) std::visit([&](const auto& call) { backend_.execute(call); }, item);
  }

 private:
  Backend& backend_;
  std::vector<Call> calls_;
};

}  // namespace

std::unique_ptr<Executable> CudaBackend::compile(const Plan& plan) {
  return std::make_unique<CudaExecutable>(*this, plan);
}

}  // namespace luge::cuda
