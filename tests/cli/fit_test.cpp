// luge fit against certified values, closed forms and values of SciPy 1.17 (tolerances of 1e-15).

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <luge/luge.h>

#include "../fit/fits.h"
#include "has_words.h"
#include "report_page.h"
#include "run_program.h"

namespace luge {
namespace {

using namespace luge::test;
using Json = nlohmann::json;

std::string decays() {
  const char* const source = std::getenv("LUGE_SOURCE");
  return (std::filesystem::path(source ? source : ".") / "examples/decays.csv").string();
}
const std::string kDecay = " --model 'a * exp(-time / t) + c' --p0 a=1,t=1,c=0 --y signal";
const std::string kMisra = " --model 'b1 * (1 - exp(-b2 * x))' --p0 b1=500,b2=0.0001";

Json fitted(const std::string& arguments) {
  const Outcome run = run_luge("fit " + arguments + " --json");
  EXPECT_EQ(run.code, 0) << run.err;
  return run.code == 0 ? Json::parse(run.out) : Json();
}
/// One set's results without what differs from run to run.
Json only(const Json& fitted) { return fitted["fits"].at(0); }

/// The file of a problem of NIST as columns, numbers as they stand there.
std::string misra(const char* between, const char* end, const char* header) {
  const NistProblem problem = nist_problem("Misra1a", "");
  std::string text = header;
  for (std::size_t i = 0; i < problem.y.size(); ++i)
    text += fmt::format("{}{}{}{}", problem.x[0][i], between, problem.y[i], end);
  return text;
}

TEST(Fit, ReachesTheCertifiedValuesOfMisra1a) {
  const Folder folder;
  write_text(folder.path("a.csv"), misra(",", "\n", "x,y\n"));
  const Json json = fitted(folder.path("a.csv") + kMisra), fit = json["fits"][0];
  EXPECT_NEAR(fit["parameters"]["b1"].get<double>() / 2.3894212918E+02, 1, 1e-9);
  EXPECT_NEAR(fit["parameters"]["b2"].get<double>() / 5.5015643181E-04, 1, 1e-9);
  EXPECT_NEAR(fit["errors"]["b1"].get<double>() / 2.7070075241E+00, 1, 1e-7);
  EXPECT_NEAR(fit["errors"]["b2"].get<double>() / 7.2668688436E-06, 1, 1e-7);
  EXPECT_NEAR(fit["chi2"].get<double>() / 1.2455138894E-01, 1, 1e-9);
  EXPECT_NEAR(std::sqrt(fit["reduced_chi2"].get<double>()) / 1.0187876330E-01, 1, 1e-9);
  EXPECT_NEAR(std::sqrt(fit["covariance"][0][0].get<double>()) / 2.7070075241E+00, 1, 1e-7);
  EXPECT_EQ(fit["observations"], 14);
  EXPECT_EQ(fit["at_minimum"], true);
  EXPECT_FALSE(fit.contains("set"));
  EXPECT_EQ(json["parameters"], (Json{"b1", "b2"}));
  EXPECT_EQ(json["predictors"], Json::array({"x"}));

  const Outcome table = run_luge("fit " + folder.path("a.csv") + kMisra);
  EXPECT_TRUE(has_words(table.out, {"14 of 14 observations of y", "238.942129", "2.707", "0.00055015643",
                                    "converged: ", "0.1245513889", "R2"}));
}

TEST(Fit, ReadsColumnsHoweverTheyAreWritten) {
  const Folder folder;
  write_text(folder.path("a.csv"), misra(",", "\n", "x,y\n"));
  const Json expected = only(fitted(folder.path("a.csv") + kMisra));
  const struct {
    const char *between, *end, *header, *options;
  } ways[] = {{";", "\r\n", "x;y\r\n", ""},
              {"\t", "\n", "x\ty\n", ""},
              {"  \t ", " \n", "# measured by hand\n\n  x   y\n", ""},
              {" , ", "\r", "\xEF\xBB\xBF\"x\" , \"y\"\r", ""},
              {",\"", "\"\n# a remark, with words\n \n", "x,y\n", ""},
              {";7,5;", "\n", "y;nothing;x\n", "--x x=y --y x"},
              {"|", "\n", "x|y\n", "--delimiter '|'"},
              {" ", "\n", "", "--columns x,y"},
              {"\t", "\n", "# no names\n", "--columns x,y --delimiter tab"},
              {" ", "\n", "pressure volume\n", "--x pressure --y volume"},
              {" ", "\n", "pressure volume\n", "--x x=pressure --y 'v*'"}};
  for (const auto& way : ways) {
    SCOPED_TRACE(way.header);
    write_text(folder.path("b"), misra(way.between, way.end, way.header));
    EXPECT_EQ(only(fitted(folder.path("b") + kMisra + " " + way.options)), expected);
  }
  const NistProblem problem = nist_problem("Misra1a", "");
  save_npy(folder.path("x.npy"), from_host(problem.x[0], {14}));
  save_npy(folder.path("y.npy"), from_host(problem.y, {14}));
  EXPECT_EQ(only(fitted(folder.path("y.npy") + kMisra + " --x " + folder.path("x.npy"))), expected);
}

TEST(Fit, TakesSeveralPredictors) {
  const NistProblem problem = nist_problem("Nelson", "");
  const Folder folder;
  std::string text = "time,temperature,log\n";
  for (std::size_t i = 0; i < problem.y.size(); ++i)
    text += fmt::format("{},{},{}\n", problem.x[0][i], problem.x[1][i], problem.y[i]);
  write_text(folder.path("a.csv"), text);
  // The formula mentions x2 first: what is which must be said.
  const std::string fit =
      folder.path("a.csv") + " --model 'exp(-b3*x2)*x1*(-b2) + b1' --p0 b1=2,b2=0.0001,b3=-0.01 --y log";
  const Json json = only(fitted(fit + " --x x1=time,x2=temperature"));
  for (std::size_t p = 0; p < 3; ++p) {
    const std::string name = "b" + std::to_string(p + 1);
    EXPECT_NEAR(json["parameters"][name].get<double>() / problem.certified[p], 1, 1e-8);
    EXPECT_NEAR(json["errors"][name].get<double>() / problem.deviations[p], 1, 1e-6);
  }
  const Outcome unclear = run_luge("fit " + fit + " --x time,temperature");
  EXPECT_EQ(unclear.code, 2);
  EXPECT_TRUE(has_words(unclear.err, {"--x: 'time' does not say which predictor", "x2, x1"}));
  const Folder page;
  EXPECT_EQ(run_luge("fit " + fit + " --x x1=time,x2=temperature --report " + page.path("r")).code, 0);
  EXPECT_TRUE(has_words(text_of(page.path("r/index.html")), {"What was fitted over what was observed"}));
}

TEST(Fit, FitsSetsOfRowsOfTheirOwn) {
  const struct {
    const char* label;
    int observations;
    double a, t, c, error_of_t, chi2;
  } expected[] = {{"blank", 11, 1.00157814612, 0.780500394782, 0.102259047939, 0.02416127203, 0.00146378509442},
                  {"sample 1", 12, 2.51993525511, 1.50029841439, 0.280801192742, 0.02667340626, 0.0028406528798},
                  {"sample 2", 9, 3.99582977367, 2.96235979318, 0.202452084518, 0.06806009778, 0.00228523597335},
                  {"sample 3", 12, 1.78682521865, 0.509005234628, -0.000597947214651, 0.01202046152, 0.00249458661729}};
  const Json json = fitted(decays() + kDecay + " --sets-by sample");
  ASSERT_EQ(json["fits"].size(), 4U);
  for (std::size_t set = 0; set < 4; ++set) {
    SCOPED_TRACE(expected[set].label);
    const Json& fit = json["fits"][set];
    EXPECT_EQ(fit["set"], expected[set].label);
    EXPECT_EQ(fit["observations"], expected[set].observations);
    EXPECT_NEAR(fit["parameters"]["a"].get<double>(), expected[set].a, 1e-7);
    EXPECT_NEAR(fit["parameters"]["t"].get<double>(), expected[set].t, 1e-7);
    EXPECT_NEAR(fit["parameters"]["c"].get<double>(), expected[set].c, 1e-7);
    EXPECT_NEAR(fit["errors"]["t"].get<double>() / expected[set].error_of_t, 1, 1e-5);
    EXPECT_NEAR(fit["chi2"].get<double>() / expected[set].chi2, 1, 1e-9);
  }
  const Outcome summary = run_luge("fit " + decays() + kDecay + " --sets-by sample");
  EXPECT_TRUE(has_words(summary.out, {"4 sets of signal", "sets/s", "converged: ", "of 4 sets at a minimum", "median",
                                      "3.99583", "reduced chi2", "--output"}));
}

TEST(Fit, RowsOfSetsMayStandInAnyOrderAndSetsInAnyCompany) {
  const Folder folder;
  const auto rows = [](int set, int points) {
    std::vector<std::string> lines;
    for (int i = 0; i < points; ++i)
      lines.push_back(
          fmt::format("s{},{},{}\n", set, i, (2 + set) * std::exp(-i / (3.0 + set)) + 0.01 * ((i * 7 + set) % 5)));
    return lines;
  };
  const int points[] = {9, 40, 700, 3, 2, 41};
  std::string mixed = "run,x,y\n";
  std::vector<Json> alone;
  for (int i = 0; i < 700; ++i)
    for (int set = 0; set < 6; ++set)
      if (i < points[set]) mixed += rows(set, points[set])[static_cast<std::size_t>(i)];
  write_text(folder.path("all.csv"), mixed);
  const std::string fit = " --model 'a*exp(-x/t)+c' --p0 a=1,t=1,c=0 --sets-by run";
  const Json all = fitted(folder.path("all.csv") + fit);
  ASSERT_EQ(all["fits"].size(), 6U);
  for (int set = 0; set < 6; ++set) {
    SCOPED_TRACE(set);
    std::string text = "run,x,y\n";
    for (const std::string& line : rows(set, points[set])) text += line;
    write_text(folder.path("one.csv"), text);
    Json one = only(fitted(folder.path("one.csv") + fit)), among = all["fits"][static_cast<std::size_t>(set)];
    // A sum over more points that count nothing may end in another digit.
    if (!one["r2"].is_null()) {
      EXPECT_NEAR(one["r2"].get<double>(), among["r2"].get<double>(), 1e-14);
    }
    one.erase("r2");
    among.erase("r2");
    EXPECT_EQ(one, among);
  }
  EXPECT_EQ(all["fits"][4]["status"], "bad data: an observation is not finite, or there are fewer than parameters");
}

TEST(Fit, ColumnsMayBeSetsThatShareTheirPredictor) {
  const Folder folder;
  // Closed forms: a mean, with sigma a weighted mean; what is missing in one column is not in the others.
  write_text(folder.path("a.csv"), "x,y1,y2,s\n0,1,10,1\n1,2,,2\n2,6,nan,1\n,5,5,1\n3,3,40,0.5\n4,NA,10,\n");
  const std::string fit = folder.path("a.csv") + " --model 'm + 0*x' --p0 m=0 --y 'y*'";
  const Json plain = fitted(fit)["fits"];
  ASSERT_EQ(plain.size(), 2U);
  EXPECT_EQ(plain[0]["set"], "y1");
  EXPECT_EQ(plain[0]["observations"], 4);
  EXPECT_NEAR(plain[0]["parameters"]["m"].get<double>(), 3, 1e-12);
  EXPECT_NEAR(plain[0]["errors"]["m"].get<double>(), std::sqrt(14.0 / 3 / 4), 1e-12);
  EXPECT_NEAR(plain[1]["parameters"]["m"].get<double>(), 20, 1e-11);
  const Json weighted = fitted(fit + " --sigma s --absolute-sigma")["fits"];
  const double weight = 1 + 0.25 + 1 + 4;
  EXPECT_EQ(weighted[0]["observations"], 4);
  EXPECT_NEAR(weighted[0]["parameters"]["m"].get<double>(), (1 + 0.25 * 2 + 6 + 4 * 3) / weight, 1e-12);
  EXPECT_NEAR(weighted[0]["errors"]["m"].get<double>(), 1 / std::sqrt(weight), 1e-12);
  EXPECT_NEAR(weighted[1]["parameters"]["m"].get<double>(), (10 + 4 * 40) / 5.0, 1e-11);
}

TEST(Fit, WhichSetsAreFittedTogetherChangesNoBit) {
  const Folder folder;
  constexpr std::int64_t kSets = 1500, kPoints = 20;
  std::vector<double> x, y;
  for (std::int64_t i = 0; i < kPoints; ++i) x.push_back(0.3 * static_cast<double>(i));
  for (std::int64_t set = 0; set < kSets; ++set)
    for (std::int64_t i = 0; i < kPoints; ++i)
      y.push_back((1 + static_cast<double>(set % 37)) *
                      std::exp(-x[static_cast<std::size_t>(i)] / (1 + static_cast<double>(set % 11))) +
                  0.03 * static_cast<double>((set * 13 + i * 7) % 17));
  const Tensor all = from_host(y, {kSets, kPoints});
  save_npy(folder.path("x.npy"), from_host(x, {kPoints}));
  save_npy(folder.path("all.npy"), all);
  const std::string fit = " --model 'a*exp(-x/t)+c' --p0 a=1,t=1,c=0 --x " + folder.path("x.npy");
  for (const std::string extra : {"", " --float32 --loss huber --f-scale 0.1"}) {
    const Json together = fitted(folder.path("all.npy") + fit + extra)["fits"];
    ASSERT_EQ(together.size(), static_cast<std::size_t>(kSets));
    for (const std::int64_t set : {0, 255, 256, 1499}) {
      save_npy(folder.path("one.npy"), all.slice(0, set, set + 1));
      Json one = only(fitted(folder.path("one.npy") + fit + extra));
      one["set"] = std::to_string(set);
      EXPECT_EQ(one, together[static_cast<std::size_t>(set)]) << set;
    }
  }
}

TEST(Fit, KeepsBoundsAndFixedParameters) {
  const Folder folder;
  write_text(folder.path("a.csv"), "x,y\n0,1\n1,3\n2,5.1\n3,7\n");  // a line of slope 2.01 and offset 1.01
  const std::string fit = folder.path("a.csv") + " --model 'm*x+b' --p0 m=1,b=0.5";
  const Json free = only(fitted(fit));
  EXPECT_NEAR(free["parameters"]["m"].get<double>(), 2.01, 1e-12);
  EXPECT_NEAR(free["parameters"]["b"].get<double>(), 1.01, 1e-12);
  const Json bounded = only(fitted(fit + " --bounds 'm=:1.5, b=-1:'"));
  EXPECT_EQ(bounded["parameters"]["m"], 1.5);
  EXPECT_NEAR(bounded["parameters"]["b"].get<double>(), 16.1 / 4 - 1.5 * 1.5, 1e-12);
  EXPECT_TRUE(bounded["errors"]["m"].is_null());
  EXPECT_TRUE(has_words(run_luge("fit " + fit + " --bounds m=0:1.5").out, {"at its upper bound"}));
  const Json fixed = only(fitted(fit + " --fixed b"));
  EXPECT_EQ(fixed["parameters"]["b"], 0.5);
  EXPECT_NEAR(fixed["parameters"]["m"].get<double>(), (3 + 2 * 5.1 + 3 * 7 - 0.5 * 6) / 14, 1e-12);
  EXPECT_TRUE(has_words(run_luge("fit " + fit + " --fixed b").out, {"fixed"}));
}

TEST(Fit, TakesOtherMethods) {
  const Json expected = fitted(decays() + kDecay + " --sets-by sample");
  EXPECT_EQ(expected["method"], "lm");
  for (const std::string method : {"lbfgs", "nelder-mead", "adam"}) {
    SCOPED_TRACE(method);
    const Json json = fitted(decays() + kDecay + " --sets-by sample --method " + method);
    EXPECT_EQ(json["method"], method);
    int same_steps = 0;
    for (std::size_t set = 0; set < 4; ++set) {
      const Json &fit = json["fits"][set], &right = expected["fits"][set];
      EXPECT_EQ(fit["at_minimum"], true) << fit["status"];
      same_steps += fit["steps"] == right["steps"];
      for (const char* const name : {"a", "t", "c"})
        EXPECT_NEAR(fit["parameters"][name].get<double>(), right["parameters"][name].get<double>(),
                    1e-3 * right["errors"][name].get<double>());
    }
    EXPECT_LT(same_steps, 4);
    const Outcome few = run_luge("fit " + decays() + kDecay + " --sets-by sample --max-steps 3 --method " + method);
    EXPECT_TRUE(has_words(few.out, {"4 sets of signal", "not converged: the most steps were taken", "no minimum: "}));
  }
}

TEST(Fit, WritesARowForEachSetAndTellsOfThoseThatFail) {
  const Folder folder;
  write_text(folder.path("a.csv"),
             "g,x,y\n\"a, b\",1,2\n\"a, b\",2,4\n\"a, b\",3,6.5\nshort,1,5\nodd,1,inf\nodd,2,1\n");
  const std::string fit =
      "fit " + folder.path("a.csv") + " --model 'm*x+b' --p0 m=1,b=0 --sets-by g --output " + folder.path("r.csv");
  const Outcome run = run_luge(fit);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(has_words(run.out, {"no minimum: short (bad data), odd (bad data)", "of 1 set at a minimum"}));
  const std::string csv = text_of(folder.path("r.csv"));
  EXPECT_TRUE(has_words(
      csv, {"set,m,m_error,b,b_error,status,steps,observations,chi2,reduced_chi2,r2\n\"a, b\",2.2", "\nshort,",
            "\nodd,", ",\"bad data: an observation is not finite, or there are fewer than parameters\","}));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 4);
  const Outcome strict = run_luge(fit + " --strict");
  EXPECT_EQ(strict.code, 1);
  EXPECT_TRUE(has_words(strict.err, {"luge: error: fit: 2 of 3 sets reached no minimum (--strict)"}));
  EXPECT_EQ(run_luge("fit " + decays() + kDecay + " --sets-by sample --strict").code, 0);
  EXPECT_EQ(folder.files(), 2);
}

TEST(Fit, TakesTheBestOfSeveralStarts) {
  const Folder folder;
  constexpr std::int64_t kSets = 6, kPoints = 60;
  std::vector<double> x, y;
  for (std::int64_t i = 0; i < kPoints; ++i) x.push_back(4.0 * static_cast<double>(i) / (kPoints - 1));
  for (std::int64_t set = 0; set < kSets; ++set)
    for (std::int64_t i = 0; i < kPoints; ++i)
      y.push_back(1.5 * std::sin((3 + static_cast<double>(set)) * x[static_cast<std::size_t>(i)] + 0.4) +
                  0.01 * static_cast<double>((set * 13 + i * 7) % 17 - 8));
  save_npy(folder.path("x.npy"), from_host(x, {kPoints}));
  save_npy(folder.path("y.npy"), from_host(y, {kSets, kPoints}));
  const std::string fit = folder.path("y.npy") + " --x " + folder.path("x.npy") +
                          " --model 'a*sin(w*x+p)' --p0 a=1,w=1,p=0 --bounds a=0.1:5,w=0.5:12,p=-3.2:3.2";
  const Json one = fitted(fit), many = fitted(fit + " --starts 50 --seed 3");
  int missed = 0, agreed = 0;
  for (std::size_t set = 0; set < kSets; ++set) {
    const auto frequency = [&](const Json& json) { return json["fits"][set]["parameters"]["w"].get<double>(); };
    missed += std::abs(frequency(one) - (3 + static_cast<double>(set))) > 0.1;
    EXPECT_NEAR(frequency(many), 3 + static_cast<double>(set), 0.02);
    EXPECT_GT(many["fits"][set]["start"].get<int>(), 0);
    agreed += many["fits"][set]["agreement"].get<int>();
  }
  EXPECT_GT(missed, 3);
  EXPECT_GT(agreed, static_cast<int>(kSets));
  EXPECT_FALSE(one["fits"][0].contains("start"));
  const auto starts_of = [](const Json& json) {
    std::vector<int> starts;
    for (const Json& found : json["fits"]) starts.push_back(found["start"].get<int>());
    return starts;
  };
  EXPECT_NE(starts_of(fitted(fit + " --starts 50 --seed 4")), starts_of(many));
  const Outcome run = run_luge("fit " + fit + " --starts 50 --output " + folder.path("r.csv"));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(has_words(run.out, {"of 50 starts another than --p0 was the best in 6 sets"}));
  EXPECT_TRUE(has_words(text_of(folder.path("r.csv")), {",r2,start,agreement\n0,"}));
  save_npy(folder.path("y.npy"), from_host(y, {kSets, kPoints})[0]);
  EXPECT_TRUE(has_words(run_luge("fit " + fit + " --starts 50").out, {"start ", " of 50, where "}));
}

TEST(Fit, FitsInTheMemoryThatThereIs) {
  const Folder folder;
  constexpr std::int64_t kSets = 40000, kPoints = 25;
  const Tensor x = linspace(0, 5, kPoints, {.dtype = float64}),
               t = (1 + 1e-4 * arange(kSets, {.dtype = float64})).unsqueeze(1);
  save_npy(folder.path("x.npy"), x);
  save_npy(folder.path("y.npy"), exp(-x / t) + 0.01 * sin(50 * x));
  const std::string fit = "fit " + folder.path("y.npy") + " --x " + folder.path("x.npy") +
                          " --model 'a*exp(-x/t)' --p0 a=1,t=1 --output " + folder.path("r.csv");
  ASSERT_EQ(run_luge(fit).code, 0);
  const std::string expected = text_of(folder.path("r.csv"));
  // The data alone are 8 MB, and in memory twice.
  const Outcome run = run_luge(fit, "LUGE_MEMORY_LIMIT=20000000");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(text_of(folder.path("r.csv")) == expected);
}

TEST(Fit, AnInterruptedFitWritesNothing) {
  const Folder folder;
  constexpr std::int64_t kSets = 60000;  // many seconds of work, of which little is done
  const NistProblem problem = nist_problem("Lanczos3", "");
  const auto points = static_cast<std::int64_t>(problem.y.size());
  save_npy(folder.path("x.npy"), from_host(problem.x[0], {points}));
  save_npy(folder.path("y.npy"), from_host(problem.y, {points}).expand({kSets, points}).clone());
  const Outcome run = run_and_signal("fit " + folder.path("y.npy") + " --x " + folder.path("x.npy") +
                                         " --model 'b1*exp(-b2*x)+b3*exp(-b4*x)+b5*exp(-b6*x)' --p0 "
                                         "b1=1.2,b2=0.3,b3=5.6,b4=5.5,b5=6.5,b6=7.6 --threads 1"
                                         " --json --output " +
                                         folder.path("r.csv"),
                                     "fitting 60,000 sets", SIGINT, folder.path("out"));
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(has_words(run.err, {"luge: error: fit: interrupted after ", " of 60,000 sets; nothing is written"}));
  EXPECT_EQ(run.out, "");
  EXPECT_FALSE(std::filesystem::exists(folder.path("r.csv")));
  EXPECT_EQ(folder.files(), 3);  // two arrays and the output
}

TEST(Fit, BadUsageIsCode2AndSaysWhatIsWrong) {
  const Folder folder;
  write_text(folder.path("a.csv"), "x,y,z,x\n1,2,3,4\n");
  write_text(folder.path("b.csv"), "x,y,y2,g\n1,2,3,4\n");
  save_npy(folder.path("y.npy"), zeros({2, 3}));
  save_npy(folder.path("x.npy"), zeros({4}));
  const std::string a = folder.path("a.csv"), b = folder.path("b.csv"), y = folder.path("y.npy");
  const struct {
    std::string arguments;
    const char* words;
  } cases[] = {
      {b, "--model is required"},
      {b + " --model a*x", "--p0 is required"},
      {b + " --model 'a*(x' --p0 a=1", "^"},
      {b + " --model 'a*foo(x)' --p0 a=1", "foo"},
      {b + " --model 'a*x' --p0 a", "--p0: 'a' is no name=value"},
      {b + " --model 'a*x' --p0 a=1,", "--p0: '' is no name=value"},
      {b + " --model 'a*x' --p0 a=1,a=2", "--p0: a is given twice"},
      {b + " --model 'a*x' --p0 a=one", "--p0: a is 'one', which is no number"},
      {b + " --model 'a*x' --p0 a=inf", "a start is finite"},
      {b + " --model 'a*x' --p0 a=1,b=2", "--p0: b is not in the formula, which reads a, x"},
      {b + " --model 'a*x+c' --p0 a=1", "c is neither in --p0 nor a column of "},
      {b + " --model 'a*x' --p0 a=1 --bounds b=0:1", "--bounds: b is no parameter; those are a"},
      {b + " --model 'a*x' --p0 a=1 --bounds a=1", "it must be low:high"},
      {b + " --model 'a*x' --p0 a=1 --bounds a=3:2", "the lower one is above the upper"},
      {b + " --model 'a*x' --p0 a=1 --bounds a=2:3", "--p0: a is 1, outside its bounds 2:3"},
      {b + " --model 'a*x' --p0 a=1 --fixed x", "--fixed: x is no parameter"},
      {b + " --model 'a*x' --p0 a=1 --x q", "--x: q is no column of "},
      {b + " --model 'a*x' --p0 a=1 --x x=y,x=g", "x is given twice"},
      {b + " --model 'a*x' --p0 a=1 --y q", "--y: q is no column of "},
      {b + " --model 'a*x' --p0 a=1 --y 'q*'", "is like 'q*'"},
      {b + " --model 'a*x' --p0 a=1 --y y,y", "column y is given twice"},
      {a + " --model 'a*x' --p0 a=1", "has several columns x"},
      {b + " --model 'a*x' --p0 a=1 --sets-by q", "--sets-by: q is no column"},
      {b + " --model 'a*x' --p0 a=1 --y y,y2 --sets-by g",
       "--sets-by: it needs one column of observations; --y names 2"},
      {b + " --model 'a*x' --p0 a=1 --sigma y2,g", "--sigma: it names 2 columns"},
      {b + " --model 'a*x' --p0 a=1 --delimiter ab", "--delimiter: 'ab' is no delimiter"},
      {b + " --model 'a*x' --p0 a=1 --loss absolute", "absolute"},
      {b + " --model 'a*x' --p0 a=1 --method newton", "lm,lbfgs,nelder-mead,adam"},
      {b + " --model 'a*x' --p0 a=1 --f-scale 0", "0 is not positive"},
      {b + " --model 'a*x' --p0 a=1 --max-steps 0", "--max-steps"},
      {b + " --model 'a*x' --p0 a=1 --starts 0", "--starts"},
      {b + " --model 'a*x' --p0 a=1 --starts 4",
       "--starts: starts are drawn between bounds, and a has none on either side"},
      {b + " --model 'a*x' --p0 a=1 --starts 4 --bounds a=0:", "and a has none on its upper side; --bounds a=LOW:HIGH"},
      {b + " --model 'where(x<k,a,2*a)' --p0 a=1,k=2", "--fixed: k decides conditions and nothing else"},
      {b + " --model 'start*x' --p0 start=1 --bounds start=0:2 --starts 2 --output " + folder.path("r.csv"),
       "two columns would have the name start"},
      {b + " --model 'r2*x' --p0 r2=1 --output " + folder.path("r.csv"), "two columns would have the name r2"},
      {y + " --model 'a*x' --p0 a=1", "--x must name the file of x"},
      {y + " --model 'a*x' --p0 a=1 --x " + folder.path("x.npy"), "has shape (4,); allowed are (3,) and (2, 3)"},
      {y + " --model 'a' --p0 a=1 --sets-by g", "--sets-by: "},
  };
  for (const auto& bad : cases) {
    SCOPED_TRACE(bad.arguments);
    const Outcome run = run_luge("fit " + bad.arguments);
    EXPECT_EQ(run.code, 2);
    EXPECT_EQ(run.out, "");
    EXPECT_TRUE(has_words(run.err, {bad.words}));
  }
  EXPECT_EQ(folder.files(), 4);
}

TEST(Fit, BadDataIsCode1WithThePlace) {
  const Folder folder;
  const std::string path = folder.path("a.csv");
  const std::string fit = "fit " + path + " --model 'a*x' --p0 a=1 ";
  const struct {
    const char *text, *options, *words;
  } cases[] = {
      {"", "", "there is no row of data"},
      {"# nothing\n\n", "", "there is no row of data"},
      {"x,y\n", "", "there is no row of data"},
      {"1,2\n3,4\n", "", "line 1 begins with '1'; it must hold the names of the columns, or --columns"},
      {"x,y\n1,2\n\n3,four\n", "", "line 4, column y: 'four' is not a number"},
      {"x;y\n1;2,5\n", "", "line 2, column y: '2,5' is not a number"},
      {"x,y\n1,1e999\n", "", "line 2, column y: '1e999' is not a number of float64"},
      {"x,y\n1,2\n3,4,5\n", "", "line 3 has 3 fields; there are 2 columns (x, y)"},
      {"x,y\n1,2\n3\n", "", "line 3 has 1 fields; there are 2 columns"},
      {"x,y\n1,2\n\"3,4\n5,6\n", "", "line 3: a quote is opened and never closed"},
      {"x,y\n1,2\"3\"\n", "", "line 2: a quote stands within a field"},
      {"x,y,s\n1,2,1\n3,4,0\n", "--sigma s", "line 3, column s: a sigma of 0; it must be positive"},
      {"x,y,g\n1,2,a\n3,4,\n", "--sets-by g", "line 3, column g: the label of a set is missing"},
  };
  for (const auto& bad : cases) {
    SCOPED_TRACE(bad.text);
    write_text(path, bad.text);
    const Outcome run = run_luge(fit + bad.options);
    EXPECT_EQ(run.code, 1);
    EXPECT_EQ(run.out, "");
    EXPECT_TRUE(has_words(run.err, {"luge: error: fit: ", path, bad.words}));
  }
  EXPECT_TRUE(has_words(run_luge("fit " + folder.path("nowhere.csv") + " --model a*x --p0 a=1").err,
                        {"nowhere.csv", "No such file"}));
  EXPECT_EQ(run_luge("fit " + decays() + kDecay + " --output " + folder.path("no/r.csv")).code, 1);
}

TEST(Fit, ReportsOneSetAndMany) {
  const struct {
    const char* options;
    std::vector<std::string> plots;
    std::vector<std::string> words;
  } cases[] = {{" --y signal", {"fit", "residuals"}, {"A fit", "Data and curve", "44"}},
               {" --y signal --sets-by sample",
                {"best", "median", "worst", "residuals", "parameter_a", "parameter_t", "parameter_c", "reduced_chi2",
                 "statuses", "map"},
                {"4 fits", "sample 1", "How the fits ended", "Where the fits ended how", "Distribution of reduced chi2",
                 "Statuses"}}};
  for (const auto& one : cases) {
    SCOPED_TRACE(one.options);
    const Folder folder;
    const std::string directory = folder.path("report");
    const Outcome run = run_luge("fit " + decays() + " --model 'a * exp(-time / t) + c' --p0 a=1,t=1,c=0" +
                                 one.options + " --report " + directory);
    ASSERT_EQ(run.code, 0) << run.err;
    const std::string html = text_of(directory + "/index.html");
    for (const std::string& word : one.words) EXPECT_TRUE(has_words(html, {word}));
    EXPECT_TRUE(has_words(html, {"Machine", "Options", "a * exp(-time / t) + c", "results.csv"}));
    expect_self_contained(html);
    EXPECT_TRUE(has_words(text_of(directory + "/results.csv"), {"set,a,a_error,"}));
    if (!gnuplot_is_there()) GTEST_SKIP() << "gnuplot is not installed";
    EXPECT_EQ(html.find("No pictures"), std::string::npos);
    for (const std::string& plot : one.plots)
      EXPECT_TRUE(has_words(text_of(directory + "/" + plot + ".svg"), {"<svg", "</svg>"})) << plot;
    expect_no_repeated_ids(html);
  }
}

TEST(Fit, MapsHowTheSetsEnded) {
  const Folder folder;
  const auto mapped = [&](std::int64_t sets, const std::vector<std::int64_t>& broken) {
    std::vector<double> y;
    for (std::int64_t set = 0; set < sets; ++set)
      for (int i = 0; i < 3; ++i) y.push_back(static_cast<double>(i * i + set % 3));
    for (const std::int64_t set : broken)
      y[static_cast<std::size_t>(3 * set)] = std::numeric_limits<double>::infinity();
    save_npy(folder.path("y.npy"), from_host(y, {sets, 3}));
    save_npy(folder.path("x.npy"), from_host(std::vector<double>{0, 1, 2}, {3}));
    const Outcome run = run_luge("fit " + folder.path("y.npy") + " --x " + folder.path("x.npy") +
                                 " --model 'm*x+b' --p0 m=1,b=0 --report " + folder.path("r"));
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_TRUE(!gnuplot_is_there() || run.err.find("without pictures") == std::string::npos) << run.err;
    return text_of(folder.path("r/map.csv"));
  };
  // Boxes: column, row, width, rank. A line ends with its hundredth set, be the next as it is.
  EXPECT_EQ(mapped(205, {3, 4, 100}),
            "column,row,width,rank,status\n0,0,3,0,converged\n3,0,2,7,bad data\n"
            "5,0,95,0,converged\n0,1,1,7,bad data\n1,1,99,0,converged\n"
            "0,2,5,0,converged\n");
  EXPECT_EQ(mapped(1 + 1, {1}), "column,row,width,rank,status\n0,0,1,0,converged\n1,0,1,7,bad data\n");
  // Of many sets a cell is several, and shows the worst: one in 12,000 is seen.
  const std::string many = mapped(12000, {7000});
  EXPECT_TRUE(has_words(many, {"\n33,23,1,7,bad data\n"})) << many;
  if (gnuplot_is_there()) {
    const std::string picture = text_of(folder.path("r/map.svg"));
    EXPECT_TRUE(has_words(picture, {"converged", "bad data"}));
    EXPECT_LT(picture.size(), 100000u);
    EXPECT_TRUE(has_words(text_of(folder.path("r/index.html")), {"3 to a cell"}));
  }
}

TEST(Fit, ReportsWhatCannotBeFitted) {
  const Folder folder;
  write_text(folder.path("a.csv"), "x,y\n1,2\n2,4\n");
  write_text(folder.path("b.csv"), "x,y\n,2\n2,\n");
  for (const std::string file : {"a.csv", "b.csv"})
    for (const std::string formula : {"a*log(x-5)", "a*x"}) {
      const Outcome run =
          run_luge("fit " + folder.path(file) + " --model '" + formula + "' --p0 a=1 --report " + folder.path("r"));
      EXPECT_EQ(run.code, 0) << run.err;
      if (!gnuplot_is_there()) continue;
      EXPECT_EQ(run.err.find("without pictures"), std::string::npos) << run.err;
    }
}

/// Labels and names reach gnuplot's scripts, where text in double quotes can run programs.
TEST(Fit, WordsOfAFileStayWordsInPictures) {
  const Folder folder;
  const std::string word = "'`touch " + folder.path("ran") + "`'\"\"$(x)_{";
  std::string text = "x,\"" + word + "\",g\n";
  for (int set = 0; set < 3; ++set)
    for (int i = 0; i < 4; ++i) text += fmt::format("{},{},\"{}{}\"\n", i, 2 * i + (i * i + set) % 3, word, set);
  write_text(folder.path("a.csv"), text);
  const Outcome run = run_luge("fit " + folder.path("a.csv") +
                               " --y '??touch*' --model 'a*x' --p0 a=1 --sets-by g --report " + folder.path("r"));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(has_words(text_of(folder.path("r/best.gp")), {"set ylabel '\u2019\u2018touch "}));
  EXPECT_FALSE(std::filesystem::exists(folder.path("ran")));
  if (!gnuplot_is_there()) GTEST_SKIP() << "gnuplot is not installed";
  EXPECT_EQ(run.err.find("without pictures"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace luge
