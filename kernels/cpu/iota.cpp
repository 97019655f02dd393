// Evenly spaced numbers.

#include "kernels.h"
#include "threads.h"

namespace luge::cpu {
namespace {

template <class T, class N>
void fill_steps(const Iota& call, N start, N step) {
  T* const out = static_cast<T*>(call.out.data);
  parallel_for(call.n, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) out[i] = static_cast<T>(start + static_cast<N>(i) * step);
  });
}

}  // namespace

void run(const Iota& call) {
  switch (call.out.dtype) {
    case DType::Bool: return fill_steps<bool>(call, call.integer_start, call.integer_step);
    case DType::Int32: return fill_steps<std::int32_t>(call, call.integer_start, call.integer_step);
    case DType::Int64: return fill_steps<std::int64_t>(call, call.integer_start, call.integer_step);
    case DType::Float32: return fill_steps<float>(call, call.start, call.step);
    case DType::Float64: return fill_steps<double>(call, call.start, call.step);
    case DType::Float16:
    case DType::BFloat16: return;  // core lets no such operand through
  }
}

}  // namespace luge::cpu
