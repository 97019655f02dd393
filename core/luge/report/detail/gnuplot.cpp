#include <luge/report/detail/gnuplot.h>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

namespace luge::report {
namespace {

constexpr const char* kLog = "gnuplot.log";

/// The instructions for a child process, freed whatever happens.
class Actions {
 public:
  Actions() { posix_spawn_file_actions_init(&actions_); }
  ~Actions() { posix_spawn_file_actions_destroy(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

std::string first_words(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream all;
  all << in.rdbuf();
  std::string text = all.str().substr(0, 300);
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

}  // namespace

DrawingError run_gnuplot(const std::string& directory, const std::string& file) {
  Actions actions;
  posix_spawn_file_actions_addchdir_np(actions.get(), directory.c_str());
  posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(actions.get(), STDOUT_FILENO, kLog, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(actions.get(), STDOUT_FILENO, STDERR_FILENO);
  std::string program = "gnuplot", script = file;
  const std::array<char*, 3> arguments{program.data(), script.data(), nullptr};

  pid_t child = 0;
  const int failure = posix_spawnp(&child, program.c_str(), actions.get(), nullptr, arguments.data(), environ);
  const std::filesystem::path log = std::filesystem::path(directory) / kLog;
  std::error_code ignored;
  if (failure != 0) {
    std::filesystem::remove(log, ignored);
    if (failure == ENOENT) return "gnuplot is not installed; on Debian: apt-get install gnuplot-nox";
    return fmt::format("gnuplot cannot be started: {}", std::strerror(failure));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return fmt::format("gnuplot cannot be waited for: {}", std::strerror(errno));
  const std::string words = first_words(log);
  std::filesystem::remove(log, ignored);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return "gnuplot is not installed; on Debian: apt-get install gnuplot-nox";
  return fmt::format("gnuplot failed on {}: {}", file, words);
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'')
      result += "\u2019";
    else if (c == '`')
      result += "\u2018";
    else
      result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + "'";
}

}  // namespace luge::report
