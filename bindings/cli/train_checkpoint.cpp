// Where luge train stops and goes on.

#include <filesystem>

#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include <luge/base/error.h>
#include <luge/io/detail/file.h>
#include <luge/io/detail/safetensors_header.h>

#include "train.h"

namespace luge::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kProgram = "luge train";

/// The options that make a training the same training; steps that are captured or not give the same bits.
Json as_json(const TrainOptions& options, std::uint64_t seed) {
  return {{"sets", options.sets},
          {"epochs", options.epochs},
          {"batch", options.batch},
          {"hidden", options.hidden},
          {"lr", options.lr},
          // It may go on in another folder.
          {"data", options.data.empty() ? "" : std::filesystem::absolute(options.data).lexically_normal().string()},
          {"train_images", options.identity.train_images},
          {"test_images", options.identity.test_images},
          {"data_checksum", options.identity.checksum},
          {"seed", seed}};
}

[[noreturn]] void not_ours(const std::string& path) {
  throw IoError(fmt::format("'{}' is no checkpoint of luge train", path));
}

/// A value of the checkpoint's JSON.
template <class T>
T value(const std::string& path, const Json& json, const char* key) {
  try {
    return json.at(key).get<T>();
  } catch (const Json::exception&) {
    not_ours(path);
  }
}

Json told(const std::string& path, const checkpoint::Loaded& loaded) {
  const auto program = loaded.notes.find("program");
  const auto text = loaded.json.find("training");
  if (program == loaded.notes.end() || program->second != kProgram || text == loaded.json.end()) not_ours(path);
  return Json::parse(text->second, nullptr, false);
}

}  // namespace

DataIdentity identity_of(const Dataset& data) {
  DataIdentity identity{data.train.count(), data.test.count(), {}};
  for (const Tensor& part : {data.train.images, data.train.labels, data.test.images, data.test.labels})
    identity.checksum += checksum_of(part.contiguous());
  return identity;
}

void try_place(const TrainOptions& options) {
  try {
    const OutputFile nothing_is_left_of("--checkpoint", checkpoint_path(options));
  } catch (const IoError& error) {
    if (!options.checkpoint.empty()) throw;
    fmt::print(stderr, "luge: Ctrl-C will not keep this training; give it a place by {}\n", error.what());
  }
}

void save_training(const TrainOptions& options, const Common& common, const checkpoint::Parts& parts,
                   const TrainResult& result) {
  Json json = as_json(options, common.seed);
  json["accuracy"] = result.accuracy;
  json["seconds"] = result.seconds;
  checkpoint::save(checkpoint_path(options), parts,
                   {.step = result.steps, .notes = {{"program", kProgram}}, .json = {{"training", json.dump()}}});
}

void take_options(TrainOptions& options, Common& common) {
  const std::string path = checkpoint_path(options);
  const Json json = told(path, checkpoint::load(path, {}, {.random = false}));
  options.sets = value<std::int64_t>(path, json, "sets");
  options.epochs = value<std::int64_t>(path, json, "epochs");
  options.batch = value<std::int64_t>(path, json, "batch");
  options.hidden = value<std::int64_t>(path, json, "hidden");
  options.lr = value<std::string>(path, json, "lr");
  options.data = value<std::string>(path, json, "data");
  options.identity = {value<std::int64_t>(path, json, "train_images"), value<std::int64_t>(path, json, "test_images"),
                      value<std::string>(path, json, "data_checksum")};
  common.seed = value<std::uint64_t>(path, json, "seed");
}

void load_training(const TrainOptions& options, const checkpoint::Parts& parts, TrainResult& result) {
  const std::string path = checkpoint_path(options);
  const checkpoint::Loaded loaded = checkpoint::load(path, parts);
  const Json json = told(path, loaded);
  result.steps = loaded.step;
  result.accuracy = value<std::vector<std::vector<double>>>(path, json, "accuracy");
  result.seconds = value<double>(path, json, "seconds");
}

}  // namespace luge::cli
