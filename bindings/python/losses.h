#pragma once
// What the losses' bindings have in common.

#include <string>

#include "python.h"

namespace luge::python {

/// Throws ValueError for another word.
Reduction reduction_of(const char* op, const std::string& text);

}  // namespace luge::python
