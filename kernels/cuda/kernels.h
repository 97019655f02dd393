#pragma once
// The entry points of the kernels, one per call of the seam. Each queues its work on the context's
// stream and returns.

#include <luge/call.h>

#include "context.h"

namespace luge::cuda {

void run(const Context& context, const Elementwise& call);
void run(const Context& context, const Copy& call);
void run(const Context& context, const Reduce& call);
void run(const Context& context, const MatMul& call);
void run(const Context& context, const Softmax& call);
void run(const Context& context, const CrossEntropy& call);
void run(const Context& context, const Gather& call);
void run(const Context& context, const Iota& call);
void run(const Context& context, const Random& call);
void run(const Context& context, const Update& call);
void run(const Context& context, const ClipNorm& call);
void run(const Context& context, const Record& call);

}  // namespace luge::cuda
