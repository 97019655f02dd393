// luge demo: minimise 3 x^2 - 2 x + 3 with the five-step loop.

#include "demo.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <luge/capture/step.h>
#include <luge/train/optimizer.h>
#include <luge/train/parameters.h>
#include <luge/report/report.h>
#include <luge/report/table.h>

#include "options.h"
#include "parabola.h"

namespace luge::cli {

using namespace report;

namespace {

constexpr std::int64_t kMost = 1'000'000'000'000;  // of anything that is counted

std::vector<DemoPoint> minimise(const DemoOptions& options, const Common& common) {
  std::vector<DemoPoint> points;
  Parameters params({.device = common.device, .dtype = options.dtype});
  Tensor x = params.add("x", {}, init::constant(options.start));
  Sgd optimizer(params, {.lr = options.lr});
  Monitor monitor({.total = options.epochs});

  const auto body = [&] {
    optimizer.zero_grad();
    Tensor loss = parabola(x);
    loss.backward();
    optimizer.step();
    monitor.record(loss);
    return loss;
  };
  auto step = capture(body);
  const auto note = [&](std::int64_t epoch, double at, const Tensor& loss) {
    points.push_back({epoch, at, loss.item(), x.grad().item(), closed_form(options.start, options.lr, epoch)});
  };
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    const double at = x.item();  // read back for the table, which a real training would not do every step
    note(epoch, at, options.eager ? body() : step());
  }
  monitor.finish();

  optimizer.zero_grad();
  Tensor loss = parabola(x);
  loss.backward();
  note(options.epochs, x.item(), loss);
  return points;
}

void print_table(const DemoOptions& options, const std::vector<DemoPoint>& points) {
  const int digits = options.dtype == float64 ? 15 : 7;
  Table table({{"epoch"}, {"x"}, {"f(x)"}, {"gradient"}, {"closed form of x"}, {"error"}});
  for (const DemoPoint& p : points)
    if (p.epoch % options.every == 0 || p.epoch == options.epochs)
      table.add_row({fmt::format("{}", p.epoch), fmt::format("{:.{}f}", p.x, digits), fmt::format("{:.{}f}", p.f, digits),
                     fmt::format("{:+.{}f}", p.gradient, digits), fmt::format("{:.{}f}", p.closed_form, digits),
                     fmt::format("{:+.1e}", p.x - p.closed_form)});
  fmt::print("{}", table.text());
}

const char* verdict(const DemoOptions& options, const DemoPoint& last) {
  if (options.lr > kDivergingLr) return "diverged: |1 - 6 lr| > 1 for lr > 1/3, so every step leads further away";
  if (std::abs(options.lr - kDivergingLr) < 1e-6) return "at lr = 1/3 the descent jumps from side to side and comes no closer";
  if (std::abs(last.x - kMinimumX) > 0.1) return "not there yet: more --epochs, or a larger --lr up to 1/6, come closer";
  return "";
}

void print_results(const DemoOptions& options, const std::vector<DemoPoint>& points) {
  const int digits = options.dtype == float64 ? 15 : 7;
  fmt::print("minimise f(x) = 3x^2 - 2x + 3 from x = {} with learning rate {}, {} epochs, {}\n\n", options.start, options.lr, options.epochs,
             name(options.dtype));
  print_table(options, points);
  fmt::print(
      "\nEach step is x <- x - lr * gradient, with gradient f'(x) = 6x - 2. A negative gradient says that f falls\n"
      "to the right, so x moves right; a positive one moves it left. It vanishes at the minimum x = 1/3, f = 8/3.\n"
      "closed form: x_k = 1/3 + (x_0 - 1/3) (1 - 6 lr)^k\n\n");
  const DemoPoint& last = points.back();
  const auto line = [&](const std::string& what, double x, double f, const char* remark) {
    fmt::print("{:<18}x = {:.{}f}, f = {:.{}f}{}\n", what, x, digits, f, digits, remark);
  };
  line(fmt::format("after {} epochs", options.epochs), last.x, parabola(last.x),
       options.dtype == float64 ? "" : "   (f of this x in float64, so that its last digit counts)");
  line("minimum", kMinimumX, kMinimumF, "");
  if (const char* const words = verdict(options, last); *words != '\0') fmt::print("{}\n", words);
}

void print_json(const DemoOptions& options, const Common& common, const std::vector<DemoPoint>& points) {
  using Json = nlohmann::ordered_json;
  Json history = Json::array();
  for (const DemoPoint& p : points)
    history.push_back({{"epoch", p.epoch}, {"x", p.x}, {"f", p.f}, {"gradient", p.gradient}, {"closed_form", p.closed_form}});
  const DemoPoint& last = points.back();
  const Json result = {{"start", options.start},
                       {"lr", options.lr},
                       {"epochs", options.epochs},
                       {"dtype", name(options.dtype)},
                       {"device", to_string(common.device)},
                       {"captured", !options.eager},
                       {"x", last.x},
                       {"f", parabola(last.x)},
                       {"loss", last.f},
                       {"gradient", last.gradient},
                       {"closed_form", last.closed_form},
                       {"minimum", {{"x", kMinimumX}, {"f", kMinimumF}}},
                       {"history", history}};
  fmt::print("{}\n", result.dump(2));
}

}  // namespace

void run_demo(const DemoOptions& options, const Common& common) {
  const std::vector<DemoPoint> points = minimise(options, common);
  if (common.json) {
    print_json(options, common, points);
  } else {
    print_results(options, points);
  }
  if (!options.report.empty()) write_demo_report(options, common, points);
}

Command add_demo(CLI::App& program, Common& common) {
  CLI::App* const app = program.add_subcommand("demo", "Minimise 3x^2 - 2x + 3: one parameter, or many sets at once.");
  const auto options = std::make_shared<DemoOptions>();
  CLI::Option* const sets =
      app->add_option("--sets", options->sets, "minimise N sets at once, starts in [-2, 2], learning rates in (0, 0.3)")
          ->check(whole_number(1, kMost))
          ->type_name("N");
  app->add_option("--epochs", options->epochs, "steps (default 80)")->check(whole_number(0, kMost));
  app->add_option("--start", options->start, "first x (default -1)")->check(finite())->excludes(sets);
  app->add_option("--lr", options->lr, "learning rate (default 0.01)")->check(not_negative())->excludes(sets);
  app->add_option("--every", options->every, "rows of the table: every N-th epoch (default 10)")
      ->check(whole_number(1, kMost))
      ->excludes(sets);
  add_dtype_option(*app, options->dtype);
  add_eager_option(*app, options->eager);
  add_report_option(*app, options->report);
  add_common_options(*app, common);
  return {app, [options, &common] {
            if (!options->report.empty()) require_folder(options->report);
            if (options->sets > 0) {
              run_demo_sets(*options, common);
            } else {
              run_demo(*options, common);
            }
          }};
}

}  // namespace luge::cli
