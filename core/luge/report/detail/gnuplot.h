#pragma once
// Internal: drawing by the program gnuplot.

#include <string>

namespace luge::report {

/// Where a picture could not be drawn, why; empty otherwise.
using DrawingError = std::string;

/// Runs gnuplot in `directory` on the script `file` that lies there. Never throws for a gnuplot that is
/// missing or that fails: the reason is the result.
DrawingError run_gnuplot(const std::string& directory, const std::string& file);

/// Text for gnuplot, which reads it as it stands between such quotes. What might end them, or have a program run,
/// becomes a mark that looks like it.
std::string quoted(const std::string& text);

}  // namespace luge::report
