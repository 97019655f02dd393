#pragma once
// Internal: drawing by the program gnuplot.

#include <string>

namespace luge::report {

/// Where a picture could not be drawn, why; empty otherwise.
using DrawingError = std::string;

/// Runs gnuplot in `directory` on the script `file` that lies there. Never throws for a gnuplot that is
/// missing or that fails: the reason is the result.
DrawingError run_gnuplot(const std::string& directory, const std::string& file);

}  // namespace luge::report
