#include <gtest/gtest.h>

#include <cmath>
#include <csignal>

#include <nlohmann/json.hpp>

#include <luge/base/cuda_status.h>
#include <luge/train/checkpoint.h>
#include <luge/version.h>

#include "has_words.h"
#include "run_program.h"

namespace luge {
namespace {

using namespace luge::test;
using Json = nlohmann::json;

TEST(Program, HelpAndVersion) {
  const Outcome version = run_luge("--version");
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out, "luge " LUGE_VERSION "\n");
  const Outcome help = run_luge("--help");
  EXPECT_EQ(help.code, 0);
  EXPECT_TRUE(has_words(help.out, {"doctor", "demo", "train", "sweep", "fit", "bench"}));
  for (const char* command : {"doctor", "demo", "train", "sweep", "fit", "bench"}) {
    const Outcome sub = run_luge(std::string(command) + " --help");
    EXPECT_EQ(sub.code, 0);
    EXPECT_TRUE(has_words(sub.out, {"--device", "--seed", "--json", "--threads"}));
    EXPECT_EQ(sub.err, "");
  }
}

struct BadUsage {
  const char* arguments;
  const char* words;
};

TEST(Program, BadUsageIsCode2AndSaysWhatIsWrong) {
  const BadUsage cases[] = {
      {"", "command is required"},
      {"dance", "dance"},
      {"demo --sideways", "--sideways"},
      {"demo --lr", "--lr"},
      {"demo --lr=-0.1", "-0.1 is negative"},
      {"demo --lr nan", "'nan' is not a finite number"},
      {"demo --lr 1x", "'1x' is not a finite number"},
      {"demo --start inf", "'inf' is not a finite number"},
      {"demo --epochs -3", "-3"},
      {"demo --every 0", "--every"},
      {"demo --sets 0", "--sets"},
      {"demo --sets many", "many"},
      {"demo --sets 10 --lr 0.1", "--sets excludes --lr"},
      {"demo --dtype float16", "float16"},
      {"demo --device tpu", "'tpu' is not a device; allowed are cpu, cuda and cuda:n"},
      {"demo --device cuda:x", "'cuda:x'"},
      {"demo --threads 0", "--threads"},
      {"demo --seed -1", "--seed"},
      {"train --lr 0", "number > 0"},
      {"train --lr 1e-4:", "--lr"},
      {"train --lr 1e-4:1e-2", "needs --sets 2 or more"},
      {"train --batch 0", "--batch"},
      {"train --sets 0", "--sets"},
      {"train --hidden 0", "--hidden"},
      {"train --epochs 0", "--epochs"},
      {"bench --sets 1,0", "--sets"},
      {"bench --seconds -1", "--seconds"},
  };
  for (const BadUsage& bad : cases) {
    SCOPED_TRACE(bad.arguments);
    const Outcome run = run_luge(bad.arguments);
    EXPECT_EQ(run.code, 2);
    EXPECT_EQ(run.out, "");
    EXPECT_TRUE(has_words(run.err, {bad.words}));
  }
}

TEST(Program, ADeviceThatCannotBeUsedIsCode1WithTheReason) {
  if (cuda_status().usable) GTEST_SKIP() << "this machine has a GPU";
  for (const char* command : {"demo", "demo --sets 10", "train", "sweep", "bench", "fit nowhere.csv --model a*x --p0 a=1"}) {
    SCOPED_TRACE(command);
    const Outcome run = run_luge(std::string(command) + " --device cuda");
    EXPECT_EQ(run.code, 1);
    EXPECT_EQ(run.out, "");
    EXPECT_TRUE(has_words(run.err, {"luge: error: ", cuda_status().reason}));
  }
}

TEST(Program, ResultsThatCannotBeWrittenAreAFailure) {
  const Outcome run = run_luge("demo --json >/dev/full; exit $?;");
  EXPECT_EQ(run.code, 1);
}

TEST(Program, NoMemoryIsCode1WithTheSizes) {
  const Outcome run = run_luge("demo --sets 1000000", "LUGE_MEMORY_LIMIT=100000000");
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(has_words(run.err, {"luge: error: ", "bytes", "limit"}));
}

TEST(Doctor, TellsAboutTheMachine) {
  const Outcome run = run_luge("doctor");
  EXPECT_EQ(run.code, 0);
  EXPECT_TRUE(has_words(run.out, {LUGE_VERSION, "CPU", "threads", "memory", "OpenBLAS", "CUDA"}));
  const Json json = Json::parse(run_luge("doctor --json --threads 1").out);
  EXPECT_EQ(json["version"], LUGE_VERSION);
  EXPECT_EQ(json["cpu"]["threads"], 1);
  EXPECT_EQ(json["cuda"]["built"], cuda_status().built);
  EXPECT_EQ(json["cuda"]["usable"], cuda_status().usable);
  EXPECT_EQ(json["cuda"]["reason"], cuda_status().reason);
}

TEST(Demo, PrintsTheKnownResult) {
  const Outcome run = run_luge("demo");
  EXPECT_EQ(run.code, 0);
  EXPECT_TRUE(has_words(run.out, {"x = 0.3238891, f = 2.6669342", "epoch", "gradient", "closed form", "x = 0.3333333, f = 2.6666667",
                                  "-8.0000000", "moves right"}));
}

TEST(Demo, Float64FollowsTheClosedForm) {
  const Json json = Json::parse(run_luge("demo --dtype float64 --json").out);
  const double expected = 1.0 / 3 - 4.0 / 3 * std::pow(0.94, 80);
  EXPECT_NEAR(json["x"].get<double>(), expected, 1e-12);
  EXPECT_EQ(json["history"].size(), 81U);
  EXPECT_EQ(json["history"][0]["gradient"], -8.0);
}

TEST(Demo, TakesItsOptions) {
  const Json json = Json::parse(run_luge("demo --start -3 --lr 0.1 --epochs 5 --json").out);
  EXPECT_EQ(json["start"], -3.0);
  EXPECT_NEAR(json["x"].get<double>(), 1.0 / 3 - 10.0 / 3 * std::pow(0.4, 5), 1e-6);
  const Outcome none = run_luge("demo --epochs 0");
  EXPECT_EQ(none.code, 0);
  EXPECT_TRUE(has_words(none.out, {"after 0 epochs", "x = -1.0000000"}));
}

TEST(Demo, DivergenceIsShownAndExplained) {
  const Outcome run = run_luge("demo --lr 0.5 --epochs 400");
  EXPECT_EQ(run.code, 0);
  EXPECT_TRUE(has_words(run.out, {"nan", "diverged"}));
  EXPECT_TRUE(Json::parse(run_luge("demo --lr 0.5 --epochs 400 --json").out)["x"].is_null());
}

TEST(DemoSets, EverySetKeepsToItsClosedForm) {
  for (const char* arguments : {"--sets 1", "--sets 1000", "--sets 100003", "--sets 5000 --dtype float64", "--sets 1000 --epochs 0"}) {
    SCOPED_TRACE(arguments);
    const Outcome run = run_luge(std::string("demo --json ") + arguments);
    ASSERT_EQ(run.code, 0) << run.err;
    const Json json = Json::parse(run.out);
    EXPECT_LE(json["worst_error_units"].get<double>(), 4);
    EXPECT_EQ(json["not_finite"], 0);
    EXPECT_GT(json["copy_bandwidth"].get<double>(), 1e8);
  }
}

TEST(DemoSets, PrintsWhatIsCounted) {
  const Outcome run = run_luge("demo --sets 1000");
  EXPECT_EQ(run.code, 0);
  EXPECT_TRUE(has_words(run_luge("demo --sets 1000 --eager").out, {"B/s, 108 per parameter and step"}));
  EXPECT_TRUE(has_words(run.out, {"1,000 sets", "worst error", "eps / min(1, 6 lr)", "parameter-steps", "B/s, 12 per parameter and step",
                                  "copy bandwidth"}));
}

TEST(Train, LearnsASmallSetOfImages) {
  const Folder folder;
  write_dataset(folder, 200, 40, 4);
  const Outcome run = run_luge("train --sets 3 --lr 1e-3:1e-1 --batch 20 --epochs 30 --hidden 16 --json --data " + folder.path());
  ASSERT_EQ(run.code, 0) << run.err;
  const Json json = Json::parse(run.out);
  ASSERT_EQ(json["sets"].size(), 3U);
  EXPECT_EQ(json["steps"], 300);
  EXPECT_GE(json["sets"][0]["accuracy"].get<double>(), json["sets"][1]["accuracy"].get<double>());
  EXPECT_GE(json["sets"][1]["accuracy"].get<double>(), json["sets"][2]["accuracy"].get<double>());
  EXPECT_GT(json["sets"][0]["accuracy"].get<double>(), 0.9);
  EXPECT_EQ(json["accuracy_by_epoch"].size(), 30U);
  EXPECT_TRUE(has_words(run.err, {"reading", "epoch 30"}));
}

TEST(Train, TheSameSeedGivesTheSameResult) {
  const Folder folder;
  write_dataset(folder, 100, 50, 5);
  const auto accuracy = [&](int seed) {
    const Outcome run = run_luge("train --sets 4 --epochs 3 --hidden 8 --batch 10 --json --seed " + std::to_string(seed) + " --data " + folder.path());
    return Json::parse(run.out)["accuracy_by_epoch"].dump();
  };
  EXPECT_EQ(accuracy(3), accuracy(3));
  EXPECT_NE(accuracy(3), accuracy(4));
}

TEST(Train, AnInterruptedTrainingGoesOnAsIfItHadNotBeen) {
  const Folder folder;
  write_dataset(folder, 105, 30, 4);
  const std::string data = " --data " + folder.path();
  const std::string options = "train --sets 2 --lr 1e-3:1e-2 --batch 10 --hidden 8 --seed 3 --epochs 300 --json" + data;
  const Json whole = Json::parse(run_luge(options).out);
  const std::string file = folder.path("a file");
  for (const auto& [signal, extra] : {std::pair(SIGTERM, ""), std::pair(SIGINT, " --eager")}) {
    const Outcome first = run_and_signal(options + extra + " --checkpoint '" + file + "'", "epoch 2:", signal, folder.path("out"));
    EXPECT_EQ(first.code, 0) << first.err;
    EXPECT_TRUE(has_words(first.err, {"stopped after", "of 3,300 steps"}));
    const Json told = Json::parse(first.out);
    EXPECT_EQ(told["interrupted"], true);
    EXPECT_EQ(told["of_steps"], 3300);
    const std::string command = "luge train --resume --checkpoint '" + file + "'" + extra + " --json";
    EXPECT_EQ(told["resume"], command);
    const Outcome second = run_luge(command.substr(5));
    ASSERT_EQ(second.code, 0) << second.err;
    const Json resumed = Json::parse(second.out);
    for (const char* field : {"sets", "accuracy_by_epoch", "steps", "epochs", "seed", "hidden", "batch"})
      EXPECT_EQ(resumed[field], whole[field]) << field;
  }
  // What is finished was kept after its last epoch, and has nothing to go on with but its results.
  const Outcome again = run_luge("train --resume --json --checkpoint '" + file + "'");
  EXPECT_EQ(Json::parse(again.out)["accuracy_by_epoch"], whole["accuracy_by_epoch"]);
}

TEST(Train, AnInterruptedTrainingSaysHowItGoesOn) {
  const Folder folder;
  write_dataset(folder, 105, 30, 4);
  const std::string file = folder.path("x");
  const std::string options = "train --batch 10 --hidden 8 --epochs 300 --report '" + folder.path("a page") + "' --data " + folder.path();
  const Outcome first = run_and_signal(options + " --checkpoint " + file, "epoch 2:", SIGINT, folder.path("out"));
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(first.out, "luge train --resume --checkpoint " + file + " --report '" + folder.path("a page") + "'\n");
}

TEST(Train, GoesOnFromAnotherFolderAndWithTheSameDataAlone) {
  const Folder folder;
  write_dataset(folder, 105, 30, 4);
  const std::filesystem::path here = std::filesystem::current_path();
  const std::string relative = std::filesystem::relative(folder.path(), here).string();
  const std::string file = folder.path("x"), resume = "train --resume --json --checkpoint " + file;
  const Outcome first = run_luge("train --json --epochs 1 --hidden 8 --data " + relative + " --checkpoint " + file);
  ASSERT_EQ(first.code, 0) << first.err;
  std::filesystem::current_path("/");
  const Outcome elsewhere = run_luge(resume);
  std::filesystem::current_path(here);
  EXPECT_EQ(elsewhere.code, 0) << elsewhere.err;
  const std::string labels = folder.path("train-labels-idx1-ubyte");
  std::string text = text_of(labels);
  text.back() = static_cast<char>(text.back() ^ 1);
  write_text(labels, text);
  const Outcome changed = run_luge(resume);
  EXPECT_EQ(changed.code, 1);
  EXPECT_TRUE(has_words(changed.err, {"the data in '", "are not those that '" + file + "' was begun with",
                                      "105 training and 30 test images, now as many, and others"}));
  write_dataset(folder, 105, 40, 4);
  EXPECT_TRUE(has_words(run_luge(resume).err, {"105 training and 30 test images, now 105 and 40"}));
}

TEST(Train, TriesThePlaceOfTheCheckpointFirst) {
  const Folder folder;
  const Outcome absent = run_luge("train --data " + folder.path() + " --checkpoint " + folder.path("absent/x"));
  EXPECT_EQ(absent.code, 1);
  EXPECT_TRUE(has_words(absent.err, {"luge: error: --checkpoint: cannot write '", "absent/x': No such file"}));
  EXPECT_EQ(absent.err.find("reading"), std::string::npos);
  EXPECT_EQ(folder.files(), 0);
}

TEST(Train, SaysWhyItCannotGoOn) {
  const Folder folder;
  const Outcome absent = run_luge("train --resume --checkpoint " + folder.path("x"));
  EXPECT_EQ(absent.code, 1);
  EXPECT_TRUE(has_words(absent.err, {"luge: error: ", folder.path("x"), "No such file"}));
  checkpoint::save(folder.path("y"), {});
  EXPECT_TRUE(has_words(run_luge("train --resume --checkpoint " + folder.path("y")).err, {"y' is no checkpoint of luge train"}));
  EXPECT_TRUE(has_words(run_luge("train --checkpoint 'x-{step}'").err, {"--checkpoint", "{step}"}));
  for (const char* option : {"--sets 2", "--epochs 2", "--lr 1", "--seed 1", "--hidden 3", "--batch 3", "--data ."}) {
    const Outcome both = run_luge("train --resume " + std::string(option));
    EXPECT_EQ(both.code, 2) << option;
    EXPECT_TRUE(has_words(both.err, {"--resume"})) << option;
  }
}

/// --eager changes how a step runs and nothing of what it computes; 100 images leave a batch of 10 behind.
TEST(Program, CapturedAndEagerStepsGiveTheSameNumbers) {
  const Folder folder;
  write_dataset(folder, 100, 50, 5);
  const struct {
    std::string command;
    std::vector<const char*> fields;
  } cases[] = {
      {"demo", {"history"}},
      {"demo --lr 0.4 --epochs 300 --dtype float64", {"history"}},
      {"demo --sets 20000", {"worst_error_units", "worst_set"}},
      {"demo --sets 100 --dtype float64 --epochs 1", {"worst_error_units", "worst_set"}},
      {"train --sets 2 --epochs 3 --hidden 8 --batch 30 --data " + folder.path(), {"accuracy_by_epoch", "steps"}},
  };
  for (const auto& [command, fields] : cases) {
    SCOPED_TRACE(command);
    const Json captured = Json::parse(run_luge(command + " --json").out), eager = Json::parse(run_luge(command + " --json --eager").out);
    EXPECT_EQ(captured["captured"], true);
    EXPECT_EQ(eager["captured"], false);
    for (const char* const field : fields) EXPECT_EQ(captured[field].dump(), eager[field].dump()) << field;
  }
}

TEST(Train, MissingAndBadDataAreNamed) {
  const Folder folder;
  const Outcome missing = run_luge("train --data " + folder.path("nowhere"));
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(has_words(missing.err, {"luge: error: ", folder.path("nowhere"), "no such folder"}));
  write_dataset(folder, 10, 5, 2);
  write_plain(folder.path("train-images-idx3-ubyte"), {0, 0, 8, 3, 0});
  const Outcome truncated = run_luge("train --data " + folder.path());
  EXPECT_EQ(truncated.code, 1);
  EXPECT_TRUE(has_words(truncated.err, {"luge: error: ", "train-images-idx3-ubyte", "offset 4"}));
  write_dataset(folder, 10, 5, 2);
  const Outcome batch = run_luge("train --batch 11 --data " + folder.path());
  EXPECT_EQ(batch.code, 2);
  EXPECT_TRUE(has_words(batch.err, {"--batch", "10 training images"}));
}

TEST(Bench, MeasuresWhatItIsAskedFor) {
  const Outcome run = run_luge("bench --sets 1,1000 --models 1,2 --seconds 0 --json");
  ASSERT_EQ(run.code, 0) << run.err;
  const Json json = Json::parse(run.out);
  ASSERT_EQ(json["demo_step"].size(), 2U);
  ASSERT_EQ(json["training_step"].size(), 2U);
  EXPECT_EQ(json["demo_step"][1]["sets"], 1000);
  EXPECT_GT(json["training_step"][1]["samples_per_second"].get<double>(), 0);
  for (const char* const table : {"demo_step", "training_step"})
    for (const Json& row : json[table]) {
      EXPECT_GT(row["eager_seconds_per_step"].get<double>(), 0);
      EXPECT_GT(row["captured_seconds_per_step"].get<double>(), 0);
      EXPECT_LE(row["launches"].get<int>(), row["eager_calls"].get<int>());
    }
  const Json eager = Json::parse(run_luge("bench --sets 10 --models 1 --seconds 0 --json --eager").out);
  EXPECT_FALSE(eager["demo_step"][0].contains("captured_seconds_per_step"));
  const Outcome table = run_luge("bench --sets 10 --models 1 --seconds 0");
  EXPECT_TRUE(has_words(table.out, {"demo step", "eager", "captured", "of copy", "training step", "784-256-10"}));
}

}  // namespace
}  // namespace luge
