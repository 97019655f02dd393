// Event files, as TensorBoard reads them: records of an Event each, between their lengths and checksums.

#include <unistd.h>

#include <bit>
#include <chrono>
#include <climits>
#include <filesystem>
#include <type_traits>
#include <variant>

#include <fmt/format.h>
#include <isa-l/crc.h>

#include <luge/base/detail/check.h>
#include <luge/io/detail/file.h>
#include <luge/train/detail/event_file.h>

#include "events.pb.h"

namespace luge {

namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

using tensorboard::Event;

/// CRC-32C, turned and shifted as the format has it, so that a checksum of checksums is no trivial one.
std::uint32_t masked_checksum(std::string bytes) {
  auto* const data = reinterpret_cast<unsigned char*>(bytes.data());
  const std::uint32_t crc = ~crc32_iscsi(data, static_cast<int>(bytes.size()), ~0U);
  return std::rotr(crc, 15) + 0xA282EAD8U;
}

template <class Number>
std::string bytes_of(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// TensorBoard goes through the files of a folder in the order of their names, and wants the seconds in front.
std::string path_of_new_file(const std::string& folder) {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  char host[HOST_NAME_MAX + 1] = {};
  if (gethostname(host, HOST_NAME_MAX) != 0 || host[0] == '\0') host[0] = '-';
  return fmt::format("{}/events.out.tfevents.{:010}.{}.{}.{}", folder,
                     std::chrono::duration_cast<std::chrono::seconds>(time).count(), host,
                     std::chrono::duration_cast<std::chrono::nanoseconds>(time).count(), getpid());
}

tensorboard::Experiment::HParam::Type type_of(const Hyperparameter& value) {
  using HParam = tensorboard::Experiment::HParam;
  if (std::holds_alternative<bool>(value)) return HParam::BOOL;
  return std::holds_alternative<std::string>(value) ? HParam::STRING : HParam::FLOAT64;
}

tensorboard::SessionStart::Value value_of(const Hyperparameter& given) {
  tensorboard::SessionStart::Value result;
  std::visit(
      [&](const auto& value) {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, bool>)
          result.set_bool_value(value);
        else if constexpr (std::is_same_v<Value, std::string>)
          result.set_string_value(value);
        else
          result.set_number_value(static_cast<double>(value));
      },
      given);
  return result;
}

class ProtobufFile : public EventFile {
 public:
  ProtobufFile(const char* op, const std::string& folder) : file_(op, path_of_new_file(folder)) {
    event_.set_wall_time(now());
    event_.set_file_version("brain.Event:2");
    end();
  }

  void begin(std::int64_t step, double time) override {
    event_.set_step(step);
    event_.set_wall_time(time);
  }

  void add(const std::string& name, double value) override {
    auto& entry = *event_.mutable_summary()->add_value();
    entry.set_tag(name);
    entry.set_simple_value(static_cast<float>(value));
  }

  void add(const std::string& name, const Summary& summary) override {
    auto& entry = *event_.mutable_summary()->add_value();
    entry.set_tag(name);
    tensorboard::Histogram& histogram = *entry.mutable_histo();
    histogram.set_min(summary.min);
    histogram.set_max(summary.max);
    histogram.set_num(static_cast<double>(summary.count));
    histogram.set_sum(summary.sum);
    histogram.set_sum_squares(summary.sum_squares);
    for (std::size_t bin = 0; bin < summary.counts.size(); ++bin) {
      histogram.add_bucket_limit(summary.edges[bin + 1]);
      histogram.add_bucket(static_cast<double>(summary.counts[bin]));
    }
  }

  void end() override {
    const std::string data = event_.SerializeAsString();
    event_.Clear();
    const std::string length = bytes_of(std::uint64_t{data.size()});
    text_ += length + bytes_of(masked_checksum(length)) + data + bytes_of(masked_checksum(data));
    if (text_.size() >= kAtOnce) flush();
  }

  void add(const std::vector<std::pair<std::string, Hyperparameter>>& hparams,
           const std::vector<std::pair<std::string, double>>& metrics, double time) override {
    tensorboard::HParams experiment, start, end_of_session;
    for (const auto& [name, value] : hparams) {
      auto& hparam = *experiment.mutable_experiment()->add_hparam();
      hparam.set_name(name);
      hparam.set_type(type_of(value));
      (*start.mutable_session_start()->mutable_hparams())[name] = value_of(value);
    }
    for (const auto& [name, value] : metrics)
      experiment.mutable_experiment()->add_metric()->mutable_name()->set_tag(name);
    start.mutable_session_start();
    end_of_session.mutable_session_end()->set_status(tensorboard::SessionEnd::SUCCESS);
    begin(0, time);
    add_hparams("_hparams_/experiment", experiment);
    add_hparams("_hparams_/session_start_info", start);
    add_hparams("_hparams_/session_end_info", end_of_session);
    end();
  }

  void commit() override {
    flush();
    file_.commit();
  }

 private:
  static constexpr std::size_t kAtOnce = std::size_t{1} << 20;

  void add_hparams(const char* tag, const tensorboard::HParams& content) {
    auto& entry = *event_.mutable_summary()->add_value();
    entry.set_tag(tag);
    auto& plugin = *entry.mutable_metadata()->mutable_plugin_data();
    plugin.set_plugin_name("hparams");
    plugin.set_content(content.SerializeAsString());
  }

  void flush() {
    file_.write(text_.data(), text_.size());
    text_.clear();
  }

  OutputFile file_;
  Event event_;
  std::string text_;
};

}  // namespace

std::unique_ptr<EventFile> make_event_file(const char* op, const std::string& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  LUGE_CHECK(IoError, !failure, "{}: cannot make the folder '{}': {}", op, folder, failure.message());
  return std::make_unique<ProtobufFile>(op, folder);
}

}  // namespace luge
