#pragma once

#include <luge/report/report.h>

namespace luge::cli {

/// Writes the page and says on standard error where it is, and why it has no pictures if so.
void finish_report(report::Report& report, Device device);

}  // namespace luge::cli
