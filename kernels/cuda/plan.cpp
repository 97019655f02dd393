// Plans: the calls of a step, launched as one graph.

#include <luge/plan.h>

#include <cstdio>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include <luge/error.h>

#include "backend.h"
#include "graph.h"

namespace luge::cuda {
namespace {

constexpr const char* kOp = "captured step";

void warn_once(const std::string& why) {
  static std::once_flag once;
  std::call_once(once, [&] {
    fmt::print(stderr, "luge: captured steps are queued call by call, because they cannot be made a graph: {}\n", why);
  });
}

class CudaExecutable final : public Executable {
 public:
  CudaExecutable(Backend& backend, Gpu& gpu, const Plan& plan) : backend_(backend), gpu_(gpu) {
    for (const Plan::Item& item : plan.items) calls_.push_back(std::get<Call>(item));
    const Context context(gpu_, kOp);
    try {
      graph_.emplace(gpu_, [&] { queue(); });
    } catch (const Error& error) {
      warn_once(error.what());
    }
  }

  void run(std::int64_t steps) override {
    const Context context(gpu_, kOp);
    for (std::int64_t step = 0; step < steps; ++step) graph_ ? graph_->launch(context) : queue();
  }

 private:
  void queue() const {
    for (const Call& item : calls_) std::visit([&](const auto& call) { backend_.execute(call); }, item);
  }

  Backend& backend_;
  Gpu& gpu_;
  std::vector<Call> calls_;
  std::optional<Graph> graph_;  ///< none where the driver could not make it
};

}  // namespace

std::unique_ptr<Executable> CudaBackend::compile(const Plan& plan) {
  return std::make_unique<CudaExecutable>(*this, gpu_, plan);
}

}  // namespace luge::cuda
