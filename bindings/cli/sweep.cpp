// luge sweep: hyperparameters of image classifiers, each setting in a set of its own.

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <luge/data/batches.h>
#include <luge/data/dataset.h>
#include <luge/io/detail/file.h>
#include <luge/ops/create.h>
#include <luge/ops/loss.h>
#include <luge/report/report.h>
#include <luge/report/table.h>
#include <luge/seam/backend.h>
#include <luge/sweep/run.h>
#include <luge/train/detail/progress.h>
#include <luge/train/optimizer.h>

#include "classifier.h"
#include "interruption.h"
#include "options.h"
#include "report.h"
#include "timing.h"

namespace luge::cli {

using namespace report;

namespace {

/// Images that are held back to score settings, at most a sixth of all.
constexpr std::int64_t kMostHeld = 10'000, kHeldShare = 6;
/// Looks at the scores, beside the rungs; one costs as much as some fifty steps of one batch.
constexpr std::int64_t kLooks = 10;

struct SweepOptions {
  std::int64_t sets = 64, seeds = 1, hidden = 64, batch = 64, epochs = 5, steps = 0, every = 0, halving = 0,
               min_steps = 0, best = 10;
  std::string lr = "1e-4:1e-1", weight_decay = "0:0.1", data, report, output;
  bool halton = false;
};

/// What is not a hyperparameter of a network.
struct Trained {
  std::int64_t train_images = 0, held_images = 0, test_images = 0, steps = 0;
  double best_accuracy = 0;  ///< of the best set on the test images
};

sweep::Distribution distribution(const std::string& text) {
  const NumberRange range = parse_interval(text);
  return range.first > 0 ? sweep::log_uniform(range.first, range.last) : sweep::uniform(range.first, range.last);
}

sweep::Settings settings_of(const SweepOptions& options, const Common& common) {
  return sweep::space({{"lr", distribution(options.lr)}, {"weight_decay", distribution(options.weight_decay)}},
                      {.sets = options.sets,
                       .seed = common.seed,
                       .seeds = options.seeds,
                       .draws = options.halton ? sweep::Draws::Halton : sweep::Draws::Random});
}

/// The numbers from 0 to count - 1 in batches, in an order of their own for every epoch.
Batches numbers(std::int64_t count, std::int64_t batch, const Common& common) {
  return Batches({zeros({count, 1}), arange(count)}, {.batch = batch, .seed = common.seed, .device = common.device});
}

/// Images of the training part that no step will see, drawn at random: files may be sorted.
LabelledImages held_back(LabelledImages& train, const Common& common) {
  const std::int64_t all = train.count(), held = std::min(kMostHeld, all / kHeldShare);
  LUGE_CHECK(ValueError, held > 0, "sweep: {} training images are too few; it takes {}", all, kHeldShare);
  const Tensor order = numbers(all, all, common).epoch(0)[0].labels.to(Device::cpu());
  const auto picked = [&](std::int64_t begin, std::int64_t end) {
    const Tensor some = order.slice(0, begin, end);
    return LabelledImages{train.images.index_select(0, some), train.labels.index_select(0, some)};
  };
  LabelledImages result = picked(0, held);
  train = picked(held, all);
  return result;
}

std::optional<sweep::Halving> halving_of(const SweepOptions& options, std::int64_t steps) {
  if (options.halving == 0) return std::nullopt;
  const sweep::Halving halving{options.halving, options.min_steps};
  try {
    std::string text = fmt::format("halving: {} settings", options.sets / options.seeds);
    for (const sweep::Rung& rung : sweep::rungs(halving, options.sets / options.seeds, steps))
      text += fmt::format(", {} after {} steps", grouped(rung.settings), grouped(rung.steps));
    fmt::print(stderr, "{}\n", text);
  } catch (const ValueError& error) {
    throw CLI::ValidationError("--halving", error.what());
  }
  return halving;
}

void note_look(const sweep::Look& look) {
  fmt::print(stderr, "step {} of {}: {} set{} go{} on; the best, {}, errs on {:.2f} % of the held images\n",
             grouped(look.steps), grouped(look.of_steps), grouped(look.active), look.active == 1 ? "" : "s",
             look.active == 1 ? "es" : "", look.best_set, 100 * look.best);
}

/// Batches of the training images in an order of its own for every epoch. A captured step reads them off a list of
/// places on the device, which is written for so many steps at a time; images that fill no batch are left out of an
/// epoch.
class BatchList {
 public:
  /// Steps for which it is written: Ctrl-C is heard after as many.
  static constexpr std::int64_t kSteps = 32;

  BatchList(const LabelledImages& samples, std::int64_t batch, const Common& common)
      : batch_(batch),
        images_(samples.images.reshape({samples.count(), -1}).to(common.device)),
        labels_(samples.labels.to(common.device)),
        order_(numbers(samples.count(), batch, common)),
        list_(zeros({kSteps * batch}, {.dtype = int64, .device = common.device})),
        within_(arange(batch, {.dtype = int64, .device = common.device})),
        place_(zeros({}, {.dtype = int64, .device = common.device})) {}

  std::int64_t batches() const { return images_.size(0) / batch_; }
  void write(std::int64_t steps) {
    for (std::int64_t i = 0; i < steps; ++i) {
      Tensor next = order_.next().labels;
      if (next.numel() < batch_) next = order_.next().labels;
      list_.slice(0, i * batch_, (i + 1) * batch_).copy_(next);
    }
    place_.fill_(0);
  }
  /// The next batch; to be called by the step.
  Batch next() {
    const Tensor places = list_.index_select(0, within_ + place_);
    place_.add_(batch_);
    return {images_.index_select(0, places), labels_.index_select(0, places)};
  }

 private:
  std::int64_t batch_;
  Tensor images_, labels_;
  BatchStream order_;
  Tensor list_, within_, place_;
};

sweep::Result train(const SweepOptions& options, const Common& common, Dataset& data, Trained& trained) {
  const sweep::Settings settings = settings_of(options, common);
  const LabelledImages held_images = held_back(data.train, common);
  trained.train_images = data.train.count();
  trained.held_images = held_images.count();
  trained.test_images = data.test.count();
  if (options.batch > data.train.count())
    throw CLI::ValidationError(
        "--batch", fmt::format("{} is more than the {} training images", options.batch, data.train.count()));

  Parameters params({.sets = options.sets, .device = common.device, .seed = common.seed});
  make_mlp(params, data.pixels(), options.hidden, data.classes);
  AdamW optimizer(params, {.lr = settings["lr"], .weight_decay = settings["weight_decay"]});
  stop::StopRule quarantine = stop::when(optimizer);
  BatchList batches(data.train, options.batch, common);
  const Batches held = measured_batches(held_images, options.sets, options.hidden, common.device);
  const Batches test = measured_batches(data.test, options.sets, options.hidden, common.device);
  data = {};  // it lives on the device now
  trained.steps = options.steps > 0 ? options.steps : options.epochs * batches.batches();
  const std::optional<sweep::Halving> halving = halving_of(options, trained.steps);

  const auto step = [&](stop::Live& live) {
    live.optimizer.zero_grad();
    const Batch batch = batches.next();
    const Tensor loss = cross_entropy(mlp_on(live.params)(batch.images), batch.labels, Reduction::PerSet);
    loss.sum().backward();
    live.rule.check(loss);
    live.optimizer.step();
    return loss;
  };
  Progress progress(true);
  const Stopwatch stopwatch;
  std::int64_t done = 0;
  sweep::LiveSteps live(optimizer, quarantine, {}, step);
  const auto advance = [&](std::int64_t steps) {
    batches.write(steps);
    const Tensor loss = live(steps);
    done += steps;
    if (progress.due(stopwatch.seconds()))
      progress.draw({.step = done, .total = trained.steps, .seconds = stopwatch.seconds()});
    return loss;
  };
  std::vector<std::int64_t> going(static_cast<std::size_t>(options.sets));  // sets that took part since the last look
  std::iota(going.begin(), going.end(), 0);
  const auto sets_going = [&] { return from_host(going, {static_cast<std::int64_t>(going.size())}, common.device); };
  const auto validate = [&] {
    const std::vector<double> right = accuracies(params, held, sets_going());
    std::vector<double> errors(static_cast<std::size_t>(options.sets), 1);  // what stands still is not looked at
    for (std::size_t i = 0; i < going.size(); ++i) errors[static_cast<std::size_t>(going[i])] = 1 - right[i];
    return from_host(errors, {options.sets});
  };
  const auto watch = [&](const sweep::Look& look) {
    progress.finish();
    note_look(look);
    const std::vector<bool> active = params.active().to_vector<bool>();
    std::erase_if(going, [&](std::int64_t set) { return !active[static_cast<std::size_t>(set)]; });
    return true;
  };
  const Interruption interruption;
  sweep::Result result =
      sweep::run(advance, optimizer, settings,
                 {.steps = trained.steps,
                  .every = options.every > 0 ? options.every : std::max<std::int64_t>(trained.steps / kLooks, 1),
                  .halving = halving,
                  .validate = validate,
                  .rule = &quarantine,
                  .watch = watch,
                  .interrupted = &Interruption::is_requested,
                  .asked_every = BatchList::kSteps,
                  .score_name = "validation error"});
  progress.finish();
  going = {result.best().front()};
  trained.best_accuracy = accuracies(params, test, sets_going()).front();
  return result;
}

std::string best_text(const Trained& trained, const sweep::Result& result) {
  return fmt::format("the best, set {}, gets {:.2f} % of {} test images right", result.best().front(),
                     100 * trained.best_accuracy, grouped(trained.test_images));
}

std::vector<std::pair<std::string, std::string>> facts(const SweepOptions& options, const Common& common,
                                                       const Trained& trained) {
  std::vector<std::pair<std::string, std::string>> result{
      {"model", fmt::format("{} hidden units", options.hidden)},
      {"optimizer", "AdamW"},
      {"batch", fmt::format("{}", options.batch)},
      {"training images", grouped(trained.train_images)},
      {"images held back for the score", grouped(trained.held_images)},
      {"best set on the test images",
       fmt::format("{:.2f} % of {} right", 100 * trained.best_accuracy, grouped(trained.test_images))},
      {"seed", fmt::format("{}", common.seed)}};
  if (options.halving > 0) result.emplace_back("halving", fmt::format("eta {}", options.halving));
  return result;
}

void print_results(const SweepOptions& options, const Trained& trained, const sweep::Result& result) {
  fmt::print(
      "{} models with {} hidden units, AdamW, batch {}, up to {} steps over {} images; score on {} held images\n\n",
      grouped(options.sets), options.hidden, options.batch, grouped(trained.steps), grouped(trained.train_images),
      grouped(trained.held_images));
  fmt::print("{}\n", result.table(options.best).text());
  for (const sweep::Association& one : result.associations())
    fmt::print("{}: rank correlation with the error {:.2f}, variance of ranks explained {:.2f}\n", one.name,
               one.rank_correlation, one.explained);
  const std::int64_t most = options.sets * trained.steps;
  fmt::print("{}\n{:.2f} s; {} steps of single models, {:.0f} % of those without an end\n", best_text(trained, result),
             result.seconds, grouped(result.total_steps()),
             100 * static_cast<double>(result.total_steps()) / static_cast<double>(most));
}

void print_json(const SweepOptions& options, const Common& common, const Trained& trained,
                const sweep::Result& result) {
  using Json = nlohmann::ordered_json;
  Json json = Json::parse(result.json());
  Json associations = Json::object();
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  for (const sweep::Association& one : result.associations())
    associations[one.name] = {{"rank_correlation", number(one.rank_correlation)}, {"explained", number(one.explained)}};
  json.update({{"best", result.best().front()},
               {"test_accuracy_of_best", trained.best_accuracy},
               {"associations", associations},
               {"steps", trained.steps},
               {"lr", options.lr},
               {"weight_decay", options.weight_decay},
               {"seeds", options.seeds},
               {"hidden", options.hidden},
               {"batch", options.batch},
               {"halving", options.halving},
               {"train_images", trained.train_images},
               {"validation_images", trained.held_images},
               {"test_images", trained.test_images},
               {"seed", common.seed},
               {"device", to_string(common.device)}});
  fmt::print("{}\n", json.dump(2));
}

void run(const SweepOptions& options, const Common& common) {
  settings_of(options, common);  // whether they make sense
  if (!options.report.empty()) require_folder(options.report);
  std::optional<OutputFile> output;
  if (!options.output.empty()) output.emplace("sweep", options.output);
  backend(common.device);  // a device that cannot be used is reported before the data are read
  const std::string directory = options.data.empty() ? find_dataset("fashion-mnist") : options.data;
  fmt::print(stderr, "reading {}\n", directory);
  Dataset data = load_idx_dataset(directory);
  normalize(data);

  Trained trained;
  const sweep::Result result = train(options, common, data, trained);
  if (result.interrupted)
    fmt::print(stderr, "stopped after {} of {} steps; these are the scores so far\n",
               grouped(result.looks.empty() ? 0 : result.looks.back()), grouped(trained.steps));
  if (output) {
    const std::string text = result.csv();
    output->write(text.data(), text.size());
    output->commit();
  }
  if (common.json) {
    print_json(options, common, trained, result);
  } else {
    print_results(options, trained, result);
  }
  if (options.report.empty()) return;
  const Written written =
      result.report(options.report, {.title = fmt::format("A sweep over {} image classifiers", grouped(options.sets)),
                                     .facts = facts(options, common, trained),
                                     .device = common.device});
  note_report(written);
}

}  // namespace

Command add_sweep(CLI::App& program, Common& common) {
  CLI::App* const app = program.add_subcommand(
      "sweep", "Search learning rates and weight decays of image classifiers on Fashion-MNIST, all at once.");
  const auto options = std::make_shared<SweepOptions>();
  const auto count = [&](const char* name, std::int64_t& value, std::int64_t low, std::int64_t most, const char* what) {
    return app->add_option(name, value, what)->check(whole_number(low, most))->type_name("N");
  };
  const auto range = [&](const char* name, std::string& value, const char* what) {
    app->add_option(name, value, what)->check(interval())->type_name("A[:B]");
  };
  constexpr std::int64_t kMany = 1'000'000, kMost = std::numeric_limits<std::int32_t>::max();
  count("--sets", options->sets, 1, kMany, "models trained at once, each with its own setting and start (default 64)");
  count("--seeds", options->seeds, 1, kMany, "models of each setting, with different starts (default 1)");
  range("--lr", options->lr, "learning rates of AdamW (default 1e-4:1e-1), drawn log-uniformly");
  range("--weight-decay", options->weight_decay,
        "weight decays (default 0:0.1), drawn uniformly from 0, log-uniformly from more");
  app->add_flag("--halton", options->halton, "spread settings by Halton's sequence instead of drawing them");
  count("--hidden", options->hidden, 1, kMany, "units of the hidden layer (default 64)");
  count("--batch", options->batch, 1, kMost, "images per step (default 64)");
  CLI::Option* const epochs =
      count("--epochs", options->epochs, 1, kMany, "passes over the training images, at most (default 5)");
  count("--steps", options->steps, 1, kMost, "steps, at most, instead of --epochs")->excludes(epochs);
  count("--every", options->every, 1, kMost, "steps between two looks at the scores (default: a tenth of all)");
  CLI::Option* const halving = count("--halving", options->halving, 2, kMany,
                                     "successive halving: at each rung one setting in N goes on (default: all do)");
  count("--min-steps", options->min_steps, 1, kMost,
        "steps before the first rung (default: so many that one setting is left after the last)")
      ->needs(halving);
  count("--best", options->best, 1, kMany, "sets that are printed, the best first (default 10)");
  app->add_option("--data", options->data, "folder of four IDX files (default: Fashion-MNIST, see $LUGE_DATA)")
      ->type_name("DIR");
  app->add_option("--output", options->output, "write the results as CSV, a row for each set")->type_name("FILE");
  add_report_option(*app, options->report);
  add_common_options(*app, common);
  return {app, [options, &common] {
            if (options->sets % options->seeds != 0)
              throw CLI::ValidationError(
                  "--seeds", fmt::format("{} does not divide the {} of --sets", options->seeds, options->sets));
            run(*options, common);
          }};
}

}  // namespace luge::cli
