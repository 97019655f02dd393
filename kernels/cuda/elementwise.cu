#include <luge/base/detail/dispatch.h>

#include "instances.h"
#include "kernels.h"

namespace luge::cuda {

void run(const Context& context, const Elementwise& call) {
  const bool forward = call.direction == Direction::Forward;
  const DType dtype = call.in[forward && call.op == Op::Where ? 1 : 0].dtype;
  if (forward) return with_dtype(dtype, [&]<class T>() { elementwise_forward<T>(context, call); });
  with_floating(dtype, [&]<class T>() { elementwise_backward<T>(context, call); });
}

}  // namespace luge::cuda
