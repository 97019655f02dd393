#include "report.h"

#include <cstdio>

#include <fmt/format.h>

namespace luge::cli {

void finish_report(report::Report& report, Device device) {
  note_report(report.finish(device));
}

void note_report(const report::Written& written) {
  if (!written.trouble.empty()) fmt::print(stderr, "luge: report without pictures: {}\n", written.trouble);
  fmt::print(stderr, "report: {}\n", written.page);
}

}  // namespace luge::cli
