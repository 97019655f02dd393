// The pictures of luge train.

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "comparison.h"
#include "report.h"
#include "train.h"

namespace luge::cli {

using namespace report;

namespace {

/// Points of the loss curve; more steps than that are averaged.
constexpr std::size_t kPoints = 120;
/// Up to so many sets are drawn one by one.
constexpr std::size_t kSingle = 8;
constexpr std::size_t kBars = 40;

std::string cell(double value) { return std::isfinite(value) ? fmt::format("{:.7g}", value) : "nan"; }

/// Averages of the history over windows of equal length: epoch, mean, least, largest, then the kept sets.
std::string loss_csv(const std::vector<HistoryRow>& history, std::int64_t steps_per_epoch) {
  const std::size_t window = std::max<std::size_t>(1, history.size() / kPoints), windows = history.size() / window;
  std::string csv = "epoch,mean,min,max";
  const std::size_t kept = history.empty() ? 0 : history.front().sets.size();
  for (std::size_t set = 0; set < kept; ++set) csv += fmt::format(",set_{}", set);
  csv += "\n";
  for (std::size_t w = 0; w < windows; ++w) {
    // The last one takes what is left over: a window of few steps would only show their noise.
    const std::size_t first = w * window, end = w + 1 == windows ? history.size() : first + window;
    const auto count = static_cast<double>(end - first);
    const auto add_average = [&](auto value) {
      double sum = 0;
      for (std::size_t i = first; i < end; ++i) sum += value(history[i]);
      csv += ',';
      csv += cell(sum / count);
    };
    csv += fmt::format("{:.5g}", (static_cast<double>(first) + 0.5 * count) / static_cast<double>(steps_per_epoch));
    add_average([](const HistoryRow& r) { return r.mean; });
    add_average([](const HistoryRow& r) { return r.min; });
    add_average([](const HistoryRow& r) { return r.max; });
    for (std::size_t set = 0; set < kept; ++set) add_average([set](const HistoryRow& r) { return r.sets[set]; });
    csv += "\n";
  }
  return csv;
}

/// epoch, mean, least, largest, then every set; in percent.
std::string accuracy_csv(const TrainResult& result) {
  std::string csv = "epoch,mean,min,max";
  for (std::size_t set = 0; set < result.lr.size(); ++set) csv += fmt::format(",set_{}", set);
  csv += "\n";
  for (std::size_t epoch = 0; epoch < result.accuracy.size(); ++epoch) {
    const std::vector<double>& sets = result.accuracy[epoch];
    double sum = 0;
    for (const double a : sets) sum += a;
    const auto [low, high] = std::minmax_element(sets.begin(), sets.end());
    csv += fmt::format("{},{:.4f},{:.4f},{:.4f}", epoch + 1, 100 * sum / static_cast<double>(sets.size()), 100 * *low,
                       100 * *high);
    for (const double a : sets) csv += fmt::format(",{:.4f}", 100 * a);
    csv += "\n";
  }
  return csv;
}

std::string ranking_csv(const TrainResult& result) {
  std::string csv = "rank,set,lr,accuracy\n";
  for (std::size_t i = 0; i < result.ranking.size(); ++i) {
    const TrainedSet& set = result.ranking[i];
    csv += fmt::format("{},{},{:.6g},{:.4f}\n", i + 1, set.set, set.lr, 100 * set.accuracy);
  }
  return csv;
}

/// The series of a figure over epochs: band and mean of all sets, or every set by itself where they are few.
std::string series(const std::string& file, const TrainResult& result, const char* style) {
  const std::size_t sets = result.lr.size();
  if (sets == 1)
    return fmt::format("plot '{}' skip 1 using 1:2 with {} lc rgb \"{}\" notitle\n", file, style, kColours[0]);
  if (sets > kSingle)
    return fmt::format(
        "plot '{0}' skip 1 using 1:3:4 with filledcurves lc rgb \"#c0808890\" title \"all sets\", \\\n"
        "  '{0}' skip 1 using 1:2 with {1} lc rgb \"{2}\" title \"mean\"\n",
        file, style, kColours[0]);
  std::string script = "plot ";
  for (std::size_t set = 0; set < sets; ++set)
    script +=
        fmt::format("{}'{}' skip 1 using 1:{} with {} lc rgb \"{}\" title \"lr {:.2g}\"", set == 0 ? "" : ", \\\n  ",
                    file, set + 5, style, kColours[set % kColourCount], result.lr[set]);
  return script + "\n";
}

/// One bar per set with its learning rate, or, for many sets, a point each over the learning rate.
std::string ranking_script(const TrainResult& result) {
  double low = 1, high = 0;
  for (const TrainedSet& set : result.ranking) {
    low = std::min(low, set.accuracy);
    high = std::max(high, set.accuracy);
  }
  if (result.ranking.size() > kBars)
    return "set xlabel \"learning rate\"\nset logscale x\nset format x \"10^{%T}\"\nset ylabel \"test accuracy in "
           "%\"\nunset key\n"
           "plot 'ranking.csv' skip 1 using 3:4 with points pt 7 ps 0.6 lc rgb \"#3b82f6\"\n";
  // Bars begin at zero, so that their lengths compare; the numbers above them tell what the lengths cannot.
  const bool few = result.ranking.size() <= 12;
  std::string script = fmt::format(
      "set ylabel \"test accuracy in %\"\nset xlabel \"learning rate, best set first\"\nset yrange [0:{:.3f}]\n"
      "set boxwidth 0.7\nset xrange [0.4:{}.6]\nunset key\nset grid noxtics\nset xtics scale 0\n{}",
      std::min(100.0, 100 * high) * 1.12, result.ranking.size(), few ? "" : "set xtics rotate by 60 right\n");
  script += "plot 'ranking.csv' skip 1 using 1:4:xtic(sprintf(\"%.2g\",$3)) with boxes lc rgb \"#3b82f6\"";
  if (few)
    script +=
        ", \\\n  'ranking.csv' skip 1 using 1:4:(sprintf(\"%.1f\",$4)) with labels offset 0,0.7 textcolor rgb "
        "\"#010203\"";
  return script + "\n";
}

}  // namespace

void write_train_report(const TrainOptions& options, const Common& common, const TrainResult& result,
                        Monitor& monitor) {
  const TrainedSet& best = result.ranking.front();
  const bool many = options.sets > 1;
  Report report(
      options.report, many ? fmt::format("{} image classifiers at once", grouped(options.sets)) : "An image classifier",
      fmt::format("{} with {} hidden units {} trained for {} epoch{} on {} images. {} {:.2f} % of the {} test images "
                  "right, with "
                  "learning rate {:.3g}.",
                  many ? fmt::format("{} networks", grouped(options.sets)) : "A network", options.hidden,
                  many ? "were" : "was", options.epochs, options.epochs == 1 ? "" : "s", grouped(result.train_images),
                  many ? "The best gets" : "It gets", 100 * best.accuracy, grouped(result.test_images), best.lr));
  monitor.write_csv(report.path("history.csv"));
  monitor.write_jsonl(report.path("history.jsonl"));
  report.write_file("loss.csv", loss_csv(monitor.history(), std::max<std::int64_t>(result.steps / options.epochs, 1)));
  report.write_file("accuracy.csv", accuracy_csv(result));
  report.write_file("ranking.csv", ranking_csv(result));

  const char* const key = many ? "set key outside right center\n" : "";
  report.add_plot({"loss", "Training loss", "Cross entropy over the training, averaged over neighbouring steps.",
                   fmt::format("set xlabel \"epoch\"\nset ylabel \"loss\"\nset xrange [0:{}]\nset yrange [0:*]\n{}",
                               options.epochs, key) +
                       series("loss.csv", result, "lines lw 1.6")});
  report.add_plot({"accuracy", "Test accuracy",
                   "The share of the test images that are classified correctly after every epoch.",
                   fmt::format("set xlabel \"epoch\"\nset ylabel \"test accuracy in %\"\nset xrange [0.8:{}.2]\nset "
                               "xtics 1,{}\nset offsets 0,0,0.5,0.5\n{}",
                               options.epochs, std::max<std::int64_t>(1, options.epochs / 10), key) +
                       series("accuracy.csv", result, "linespoints lw 2 pt 7 ps 0.7")});
  if (many)
    report.add_plot({"ranking", "Final accuracy of every set",
                     "Test accuracy at the end and the learning rate of the set.", ranking_script(result)});

  Table table({{"rank"}, {"set"}, {"learning rate"}, {"test accuracy"}});
  for (std::size_t i = 0; i < std::min<std::size_t>(result.ranking.size(), 100); ++i) {
    const TrainedSet& set = result.ranking[i];
    table.add_row({fmt::format("{}", i + 1), fmt::format("{}", set.set), fmt::format("{:.3g}", set.lr),
                   fmt::format("{:.2f} %", 100 * set.accuracy)});
  }
  report.add_table(result.ranking.size() > 100 ? "The hundred best sets" : "Result", table);
  report.add_facts(
      "Speed",
      {{"time of training", fmt::format("{:.2f} s, {} steps", result.seconds, grouped(result.steps))},
       {"images", grouped(std::llround(result.samples_per_second)) + " per second"},
       {"samples", fmt::format("{} per second: images times sets",
                               grouped(std::llround(result.samples_per_second * static_cast<double>(options.sets))))}});
  const MlpShape shape{.hidden = options.hidden, .batch = options.batch};
  add_comparison(report, compare_training(options.sets, shape, common, kCompared, false));
  report.add_facts("Options", {{"sets", grouped(options.sets)},
                               {"epochs", fmt::format("{}", options.epochs)},
                               {"batch", fmt::format("{}", options.batch)},
                               {"hidden units", fmt::format("{}", options.hidden)},
                               {"learning rate", options.lr},
                               {"optimizer", "Adam"},
                               {"seed", fmt::format("{}", common.seed)}});
  report.add_file("history.csv", "per step: mean, least and largest loss, and the losses of the first sets");
  report.add_file("history.jsonl", "the same, one JSON object a line");
  report.add_file("accuracy.csv", "test accuracy of every set after every epoch, in percent");
  report.add_file("ranking.csv", "final accuracy and learning rate of every set");
  finish_report(report, common.device);
}

}  // namespace luge::cli
