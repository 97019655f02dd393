// luge train: Fashion-MNIST, or any other set of images in IDX files.

#include "train.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <luge/capture/step.h>
#include <luge/data/batches.h>
#include <luge/data/dataset.h>
#include <luge/ops/create.h>
#include <luge/ops/loss.h>
#include <luge/report/report.h>
#include <luge/report/table.h>
#include <luge/seam/backend.h>
#include <luge/train/optimizer.h>

#include "classifier.h"
#include "interruption.h"
#include "options.h"
#include "timing.h"

namespace luge::cli {

using namespace report;

namespace {

/// Losses of that many sets are written one by one into the history.
constexpr std::int64_t kKept = 16;

std::vector<double> learning_rates(const TrainOptions& options) {
  const NumberRange range = parse_range(options.lr);
  std::vector<double> rates;
  for (std::int64_t set = 0; set < options.sets; ++set) rates.push_back(range.at(set, options.sets));
  return rates;
}

/// A step for each size of batch, captured at its first one and fed from then on.
class CapturedBatches {
 public:
  explicit CapturedBatches(std::function<void(const Batch&)> body) : body_(std::move(body)) {}

  void step(const Batch& batch) {
    std::unique_ptr<Fed>& fed = fed_[batch.labels.numel()];
    if (!fed) fed = std::make_unique<Fed>(batch, body_);
    fed->batch.images.copy_(batch.images);
    fed->batch.labels.copy_(batch.labels);
    fed->step();
  }

 private:
  struct Fed {
    Fed(const Batch& first, const std::function<void(const Batch&)>& body)
        : batch{first.images.clone(), first.labels.clone()}, step(capture([this, &body] { body(batch); })) {}
    Batch batch;
    Step<void> step;
  };

  std::function<void(const Batch&)> body_;
  std::map<std::int64_t, std::unique_ptr<Fed>> fed_;  ///< by batch size: the last batch of an epoch may be smaller
};

void note_epoch(std::int64_t epoch, const std::vector<double>& accuracy) {
  const auto [low, high] = std::minmax_element(accuracy.begin(), accuracy.end());
  if (accuracy.size() == 1) {
    fmt::print(stderr, "epoch {}: {:.2f} % of the test images are right\n", epoch, 100 * *high);
  } else {
    fmt::print(stderr, "epoch {}: {:.2f} % to {:.2f} % of the test images are right\n", epoch, 100 * *low, 100 * *high);
  }
}

TrainResult train(const TrainOptions& options, const Common& common, Monitor& monitor, Dataset& data) {
  TrainResult result;
  result.lr = learning_rates(options);
  result.train_images = data.train.count();
  result.test_images = data.test.count();

  Parameters params({.sets = options.sets, .device = common.device, .seed = common.seed});
  const nn::Sequential model = make_mlp(params, data.pixels(), options.hidden, data.classes);
  const Tensor lr = from_host(result.lr, {options.sets}).to(float32).to(common.device);
  Adam optimizer(params, {.lr = lr});
  BatchStream stream(Batches(data.train, {.batch = options.batch, .seed = common.seed, .device = common.device}));
  const Batches test = measured_batches(data.test, options.sets, options.hidden, common.device);
  data = {};  // it lives on the device now
  Backend& queue = backend(common.device);
  const checkpoint::Parts parts{.params = params, .optimizer = &optimizer, .monitor = &monitor, .loader = &stream};
  if (options.resume) load_training(options, parts, result);

  const auto body = [&](const Batch& batch) {
    optimizer.zero_grad();
    Tensor loss = cross_entropy(model(batch.images), batch.labels, Reduction::PerSet);
    loss.sum().backward();
    optimizer.step();
    monitor.record(loss);
  };
  CapturedBatches captured(body);

  const Interruption interruption;
  Stopwatch watch;
  const auto note_time = [&] {
    queue.synchronize();
    result.seconds += watch.seconds();
  };
  while (stream.epoch() < options.epochs) {
    const std::int64_t epoch = stream.epoch();
    // Falls linearly, epoch by epoch, so that the last steps settle what the first have found.
    if (stream.index() == 0)
      optimizer.set_lr(lr * (1 - static_cast<double>(epoch) / static_cast<double>(options.epochs)));
    const Batch batch = stream.next();
    options.eager ? body(batch) : captured.step(batch);
    ++result.steps;
    const bool ends_epoch = stream.epoch() > epoch;
    if (ends_epoch) {
      note_time();
      monitor.finish();
      result.accuracy.push_back(accuracies(model, test, options.sets));
      note_epoch(epoch + 1, result.accuracy.back());
      watch = {};
    }
    if (Interruption::is_requested() && stream.epoch() < options.epochs) {
      if (!ends_epoch) note_time();
      monitor.finish();
      save_training(options, common, parts, result);
      result.interrupted = true;
      return result;
    }
    if (ends_epoch && !options.checkpoint.empty()) {
      save_training(options, common, parts, result);
      watch = {};
    }
  }
  result.samples_per_second = static_cast<double>(options.epochs * result.train_images) / result.seconds;

  for (std::int64_t set = 0; set < options.sets; ++set) {
    const auto at = static_cast<std::size_t>(set);
    result.ranking.push_back({set, result.lr[at], result.accuracy.back()[at]});
  }
  std::stable_sort(result.ranking.begin(), result.ranking.end(),
                   [](const TrainedSet& a, const TrainedSet& b) { return a.accuracy > b.accuracy; });
  return result;
}

void print_results(const TrainOptions& options, const TrainResult& result) {
  fmt::print(
      "{} model{} with {} hidden units, Adam, batch {}, {} epoch{} over {} images; accuracy on {} test images\n\n",
      options.sets, options.sets == 1 ? "" : "s", options.hidden, options.batch, options.epochs,
      options.epochs == 1 ? "" : "s", grouped(result.train_images), grouped(result.test_images));
  Table table({{"rank"}, {"set"}, {"learning rate"}, {"accuracy"}});
  for (std::size_t i = 0; i < result.ranking.size(); ++i) {
    const TrainedSet& set = result.ranking[i];
    table.add_row({fmt::format("{}", i + 1), fmt::format("{}", set.set), fmt::format("{:.3g}", set.lr),
                   fmt::format("{:.2f} %", 100 * set.accuracy)});
  }
  fmt::print("{}\n", table.text());
  const double all = result.samples_per_second * static_cast<double>(options.sets);
  fmt::print("{:.2f} s of training, {} images/s", result.seconds, grouped(std::llround(result.samples_per_second)));
  if (options.sets > 1) fmt::print(", each shown to {} models: {} samples/s", options.sets, grouped(std::llround(all)));
  fmt::print("\n");
}

void print_json(const TrainOptions& options, const Common& common, const TrainResult& result) {
  using Json = nlohmann::ordered_json;
  Json sets = Json::array();
  for (const TrainedSet& set : result.ranking)
    sets.push_back({{"set", set.set}, {"lr", set.lr}, {"accuracy", set.accuracy}});
  const Json json = {{"epochs", options.epochs},
                     {"batch", options.batch},
                     {"hidden", options.hidden},
                     {"device", to_string(common.device)},
                     {"seed", common.seed},
                     {"train_images", result.train_images},
                     {"test_images", result.test_images},
                     {"captured", !options.eager},
                     {"steps", result.steps},
                     {"seconds", result.seconds},
                     {"samples_per_second", result.samples_per_second * static_cast<double>(options.sets)},
                     {"sets", sets},
                     {"accuracy_by_epoch", result.accuracy}};
  fmt::print("{}\n", json.dump(2));
}

/// Throws IoError for other data than the training was begun with.
void check_data(const TrainOptions& options, const std::string& directory, const DataIdentity& found) {
  if (found == options.identity) return;
  const auto [train_images, test_images, checksum] = options.identity;
  throw IoError(fmt::format(
      "the data in '{}' are not those that '{}' was begun with: {} training and {} test images, now {}", directory,
      checkpoint_path(options), grouped(train_images), grouped(test_images),
      found.train_images == train_images && found.test_images == test_images
          ? "as many, and others"
          : fmt::format("{} and {}", grouped(found.train_images), grouped(found.test_images))));
}

/// As a shell reads it.
std::string shell_word(const std::string& text) {
  if (text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-") ==
      std::string::npos)
    return text;
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

/// The command that goes on with the training and does with its results what this one was to do.
std::string resuming(const TrainOptions& options, const Common& common) {
  std::string command = "luge train --resume";
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) command += fmt::format(" {} {}", option, shell_word(value));
  };
  add("--checkpoint", options.checkpoint);
  add("--report", options.report);
  if (!common.device.is_cpu()) add("--device", to_string(common.device));
  if (options.eager) command += " --eager";
  if (common.json) command += " --json";
  return command;
}

void run(TrainOptions options, Common common) {
  if (options.checkpoint.find("{step}") != std::string::npos)
    throw CLI::ValidationError("--checkpoint", fmt::format("'{}' holds {{step}}; it names one file", options.checkpoint));
  if (options.resume) take_options(options, common);
  if (!options.report.empty()) require_folder(options.report);
  try_place(options);
  backend(common.device);  // a device that cannot be used is reported before the data are read
  const std::string directory = options.data.empty() ? find_dataset("fashion-mnist") : options.data;
  fmt::print(stderr, "reading {}\n", directory);
  Dataset data = load_idx_dataset(directory);
  const DataIdentity found = identity_of(data);
  if (options.resume) check_data(options, directory, found);
  options.identity = found;
  normalize(data);
  if (options.batch > data.train.count())
    throw CLI::ValidationError(
        "--batch", fmt::format("{} is more than the {} training images", options.batch, data.train.count()));

  const std::int64_t steps = options.epochs * ((data.train.count() + options.batch - 1) / options.batch);
  Monitor monitor({.total = steps, .keep_sets = std::min(options.sets, kKept)});
  const TrainResult result = train(options, common, monitor, data);
  if (result.interrupted) {
    fmt::print(stderr, "stopped after {} of {} steps; to go on:\n", grouped(result.steps), grouped(steps));
    const std::string command = resuming(options, common);
    if (common.json) {
      const nlohmann::ordered_json json = {
          {"interrupted", true}, {"steps", result.steps}, {"of_steps", steps}, {"resume", command}};
      fmt::print("{}\n", json.dump(2));
    } else {
      fmt::print("{}\n", command);
    }
    return;
  }
  if (common.json) {
    print_json(options, common, result);
  } else {
    print_results(options, result);
  }
  if (!options.report.empty()) write_train_report(options, common, result, monitor);
}

}  // namespace

Command add_train(CLI::App& program, Common& common) {
  CLI::App* const app =
      program.add_subcommand("train", "Train image classifiers on Fashion-MNIST: one, or many at once.");
  const auto options = std::make_shared<TrainOptions>();
  std::vector<CLI::Option*> fixed;  // what a training keeps for life
  const auto count = [&](const char* name, std::int64_t& value, std::int64_t most, const char* what) {
    fixed.push_back(app->add_option(name, value, what)->check(whole_number(1, most))->type_name("N"));
  };
  count("--sets", options->sets, 1'000'000,
        "models trained at once, each with its own start and learning rate (default 1)");
  count("--epochs", options->epochs, 1'000'000, "passes over the training images (default 5)");
  count("--batch", options->batch, std::numeric_limits<std::int32_t>::max(), "images per step (default 64)");
  count("--hidden", options->hidden, 1'000'000, "units of the hidden layer (default 256)");
  fixed.push_back(app->add_option("--lr", options->lr,
                                  "learning rate of Adam in the first epoch (default 1e-3; it falls linearly), or "
                                  "first:last, spread geometrically over the sets")
                      ->check(number_range())
                      ->type_name("LR[:LR]"));
  fixed.push_back(
      app->add_option("--data", options->data, "folder of four IDX files (default: Fashion-MNIST, see $LUGE_DATA)")
          ->type_name("DIR"));
  app->add_option(
         "--checkpoint", options->checkpoint,
         "write a checkpoint after every epoch (default: at Ctrl-C and SIGTERM alone, as luge-train.safetensors)")
      ->type_name("FILE");
  CLI::Option* const resume =
      app->add_flag("--resume", options->resume, "go on from the checkpoint, with the options that it was begun with");
  for (CLI::Option* const option : fixed) resume->excludes(option);
  add_eager_option(*app, options->eager);
  add_report_option(*app, options->report);
  add_common_options(*app, common);
  resume->excludes(app->get_option("--seed"));
  return {app, [options, &common] {
            if (parse_range(options->lr).is_range && options->sets < 2)
              throw CLI::ValidationError(
                  "--lr",
                  fmt::format("{} spreads learning rates over the sets; it needs --sets 2 or more", options->lr));
            run(*options, common);
          }};
}

}  // namespace luge::cli
