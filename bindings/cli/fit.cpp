#include "fit.h"

#include <limits>
#include <memory>

#include <fmt/format.h>

#include <luge/base/detail/check.h>
#include <luge/io/detail/file.h>
#include <luge/report/report.h>
#include <luge/report/table.h>
#include <luge/seam/backend.h>

#include "options.h"

namespace luge::cli {

using namespace report;

namespace {

/// Made before the work that it is for; filled at once when that is done.
void write_output(OutputFile& file, const std::string& text) {
  file.write(text.data(), text.size());
  file.commit();
}

void run(const FitArguments& arguments, const Common& common) {
  const FitProblem problem = read_problem(arguments);
  if (!arguments.output.empty()) check_output_names(arguments, problem);
  if (!arguments.report.empty()) require_folder(arguments.report);
  std::optional<OutputFile> output;
  if (!arguments.output.empty()) output.emplace("fit", arguments.output);
  backend(common.device);  // a device that cannot be used is reported before the data are read
  fmt::print(stderr, "reading {}\n", arguments.data);
  const FitData data = read_fit_data(arguments, problem);
  const FitTable table = fit_sets(arguments, problem, data, common);
  LUGE_CHECK(Error, table.done == data.sets(), "fit: interrupted after {} of {} sets; nothing is written",
             grouped(table.done), grouped(data.sets()));

  if (output) write_output(*output, fit_csv(arguments, problem, data, table));
  if (common.json) {
    print_fit_json(arguments, problem, data, table, common);
  } else {
    print_fit(arguments, problem, data, table);
  }
  if (!arguments.report.empty()) write_fit_report(arguments, problem, data, table, common);
  std::int64_t failed = 0;
  for (const auto& [status, count] : count_statuses(table))
    if (!is_at_minimum(status)) failed += count;
  LUGE_CHECK(Error, !arguments.strict || failed == 0, "fit: {} of {} sets reached no minimum (--strict)",
             grouped(failed), grouped(data.sets()));
}

}  // namespace

Command add_fit(CLI::App& program, Common& common) {
  CLI::App* const app =
      program.add_subcommand("fit", "Fit a formula to the observations in a file: one set, or many at once.");
  const auto arguments = std::make_shared<FitArguments>();
  const auto text = [&](const char* name, std::string& value, const char* type, const char* what) {
    return app->add_option(name, value, what)->type_name(type);
  };
  text("data", arguments->data, "FILE", "columns with their names in the first row, or y as a .npy of (sets, points)")
      ->required();
  text("--model", arguments->model, "FORMULA", "as in Python: \"a * exp(-x / t) + c\"")->required();
  text("--p0", arguments->p0, "NAME=VALUE,...", "the parameters and where they start; other names are predictors")
      ->required();
  text("--bounds", arguments->bounds, "NAME=LOW:HIGH,...", "bounds of parameters; either may be left out");
  text("--fixed", arguments->fixed, "NAME,...", "parameters that stay where they start");
  text("--x", arguments->x, "[NAME=]COLUMN,...",
       "columns of the predictors, .npy files beside a .npy (default: columns of their names)");
  text("--y", arguments->y, "COLUMN,...",
       "what is observed; several columns, or a pattern such as 'y*', are a set each (default y)");
  text("--sigma", arguments->sigma, "COLUMN", "standard deviations of the observations");
  text("--sets-by", arguments->sets_by, "COLUMN", "rows with the same text in this column are a set");
  text("--delimiter", arguments->delimiter, "CHARACTER",
       "between columns: one character, tab or space (default: found in the first row)");
  text("--columns", arguments->columns, "NAME,...", "names of the columns of a file whose first row has none");
  text("--loss", arguments->loss, "LOSS", "linear (default), soft_l1, huber, cauchy, tukey, or poisson for counts")
      ->check(CLI::IsMember({"linear", "soft_l1", "huber", "cauchy", "tukey", "poisson"}));
  app->add_option("--f-scale", arguments->f_scale,
                  "where residuals begin to be outliers, for robust losses (default 1)")
      ->check(positive())
      ->type_name("NUMBER");
  text("--method", arguments->method, "METHOD", "lm (default), lbfgs, nelder-mead or adam")
      ->check(CLI::IsMember({"lm", "lbfgs", "nelder-mead", "adam"}));
  app->add_option("--max-steps", arguments->max_steps,
                  "most evaluations of the model per set (default 2000; 20000 by nelder-mead and adam)")
      ->check(whole_number(1, std::numeric_limits<std::int32_t>::max()))
      ->type_name("N");
  app->add_option("--starts", arguments->starts,
                  "searches for each set, of which the best counts: from --p0, and from places drawn by --seed between "
                  "finite --bounds (default 1)")
      ->check(whole_number(1, 1 << 20))
      ->type_name("N");
  app->add_flag("--absolute-sigma", arguments->absolute_sigma,
                "--sigma are the true deviations: errors are not scaled by the reduced chi2");
  app->add_flag("--float32", arguments->float32, "compute the model in float32");
  app->add_flag("--strict", arguments->strict, "exit code 1 where a set reaches no minimum");
  text("--output", arguments->output, "FILE", "write the results as CSV, a row for each set");
  add_report_option(*app, arguments->report);
  add_common_options(*app, common);
  return {app, [arguments, &common] { run(*arguments, common); }};
}

}  // namespace luge::cli
