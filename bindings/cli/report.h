#pragma once

#include <luge/report/report.h>

namespace luge::cli {

/// Writes the page and says on standard error where it is, and why it has no pictures if so.
void finish_report(report::Report& report, Device device);
/// Says where a page that was written is, likewise.
void note_report(const report::Written& written);

}  // namespace luge::cli
