#pragma once
// Templates whose instances are sources of their own, one per element type, to keep each compilation small.
// cmake/Cuda.cmake writes those; a type that it lacks does not link.

#include <luge/seam/call.h>

#include "context.h"

namespace luge::cuda {

/// T is the type of the values read.
template <class T>
void elementwise_forward(const Context& context, const Elementwise& call);
template <class T>
void elementwise_backward(const Context& context, const Elementwise& call);
template <class T>
void reduce_elements(const Context& context, const Reduce& call);

}  // namespace luge::cuda
